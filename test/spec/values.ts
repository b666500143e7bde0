// The script's values as JavaScript's, by the conversions of the WebAssembly JavaScript interface, and results against
// what the script expects.
import { type FloatType, floatOfBits, matchesNaN } from './literal.ts';
import type { Constant, Lanes, Pattern } from './wast.ts';

// Objects, not numbers: what comes back must be the very same one.
const hosts = new Map<number, object>();
function hostOf(id: number): object {
  const host = hosts.get(id) ?? { host: id };
  hosts.set(id, host);
  return host;
}

/** A value as a call's argument; vectors go through adapters only. */
export function toJs(value: Constant): unknown {
  switch (value.type) {
    case 'i32':
      return Number(BigInt.asIntN(32, value.bits));
    case 'i64':
      return BigInt.asIntN(64, value.bits);
    case 'f32':
    case 'f64':
      return floatOfBits(value.bits, value.type);
    case 'null':
      return null;
    case 'extern':
    case 'host':
      return hostOf(value.id);
    case 'v128':
      throw new TypeError('a v128 needs an adapter');
  }
}

/** A value as the arguments of an adapter. */
export function toIntegers(value: Constant): unknown[] {
  if (value.type === 'v128') return [BigInt.asIntN(64, value.bits), BigInt.asIntN(64, value.bits >> 64n)];
  if (value.type === 'f32') return [Number(BigInt.asIntN(32, value.bits))];
  if (value.type === 'f64') return [BigInt.asIntN(64, value.bits)];
  return [toJs(value)];
}

/** What a call answered, as a list. */
export function resultsOf(result: unknown, count: number): unknown[] {
  if (count === 0) return result === undefined ? [] : [result];
  if (count === 1) return [result];
  return Array.isArray(result) ? result : [result];
}

const isFunction = (value: unknown): boolean => typeof value === 'function';

// Of structures and arrays, JavaScript sees opaque objects.
const isOpaque = (value: unknown): boolean => typeof value === 'object' && value !== null;
const isI31 = (value: unknown): boolean => typeof value === 'number' && (value << 1) >> 1 === value;
const references: Record<string, (value: unknown) => boolean> = {
  func: isFunction,
  extern: (value) => value !== null,
  host: (value) => value !== null,
  any: (value) => value !== null,
  eq: (value) => isOpaque(value) || isI31(value),
  struct: isOpaque,
  array: isOpaque,
  i31: isI31,
};

/** Whether a result as JavaScript has it is what was expected. */
export function matchesJs(actual: unknown, expected: Pattern): boolean {
  if (expected.type === 'either') return expected.patterns.some((pattern) => matchesJs(actual, pattern));
  if (expected.type === 'reference') {
    const matches = references[expected.kind];
    if (!matches) throw new TypeError(`a reference of the kind ${expected.kind}`);
    return matches(actual);
  }
  if (expected.type === 'v128' || 'nan' in expected) throw new TypeError('these bits need an adapter');
  return Object.is(actual, toJs(expected));
}

/** How many results of an adapter stand for one value. */
const integerCount = (pattern: Pattern): number => {
  if (pattern.type === 'either') return integerCount(pattern.patterns[0] ?? { type: 'null' });
  return pattern.type === 'v128' ? 2 : 1;
};

function bitsOf(integer: unknown, width: number): bigint {
  if (typeof integer === 'number' || typeof integer === 'bigint') {
    return BigInt.asUintN(width, BigInt(integer));
  }
  throw new TypeError(`an adapter answered ${String(integer)}`);
}

function matchesLanes(bits: bigint, { lane, lanes }: Lanes): boolean {
  const width = lane === 'f32' ? 32 : 64;
  return lanes.every((expected, index) => {
    const actual = BigInt.asUintN(width, bits >> BigInt(index * width));
    return typeof expected === 'bigint' ? actual === expected : matchesNaN(actual, lane, expected);
  });
}

const widths: Record<FloatType | 'i32' | 'i64', number> = { i32: 32, f32: 32, i64: 64, f64: 64 };

function matchesIntegers(integers: unknown[], expected: Pattern): boolean {
  switch (expected.type) {
    case 'either':
      return expected.patterns.some((pattern) => matchesIntegers(integers, pattern));
    case 'v128': {
      const bits = bitsOf(integers[0], 64) | (bitsOf(integers[1], 64) << 64n);
      return 'bits' in expected ? bits === expected.bits : matchesLanes(bits, expected);
    }
    case 'i32':
    case 'i64':
    case 'f32':
    case 'f64': {
      const bits = bitsOf(integers[0], widths[expected.type]);
      return 'nan' in expected ? matchesNaN(bits, expected.type, expected.nan) : bits === expected.bits;
    }
    default:
      return matchesJs(integers[0], expected);
  }
}

/** Whether what an adapter answered is what was expected. */
export function matchesAdapted(result: unknown, expected: Pattern[]): boolean {
  const counts = expected.map(integerCount);
  const integers = resultsOf(
    result,
    counts.reduce((sum, count) => sum + count, 0),
  );
  let at = 0;
  return (
    expected.every((pattern, index) => {
      const from = at;
      at += counts[index] ?? 0;
      return matchesIntegers(integers.slice(from, at), pattern);
    }) && at === integers.length
  );
}

/** Whether a call's result is what was expected. */
export function matchesResult(result: unknown, expected: Pattern[]): boolean {
  const results = resultsOf(result, expected.length);
  return (
    results.length === expected.length &&
    expected.every((pattern, index) => matchesJs(results[index], pattern))
  );
}
