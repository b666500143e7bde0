// WebAssembly.Module and WebAssembly.Instance over images. What has no image is V8's.
import { CompiledImage } from './image.ts';
import { ImportMismatch, LinkedInstance } from './instance.ts';
import { V8 } from './v8.ts';
import type * as V8Type from './v8.ts';

const images = new WeakMap<object, CompiledImage>();

export const imageOf = (module: unknown): CompiledImage | undefined => images.get(module as object);

export function adoptImage(module: object, image: CompiledImage): void {
  images.set(module, image);
}

export const importsOf = (image: CompiledImage) =>
  image.shape.imports.map((entry) => ({ ...entry }));

export const exportsOf = (image: CompiledImage) => image.shape.exports;

/** Reads imports strictly in their order, each once: getters and Proxies see that. */
function readImports(image: CompiledImage, imports: unknown, text: string): unknown[] {
  const list = image.shape.imports;
  if (list.length === 0) return [];
  if (imports === null || (typeof imports !== 'object' && typeof imports !== 'function'))
    throw new TypeError(`${text}: Imports argument must be present and must be an object`);
  return list.map(({ module, name }, index) => {
    const from: unknown = (imports as Record<string, unknown>)[module];
    if (from === null || (typeof from !== 'object' && typeof from !== 'function'))
      throw new TypeError(`${text}: Import #${index} "${module}": module is not an object or function`);
    return (from as Record<string, unknown>)[name];
  });
}

/** Links, initializes, runs the start function. @throws as the constructor of WebAssembly.Instance */
export function instantiate(image: CompiledImage, imports: unknown, text: string): V8Type.Exports {
  const values = readImports(image, imports, text);
  let instance: LinkedInstance;
  try {
    instance = new LinkedInstance(image, values);
  } catch (error) {
    if (!(error instanceof ImportMismatch)) throw error;
    const entry = image.shape.imports[error.index];
    throw new V8.LinkError(
      `${text}: Import #${error.index} "${entry?.module}" "${entry?.name}": ${error.message}`,
    );
  }
  const exports = instance.exports();
  instance.start();
  return exports;
}
