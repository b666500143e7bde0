// Constants. All bits of a float are kept, a NaN's too: only small integers are written as numbers.
import { ValueType } from '../module.ts';
import type { FunctionWriter } from './writer.ts';

export function constantI32(w: FunctionWriter): void {
  w.push(ValueType.i32, `${w.reader.s32() >>> 0}u`, true);
}

export function constantI64(w: FunctionWriter): void {
  w.push(ValueType.i64, `${BigInt.asUintN(64, w.reader.s64())}ull`, true);
}

export function constantF32(w: FunctionWriter): void {
  const bits = w.reader.f32Bits();
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits);
  const value = view.getFloat32(0);
  w.push(ValueType.f32, isSmall(value, 1e6) ? `(${value}.f)` : `f32_of(0x${bits.toString(16)}u)`, true);
}

export function constantF64(w: FunctionWriter): void {
  const bits = w.reader.f64Bits();
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  const value = view.getFloat64(0);
  w.push(ValueType.f64, isSmall(value, 1e9) ? `(${value}.)` : `f64_of(0x${bits.toString(16)}ull)`, true);
}

function isSmall(value: number, limit: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < limit && !Object.is(value, -0);
}
