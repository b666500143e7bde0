// WebAssembly.Module (JS API 5.1): its objects are V8's own, of V8's own prototype; those of an image hold no code (stub.ts).
import { asCalled, isObject } from './face.ts';
import type { CompiledImage } from './image.ts';
import { theEngine } from './late.ts';
import { mirrorOver } from './mirror.ts';
import { why } from './policy.ts';
import { choose } from './source.ts';
import type * as V8Type from './v8.ts';
import { emptyModule, V8 } from './v8.ts';

const v8 = V8.Module as unknown as ((...args: unknown[]) => object) & { prototype: object };
const images = new WeakMap<object, CompiledImage>();

/** Of a stub. */
export const STUB_SECTION = 'insitu.image';

export function moduleFor(image: CompiledImage, newTarget: unknown = v8): object {
  isMade();
  const stub = theEngine().stubFor({ image: image.path, source: image.sourcePath });
  const module = Reflect.construct(v8, [stub], newTarget as typeof V8.Module);
  images.set(module, image);
  return module;
}

/** False also of what is no module. */
function isStub(value: object): value is V8Type.Module {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return false;
  try {
    return V8.Module.customSections(value as V8Type.Module, STUB_SECTION).length > 0;
  } catch {
    return false;
  }
}

/** The image of what was cloned or posted. */
function arrived(stub: V8Type.Module): CompiledImage | undefined {
  try {
    const engine = theEngine();
    const named = engine.readStub(stub);
    if (named === undefined) return undefined;
    const image = engine.openImage(named.image, named.source);
    images.set(stub, image);
    why.compiled(image, 'in place, of a clone', image.sourceSize);
    return image;
  } catch (error) {
    why.compiled(null, `of a clone: ${(error as Error).message}`, 0);
    return undefined;
  }
}

export function imageOf(module: unknown): CompiledImage | undefined {
  if (!isObject(module)) return undefined;
  return images.get(module) ?? (isStub(module) ? arrived(module) : undefined);
}

function construct(args: unknown[], newTarget: unknown): object {
  const { image, ready } = choose(args[0], args[1]);
  if (image !== undefined) return moduleFor(image, newTarget);
  const module = Reflect.construct(v8, args, newTarget as typeof V8.Module);
  isMade();
  ready();
  return module;
}

// A declaration, because V8 names it in its errors.
function Module(...args: unknown[]): object {
  if (new.target === undefined) return v8(...args);
  return asCalled(Module, () => construct(args, new.target));
}

const isMade = mirrorOver(Module, v8, {
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
});

const asClass = Module as unknown as { prototype: object } & (new (
  source: unknown,
  options?: unknown,
) => object);

export { asClass as Module, isMade as moduleIsMade };
