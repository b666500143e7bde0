// Values that random modules are called with, and how what they answer is written down.
import { ValueType } from '../../../loader/compile/module.ts';
import type { Random } from './random.ts';

const I32 = [0, 1, -1, 2, 3, 7, 31, 32, 255, 65535, 65536, 0x7fffffff, -0x80000000, 0x10000 * 15];
const I64 = [0n, 1n, -1n, 2n, 63n, 64n, 0xffffffffn, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n];
const FLOATS = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 32,
  2 ** 63,
  -(2 ** 63),
  2 ** 64,
  Number.MIN_VALUE,
  1.1754943508222875e-38,
  Number.MAX_VALUE,
  2 ** 52 + 0.5,
  8388607.5,
];

/** Objects to pass as references, told apart by what they are. */
export const references: readonly unknown[] = [null, 'text', { a: 1 }, 7, undefined, Symbol('s'), 12n, []];

/** What the first call of every function gets; afterwards, anything. */
export function argumentOf(type: ValueType, random: Random, functions: readonly unknown[]): unknown {
  switch (type) {
    case ValueType.i32:
      return random.once(3) ? random.u32() | 0 : random.pick(I32);
    case ValueType.i64:
      return random.once(3) ? BigInt.asIntN(64, random.u64()) : random.pick(I64);
    case ValueType.f32:
      return Math.fround(float(random));
    case ValueType.f64:
      return float(random);
    case ValueType.funcref:
      return functions.length === 0 || random.once(3) ? null : random.pick(functions);
    case ValueType.externref:
      return random.pick(references);
    default:
      return undefined; // cannot come from JavaScript: a TypeError
  }
}

function float(random: Random): number {
  if (!random.once(3)) return random.pick(FLOATS);
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, random.u64());
  return view.getFloat64(0);
}

/** A result, such that equal ones read the same. */
export function show(value: unknown): string {
  if (Array.isArray(value) && !references.includes(value)) return `[${value.map(show).join(', ')}]`;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `function ${value.name}/${value.length}`;
  const known = references.indexOf(value);
  if (known >= 0) return `reference ${known}`;
  return value === null ? 'null' : Object.prototype.toString.call(value);
}
