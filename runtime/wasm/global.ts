// WebAssembly.Global over a global of compiled code (JS API 5.6). What is not plain V8 converts and judges, on a global of
// its own of the same type: so the words are this Node's.
import { faceOf, marking, prototypeFor } from './face.ts';
import { GlobalState, type V8Global } from './global-state.ts';
import { mirrorClass } from './mirror.ts';
import type { ValueType } from './shape.ts';
import * as Type from './shape.ts';
import { unreadableGlobal } from './skeleton.ts';
import { standIn } from './stand-in.ts';
import { V8 } from './v8.ts';
import { witnessedDescriptor } from './witness.ts';

export { GlobalState } from './global-state.ts';

const TYPES: Record<string, ValueType | undefined> = {
  i32: Type.I32,
  i64: Type.I64,
  f32: Type.F32,
  f64: Type.F64,
  v128: Type.V128,
  externref: Type.EXTERNREF,
  anyfunc: Type.FUNCREF,
  funcref: Type.FUNCREF,
};

const marks = marking<GlobalState>();
const faces = new WeakMap<GlobalState, object>();

export const globalState = (value: unknown): GlobalState | undefined => marks.of(value);

function adopt(face: object, state: GlobalState): object {
  marks.put(face, state);
  faces.set(state, face);
  return face;
}

/** The one Global for a state. */
export const globalFor = (state: GlobalState): object =>
  faces.get(state) ?? adopt(faceOf(Global.prototype), state);

const v8 = V8.Global as unknown as { prototype: { valueOf(): unknown } } & (new (
  ...args: unknown[]
) => V8Global);
const v8Value = Object.getOwnPropertyDescriptor(v8.prototype, 'value') as {
  get(): unknown;
  set(value: unknown): void;
};

function construct(args: unknown[], prototype: object): object {
  const { face, seen } = witnessedDescriptor(args[0]);
  const rest = args.slice(1);
  const made = new v8(...(args.length > 0 ? [face] : []), ...rest.map(standIn));
  const type = TYPES[String(seen.value)];
  // Of a type that compiled code does not know: V8's.
  if (type === undefined) return Object.setPrototypeOf(made, prototype);
  const state = new GlobalState(null, { type, mutable: Boolean(seen.mutable) }, null);
  if (state.isReadable) state.set(type === Type.FUNCREF && made.value !== null ? rest[0] : made.value);
  return adopt(faceOf(prototype), state);
}

// A declaration, because V8 names it in its errors.
function Global(...args: unknown[]): object {
  if (new.target === undefined) return (V8.Global as unknown as (...args: unknown[]) => object)(...args);
  return construct(args, prototypeFor(new.target, Global));
}

const asClass = Global as unknown as { prototype: object } & (new (...args: unknown[]) => object);

export { asClass as Global };

function read(face: unknown, asV8: () => unknown): unknown {
  const state = globalState(face);
  if (state?.isReadable) return state.get();
  return Reflect.apply(asV8, state === undefined ? face : unreadableGlobal(), []);
}

function write(face: unknown, value: unknown): void {
  const state = globalState(face);
  if (state === undefined) Reflect.apply(v8Value.set, face, [value]);
  else if (!state.isReadable) Reflect.apply(v8Value.set, unreadableGlobal(), [value]);
  else if (!state.type.mutable) Reflect.apply(v8Value.set, state.replica(), [value]);
  else if (state.type.type === Type.FUNCREF) writeFunction(state, value);
  else state.set(value);
}

function writeFunction(state: GlobalState, value: unknown): void {
  const wanted = standIn(value);
  if (wanted === value && value !== null) Reflect.apply(v8Value.set, state.replica(), [value]);
  state.set(value);
}

mirrorClass(Global, V8.Global, {
  prototype: {
    valueOf() {
      return read(this, v8.prototype.valueOf);
    },
    get value() {
      return read(this, v8Value.get);
    },
    set value(value: unknown) {
      write(this, value);
    },
  },
  has: (value) => globalState(value) !== undefined || value instanceof V8.Global,
});
