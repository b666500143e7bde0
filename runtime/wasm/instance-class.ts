// WebAssembly.Instance (JS API 5.2).
import { asCalled, faceOf, isObject, marking, prototypeFor } from './face.ts';
import type { CompiledImage } from './image.ts';
import { engineNow, theEngine } from './late.ts';
import { mirrorClass } from './mirror.ts';
import { imageOf } from './module-class.ts';
import { why } from './policy.ts';
import type * as V8Type from './v8.ts';
import { emptyModule, V8 } from './v8.ts';

const marks = marking<V8Type.Exports>();

const v8Exports = Object.getOwnPropertyDescriptor(
  (V8.Instance as unknown as { prototype: object }).prototype,
  'exports',
)?.get as () => unknown;

/** An instance of V8's, some of whose exports may be twins of what it imports. */
export function settled(instance: object): object {
  const exports = Reflect.apply(v8Exports, instance, []) as V8Type.Exports;
  const own = engineNow()?.exportsWithOriginals(exports) ?? exports;
  return own === exports ? instance : marks.put(instance, own);
}

/** The imports of an instance of V8's. */
export function importsForV8(imports: unknown): unknown {
  const engine = engineNow();
  return engine === undefined ? imports : engine.importsForV8(imports);
}

/** An instance of the image; V8's where it cannot be linked in place. */
export function instanceOf(image: CompiledImage, imports: unknown, text: string, newTarget: unknown): object {
  const engine = theEngine();
  try {
    const exports = engine.instantiate(image, imports, text);
    return marks.put(faceOf(prototypeFor(newTarget, Instance)), exports);
  } catch (error) {
    if (!(error instanceof engine.LeftToV8)) throw error;
    why.instantiated(image, error.message);
    const args = [new V8.Module(image.source()), engine.readsForV8(error.reads)];
    return settled(Reflect.construct(V8.Instance, args, newTarget as typeof V8.Instance));
  }
}

function construct(args: unknown[], newTarget: unknown): object {
  const [module, imports] = args;
  const image = imageOf(module);
  if (image === undefined) {
    const given = args.length > 1 ? [module, importsForV8(imports)] : args;
    return settled(Reflect.construct(V8.Instance, given, newTarget as typeof V8.Instance));
  }
  // V8 says that it is no import object.
  if (imports !== undefined && !isObject(imports)) return new V8.Instance(emptyModule(), imports);
  return instanceOf(image, imports, 'WebAssembly.Instance()', newTarget);
}

// A declaration, because V8 names it in its errors.
function Instance(...args: unknown[]): object {
  if (new.target === undefined) return (V8.Instance as unknown as (...args: unknown[]) => object)(...args);
  return asCalled(Instance, () => construct(args, new.target));
}

const asClass = Instance as unknown as { prototype: object } & (new (
  module: unknown,
  imports?: unknown,
) => V8Type.Instance);

export { asClass as Instance };

mirrorClass(Instance, V8.Instance, {
  prototype: {
    get exports() {
      return marks.of(this) ?? Reflect.apply(v8Exports, this, []);
    },
  },
  has: (value) => marks.of(value) !== undefined || value instanceof V8.Instance,
});
