// Numbers that are the same for the same seed, everywhere.
import { createHash } from 'node:crypto';

/** Bytes for a seed: what a fuzzer takes for its input. */
export function seededBytes(seed: string, length: number): Buffer {
  return createHash('shake256', { outputLength: length }).update(seed).digest();
}

/** sfc32: small and fast, good enough to choose by. */
export class Random {
  readonly #state: Uint32Array;

  constructor(seed: string) {
    const bytes = seededBytes(seed, 16);
    this.#state = Uint32Array.from([0, 4, 8, 12], (at) => bytes.readUInt32LE(at));
  }

  /** 32 random bits, unsigned. */
  u32(): number {
    const s = this.#state;
    const [a, b, c, d] = s as unknown as [number, number, number, number];
    const value = (a + b + d) >>> 0;
    s[3] = d + 1;
    s[0] = b ^ (b >>> 9);
    s[1] = c + (c << 3);
    s[2] = ((c << 21) | (c >>> 11)) + value;
    return value;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** One of 0 … limit-1. */
  below(limit: number): number {
    return this.u32() % limit;
  }

  /** True once in `times`, on average. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}
