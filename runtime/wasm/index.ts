// insitu/wasm: the JavaScript API's namespace (JS API 5), for modules that have an image in a store. Every other module,
// and whatever cannot be linked in place, is V8's: explain() tells which and why.
import { LoadError } from '../../loader/error.ts';
import { customSections } from './custom-sections.ts';
import { Global } from './global.ts';
import { type CompiledImage, openFound } from './image.ts';
import { NeedsV8 } from './instance.ts';
import { adoptImage, exportsOf, imageOf, importsOf, instantiate as instantiateImage } from './module.ts';
import { policy, why } from './policy.ts';
import { Table } from './table.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';
import { instantiateInV8 } from './v8-instance.ts';

export { explain, type Explanation, setPolicy, type WasmPolicy } from './policy.ts';
export { Global, Table };

type BufferSource = ArrayBuffer | ArrayBufferView;

/** Bytes as they are now: a view of them, not a copy. @throws TypeError as V8's */
function bytesOf(source: unknown, text: string): Uint8Array {
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return new Uint8Array(source);
  throw new TypeError(`${text}: Argument 0 must be a buffer source`);
}

const isBufferSource = (source: unknown): source is BufferSource =>
  ArrayBuffer.isView(source) || source instanceof ArrayBuffer || source instanceof SharedArrayBuffer;

/** The image of a module, if it is to be had. */
function findImage(bytes: Uint8Array): CompiledImage | undefined {
  const found = policy.find(bytes);
  if (found === undefined) {
    why.compiled(null, 'no image in a store');
    return undefined;
  }
  try {
    return openFound(found);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    why.compiled(null, error.message);
    return undefined;
  }
}

export class Module {
  constructor(source: BufferSource) {
    const bytes = bytesOf(source, 'WebAssembly.Module()');
    const image = findImage(bytes);
    // biome-ignore lint/correctness/noConstructorReturn: what is V8's has to be V8's own object
    if (image === undefined) return new V8.Module(source) as unknown as Module;
    adoptImage(this, image);
    why.compiled(image, 'in place');
  }

  static imports(module: Module): V8Type.Entry[] {
    const image = imageOf(module);
    return image === undefined ? V8.Module.imports(module as unknown as V8Type.Module) : importsOf(image);
  }

  static exports(module: Module): V8Type.Entry[] {
    const image = imageOf(module);
    return image === undefined ? V8.Module.exports(module as unknown as V8Type.Module) : exportsOf(image);
  }

  static customSections(module: Module, name: string): ArrayBuffer[] {
    const image = imageOf(module);
    if (image === undefined) return V8.Module.customSections(module as unknown as V8Type.Module, name);
    if (arguments.length < 2 || name === undefined)
      throw new TypeError('WebAssembly.Module.customSections(): Argument 1 is required');
    return customSections(image, String(name));
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return imageOf(value) !== undefined || value instanceof V8.Module;
  }

  get [Symbol.toStringTag](): string {
    return 'WebAssembly.Module';
  }
}

const exportsOfInstance = new WeakMap<object, V8Type.Exports>();

export class Instance {
  constructor(module: Module, imports?: unknown) {
    const text = 'WebAssembly.Instance()';
    if (!(module instanceof Module)) throw new TypeError(`${text}: Argument 0 must be a WebAssembly.Module`);
    if (imports !== undefined && (imports === null || (typeof imports !== 'object' && typeof imports !== 'function')))
      throw new TypeError(`${text}: Argument 1 must be an object`);
    // biome-ignore lint/correctness/noConstructorReturn: what is V8's has to be V8's own object
    return makeInstance(module, imports, text, this) as Instance;
  }

  get exports(): V8Type.Exports {
    const exports = exportsOfInstance.get(this);
    if (exports === undefined) throw new TypeError('WebAssembly.Instance.exports: Receiver is not a WebAssembly.Instance');
    return exports;
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return exportsOfInstance.has(value as object) || value instanceof V8.Instance;
  }

  get [Symbol.toStringTag](): string {
    return 'WebAssembly.Instance';
  }
}

function makeInstance(module: Module, imports: unknown, text: string, self: object): object {
  const image = imageOf(module);
  if (image === undefined) return instantiateInV8(module as unknown as V8Type.Module, imports, text);
  try {
    exportsOfInstance.set(self, instantiateImage(image, imports, text));
    return self;
  } catch (error) {
    if (!(error instanceof NeedsV8)) throw error;
    why.instantiated(image, error.message);
    return instantiateInV8(new V8.Module(image.source()), imports, text);
  }
}

const fresh = (): object => Object.create(Instance.prototype);

export async function compile(source: BufferSource): Promise<Module> {
  // What happens to the bytes after the call is not seen (JS API: "a copy of the bytes").
  const bytes = bytesOf(source, 'WebAssembly.compile()');
  const image = findImage(bytes);
  if (image === undefined) return (await V8.compile(source)) as unknown as Module;
  const module = Object.create(Module.prototype) as Module;
  adoptImage(module, image);
  why.compiled(image, 'in place');
  return module;
}

export async function instantiate(
  source: BufferSource | Module,
  imports?: unknown,
): Promise<Instance | { module: Module; instance: Instance }> {
  const text = 'WebAssembly.instantiate()';
  if (imports !== undefined && (imports === null || (typeof imports !== 'object' && typeof imports !== 'function')))
    throw new TypeError(`${text}: Argument 1 must be an object`);
  if (source instanceof Module) {
    await undefined;
    return makeInstance(source, imports, text, fresh()) as Instance;
  }
  if (!isBufferSource(source))
    throw new TypeError(`${text}: Argument 0 must be a buffer source or a WebAssembly.Module`);
  const module = await compile(source);
  return { module, instance: makeInstance(module, imports, text, fresh()) as Instance };
}

/** Also true of modules that this V8 does not know and that have an image. */
export function validate(source: BufferSource): boolean {
  return V8.validate(source) || policy.find(bytesOf(source, 'WebAssembly.validate()')) !== undefined;
}

async function bytesOfResponse(source: unknown): Promise<ArrayBuffer> {
  const response = (await source) as { arrayBuffer(): Promise<ArrayBuffer>; ok?: boolean; headers?: Headers };
  if (!(response instanceof Response))
    throw new TypeError('WebAssembly: Argument 0 must be a Response or a promise of one');
  if (!response.ok) throw new TypeError(`WebAssembly: HTTP status code is not ok`);
  return response.arrayBuffer();
}

export const compileStreaming = async (source: unknown): Promise<Module> => compile(await bytesOfResponse(source));
export const instantiateStreaming = async (source: unknown, imports?: unknown) =>
  instantiate(await bytesOfResponse(source), imports);

export { Memory } from './memory.ts';
export const { Tag, Exception, CompileError, LinkError, RuntimeError, JSTag } = V8;
