// WebAssembly.Module (JS API 5.1). A module of an image is, for V8, a Map: so that it can be cloned, and posted to other
// threads, where what arrives is known by what it holds. It has no properties, and prints as V8's does.

import { parseImageName } from '../../loader/images/layout.ts';
import { isObject, marking, prototypeFor } from './face.ts';
import type { CompiledImage } from './image.ts';
import { theEngine } from './late.ts';
import { mirrorClass } from './mirror.ts';
import { why } from './policy.ts';
import { choose } from './source.ts';
import type * as V8Type from './v8.ts';
import { emptyModule, V8 } from './v8.ts';

const marks = marking<CompiledImage>();

const KIND = 'WebAssembly.Module of insitu';
const THREADS = 'threads';

/** Nothing can bring one into this process from outside: so what arrives with it was made here. */
let ofThisProcess: SharedArrayBuffer | undefined;

export function moduleFor(image: CompiledImage, prototype = Module.prototype): object {
  ofThisProcess ??= new SharedArrayBuffer(0);
  const clonable = new Map<string, unknown>();
  clonable.set(KIND, [image.path, image.sourcePath]);
  clonable.set(THREADS, ofThisProcess);
  return marks.put(Object.setPrototypeOf(clonable, prototype), image);
}

/** What was posted may come from anybody: no other file is opened. */
const isImagePath = (path: unknown): path is string =>
  typeof path === 'string' && parseImageName(path.slice(path.lastIndexOf('/') + 1)) !== undefined;

const { get } = Map.prototype;
/** A subclass may have a `get` of its own. */
const reading = (map: Map<unknown, unknown>, key: string): unknown => Reflect.apply(get, map, [key]);

/** The image of what was cloned or posted: that becomes a Module now. */
function arrived(value: unknown): CompiledImage | undefined {
  if (!(value instanceof Map) || !(reading(value, THREADS) instanceof SharedArrayBuffer)) return undefined;
  const paths = reading(value, KIND);
  if (!Array.isArray(paths) || !isImagePath(paths[0])) return undefined;
  try {
    const image = theEngine().openImage(paths[0], paths[1]);
    marks.put(Object.setPrototypeOf(value, Module.prototype), image);
    why.compiled(image, 'in place, of a clone', image.sourceSize);
    return image;
  } catch (error) {
    why.compiled(null, `of a clone: ${(error as Error).message}`, 0);
    return undefined;
  }
}

export const imageOf = (module: unknown): CompiledImage | undefined => marks.of(module) ?? arrived(module);

function construct(args: unknown[], newTarget: unknown): object {
  const { image, ready } = choose(args[0], args[1]);
  if (image !== undefined) return moduleFor(image, prototypeFor(newTarget, Module));
  const module = Reflect.construct(V8.Module, args, newTarget as typeof V8.Module);
  ready();
  return module;
}

// A declaration, because V8 names it in its errors.
function Module(...args: unknown[]): object {
  if (new.target === undefined) return (V8.Module as unknown as (...args: unknown[]) => object)(...args);
  return construct(args, new.target);
}

const asClass = Module as unknown as { prototype: object } & (new (
  source: unknown,
  options?: unknown,
) => object);

export { asClass as Module };

mirrorClass(Module, V8.Module, {
  statics: {
    imports(...args: [V8Type.Module]) {
      const image = imageOf(args[0]);
      return image === undefined ? V8.Module.imports(...args) : theEngine().importsOf(image);
    },
    exports(...args: [V8Type.Module]) {
      const image = imageOf(args[0]);
      return image === undefined ? V8.Module.exports(...args) : theEngine().exportsOf(image);
    },
    customSections(...args: [V8Type.Module, string]) {
      const image = imageOf(args[0]);
      if (image === undefined) return V8.Module.customSections(...args);
      const [, name] = args;
      return name === undefined
        ? V8.Module.customSections(emptyModule(), name as unknown as string)
        : theEngine().customSections(image, `${name}`);
    },
  },
  has: (value) => isObject(value) && (imageOf(value) !== undefined || value instanceof V8.Module),
});
