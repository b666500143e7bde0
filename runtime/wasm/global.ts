// WebAssembly.Global over a global of compiled code (JS API 5.6).
import { wasm } from '../../loader/wasm.ts';
import { putValue, takeValue, wordsOf } from './function.ts';
import { functionAtSlot, typeOfFunction } from './function-reference.ts';
import { asV8Function } from './link-check.ts';
import * as Type from './shape.ts';
import type { GlobalType, ValueType } from './shape.ts';
import { V8 } from './v8.ts';

export class GlobalState {
  readonly address: number;
  readonly type: GlobalType;
  readonly keeps: Set<object>;
  /** Compiled code uses it: a mutable one cannot become V8's any more. */
  linked = false;
  private twin: { value: unknown } | undefined;

  constructor(address: number, type: GlobalType, owner: object) {
    this.address = address;
    this.type = type;
    this.keeps = new Set([owner]);
  }

  /** V8's global in its place. Null where compiled code has it and may change it. */
  toV8(): object | null {
    if (this.twin !== undefined) return this.twin;
    if (this.linked && this.type.mutable) return null;
    const { type, mutable } = this.type;
    const value = this.get();
    const function_ = type === Type.FUNCREF && value !== null ? typeOfFunction(value as object) : undefined;
    const twin = new V8.Global(
      { value: V8_NAME[type], mutable },
      function_ === undefined ? value : asV8Function(function_, value),
    );
    if (mutable) this.twin = twin;
    return twin;
  }

  get isV8(): boolean {
    return this.twin !== undefined;
  }

  get(): unknown {
    if (this.twin !== undefined) return this.twin.value;
    const { type } = this.type;
    if (type === Type.V128 || type === Type.EXNREF) throw new TypeError("Can't get the value of s128 WebAssembly.Global");
    wasm.wasmCellLoad(this.address, bytesOf(type));
    return takeValue(type, 0, functionAtSlot);
  }

  set(value: unknown): void {
    if (this.twin !== undefined) {
      this.twin.value = value;
      return;
    }
    const { type } = this.type;
    if (type === Type.V128 || type === Type.EXNREF) throw new TypeError("Can't set the value of s128 WebAssembly.Global");
    putValue(type, 0, value);
    wasm.wasmCellStore(this.address, bytesOf(type));
    if (typeof value === 'function') this.keeps.add(value);
  }
}

const bytesOf = (type: ValueType): number =>
  type === Type.I32 || type === Type.F32 ? 4 : 8 * wordsOf(type);

const V8_NAME: Record<number, string> = {
  [Type.I32]: 'i32',
  [Type.I64]: 'i64',
  [Type.F32]: 'f32',
  [Type.F64]: 'f64',
  [Type.EXTERNREF]: 'externref',
  [Type.FUNCREF]: 'anyfunc',
};

const states = new WeakMap<Global, GlobalState>();
const faces = new WeakMap<GlobalState, Global>();

export const globalState = (value: unknown): GlobalState | undefined => states.get(value as Global);

export function globalFor(state: GlobalState): Global {
  let face = faces.get(state);
  if (face === undefined) {
    face = Object.create(Global.prototype) as Global;
    adopt(face, state);
  }
  return face;
}

function adopt(face: Global, state: GlobalState): void {
  states.set(face, state);
  faces.set(state, face);
}

const TYPES: Record<string, ValueType> = {
  i32: Type.I32,
  i64: Type.I64,
  f32: Type.F32,
  f64: Type.F64,
  v128: Type.V128,
  externref: Type.EXTERNREF,
  anyfunc: Type.FUNCREF,
};

export class Global {
  constructor(...args: [descriptor: { value: string; mutable?: boolean }, value?: unknown]) {
    const [descriptor] = args;
    if (descriptor === null || (typeof descriptor !== 'object' && typeof descriptor !== 'function'))
      throw new TypeError('WebAssembly.Global(): Argument 0 must be a global descriptor');
    const mutable = Boolean(descriptor.mutable);
    const type = TYPES[String(descriptor.value)];
    if (type === undefined)
      throw new TypeError(
        "WebAssembly.Global(): Descriptor property 'value' must be a WebAssembly type",
      );
    if (type === Type.V128)
      throw new TypeError("WebAssembly.Global(): Cannot create a Global of type v128 with a value from JavaScript");
    const [handle, address] = wasm.wasmCell();
    const made = new GlobalState(address, { type, mutable }, handle);
    const given = args.length > 1 ? args[1] : undefined;
    if (given !== undefined || (type === Type.EXTERNREF && args.length > 1)) made.set(given);
    else if (type === Type.EXTERNREF) made.set(undefined);
    adopt(this, made);
  }

  get value(): unknown {
    return state(this, 'get WebAssembly.Global.value').get();
  }

  set value(value: unknown) {
    const global = state(this, 'set WebAssembly.Global.value');
    if (!global.type.mutable)
      throw new TypeError("set WebAssembly.Global.value: Can't set the value of an immutable global.");
    global.set(value);
  }

  valueOf(): unknown {
    return state(this, 'WebAssembly.Global.valueOf()').get();
  }

  get [Symbol.toStringTag](): string {
    return 'WebAssembly.Global';
  }
}

function state(face: unknown, method: string): GlobalState {
  const known = states.get(face as Global);
  if (known === undefined) throw new TypeError(`${method}: Receiver is not a WebAssembly.Global`);
  return known;
}
