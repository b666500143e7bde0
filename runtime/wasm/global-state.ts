// A global: of JavaScript's at first where a program made it, then of whom it is first linked to, compiled code or V8.
import { wasm } from '../../loader/wasm.ts';
import { putValue, takeValue, toBigInt, wordsOf } from './function.ts';
import { functionAtSlot, typeOfFunction } from './function-reference.ts';
import { asV8Function } from './link-check.ts';
import type { GlobalType, ValueType } from './shape.ts';
import * as Type from './shape.ts';
import { V8 } from './v8.ts';

const V8_NAME: Record<number, string> = {
  [Type.I32]: 'i32',
  [Type.I64]: 'i64',
  [Type.F32]: 'f32',
  [Type.F64]: 'f64',
  [Type.EXTERNREF]: 'externref',
  [Type.FUNCREF]: 'anyfunc',
};

const bytesOf = (type: ValueType): number => (type === Type.I32 || type === Type.F32 ? 4 : 8 * wordsOf(type));

export interface V8Global {
  value: unknown;
}

export class GlobalState {
  readonly type: GlobalType;
  readonly keeps = new Set<object>();
  /** Compiled code uses it: a mutable one cannot become V8's any more. */
  linked = false;
  private place: number | null;
  private value: unknown;
  private twin: V8Global | undefined;

  /** Without a place, it is JavaScript's, and has no value before the first is set. */
  constructor(place: number | null, type: GlobalType, owner: object | null) {
    this.place = place;
    this.type = type;
    if (owner !== null) this.keeps.add(owner);
  }

  /** Where compiled code has it; from now on, if it did not. */
  get address(): number {
    return this.place ?? this.settle();
  }

  private settle(): number {
    const [handle, place] = wasm.wasmCell();
    const { value } = this;
    this.keeps.add(handle);
    this.place = place;
    this.value = undefined;
    if (this.isReadable) this.set(value);
    return place;
  }

  /** Whether JavaScript may read and write such values. */
  get isReadable(): boolean {
    return V8_NAME[this.type.type] !== undefined;
  }
  get isV8(): boolean {
    return this.twin !== undefined;
  }

  /** A global of V8's of the same type, of any value. */
  replica(): V8Global {
    const { type, mutable } = this.type;
    const descriptor = { value: V8_NAME[type], mutable };
    return new V8.Global(descriptor, ...(type === Type.FUNCREF ? [null] : []));
  }

  /** V8's global in its place. Null where compiled code has it and may change it, or where V8 can't be given its value. */
  toV8(): object | null {
    if (this.twin !== undefined) return this.twin;
    if (!this.isReadable || (this.linked && this.type.mutable)) return null;
    const { type, mutable } = this.type;
    const value = this.get();
    const function_ = type === Type.FUNCREF && value !== null ? typeOfFunction(value as object) : undefined;
    const given = function_ === undefined ? value : asV8Function(function_, value);
    const twin = new V8.Global({ value: V8_NAME[type], mutable }, given);
    if (mutable) this.twin = twin;
    return twin;
  }

  get(): unknown {
    if (this.twin !== undefined) return this.twin.value;
    if (this.place === null) return this.value;
    const { type } = this.type;
    wasm.wasmCellLoad(this.place, bytesOf(type));
    return takeValue(type, 0, functionAtSlot);
  }

  /** @throws TypeError for what has no value of its type */
  set(value: unknown): void {
    const { type } = this.type;
    if (this.twin !== undefined) this.twin.value = value;
    else if (this.place === null) this.value = converted(type, value);
    else {
      putValue(type, 0, value);
      wasm.wasmCellStore(this.place, bytesOf(type));
      if (typeof value === 'function') this.keeps.add(value);
    }
  }
}

/** ToWebAssemblyValue and back (JS API 5.7). */
function converted(type: ValueType, value: unknown): unknown {
  if (type === Type.I32) return (value as number) | 0;
  if (type === Type.I64) return BigInt.asIntN(64, toBigInt(value));
  if (type === Type.F32) return Math.fround(value as number);
  return type === Type.F64 ? +(value as number) : value;
}
