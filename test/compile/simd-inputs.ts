// Operands: of each kind of lane all pairs of its special values, in every lane, and random ones.
export type Kind = 'i8' | 'i16' | 'i32' | 'i64' | 'f32' | 'f64';

/** A case is three operands of 16 bytes; one byte more between them makes every access unaligned. */
export const CASE_BYTES = 49;

/** xorshift32: integers of 32 bits, the same for the same seed. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function integers(bits: number): bigint[] {
  const near = [0n, 1n << BigInt(bits - 1), 1n << BigInt(bits / 2), 1n << BigInt(bits / 2 - 1)];
  const around = near.flatMap((value) => [value - 1n, value, value + 1n]);
  const counts = [2n, 7n, 8n, 15n, 16n, 31n, 32n, 63n, 64n, 0x70n, -2n, -128n, -32768n, 0x5555555555555555n];
  return [...new Set([...around, ...counts].map((value) => BigInt.asUintN(bits, value)))];
}

/** Ties, limits of the integer types and of the float types, and what lies beside them. */
const shared = [0, 0.5, 1, 1.5, 2.5, Math.PI, 2 ** 31, 2 ** 32, 2 ** 63, 2 ** 64, Number.POSITIVE_INFINITY];
const singles = [
  2 ** -149,
  2 ** -126,
  2 ** -126 - 2 ** -149,
  0.5 - 2 ** -25,
  2 ** 22 + 0.5,
  2 ** 23 - 0.5,
  2 ** 23 + 1,
  2 ** 24 - 1,
  2 ** 31 - 128,
  2 ** 31 + 256,
  2 ** 32 - 256,
  2 ** 63 - 2 ** 39,
  2 ** 64 - 2 ** 40,
  2 ** 128 - 2 ** 104,
];
const doubles = [
  5e-324,
  2 ** -1022,
  2 ** -1022 - 5e-324,
  2 ** -150,
  2 ** -150 + 2 ** -190,
  1 + 2 ** -24,
  1 + 2 ** -23 + 2 ** -24,
  0.5 - 2 ** -54,
  2 ** 31 - 1,
  2 ** 31 - 0.5,
  2 ** 31 + 0.5,
  2 ** 31 + 1,
  2 ** 32 - 1,
  2 ** 32 - 0.5,
  2 ** 51 + 0.5,
  2 ** 52 - 0.5,
  2 ** 53 - 1,
  2 ** 63 - 2 ** 10,
  2 ** 64 - 2 ** 11,
  2 ** 128 - 2 ** 103,
  2 ** 128 - 2 ** 104,
  Number.MAX_VALUE,
];
/** Canonical, quiet with a payload, signalling. */
const singleNaNs = [0x7fc00000n, 0x7fe00001n, 0x7fa00000n, 0x7f800001n];
const doubleNaNs = [0x7ff8000000000000n, 0x7ffc000000000001n, 0x7ff4000000000000n, 0x7ff0000000000001n];

function floats(bits: 32 | 64): bigint[] {
  const view = new DataView(new ArrayBuffer(8));
  const single = (value: number) => {
    view.setFloat32(0, value);
    return BigInt(view.getUint32(0));
  };
  const double = (value: number) => {
    view.setFloat64(0, value);
    return view.getBigUint64(0);
  };
  const positive =
    bits === 32
      ? [...[...shared, ...singles].map(single), ...singleNaNs]
      : [...[...shared, ...doubles].map(double), ...doubleNaNs];
  const sign = 1n << BigInt(bits - 1);
  return positive.flatMap((value) => [value, value | sign]);
}

const specials: Record<Kind, bigint[]> = {
  i8: integers(8),
  i16: integers(16),
  i32: integers(32),
  i64: integers(64),
  f32: floats(32),
  f64: floats(64),
};
export const kinds = Object.keys(specials) as Kind[];
const RANDOM_CASES = 300;

/** The cases of a kind, one behind the other. */
export function cases(kind: Kind): Buffer {
  const values = specials[kind];
  const bytes = Number(kind.slice(1)) / 8;
  const pairs = values.length ** 2;
  const pool = Buffer.alloc((pairs + RANDOM_CASES) * CASE_BYTES);
  const next = random(20 + bytes);
  const special = (index: number) => values[index % values.length] ?? 0n;
  const any = () => (BigInt(next()) << 32n) | BigInt(next());
  for (let at = 0; at * CASE_BYTES < pool.length; at++)
    for (let lane = 0; lane < 16 / bytes; lane++) {
      const pair = (at + lane * 5) % pairs;
      const drawn = () => (next() % 2 ? special(next()) : any());
      const operands =
        at < pairs
          ? [special(Math.floor(pair / values.length)), special(pair), special(next())]
          : [drawn(), drawn(), drawn()];
      operands.forEach((value, operand) => {
        const place = at * CASE_BYTES + operand * 16 + lane * bytes;
        const low = BigInt.asUintN(8 * bytes, value);
        for (let byte = 0; byte < bytes; byte++)
          pool[place + byte] = Number((low >> BigInt(8 * byte)) & 255n);
      });
    }
  return pool;
}

/** What compilers have rules for as an operand: zeros, ones (of integers all bits), NaNs; in all lanes. */
const singleRules = [0n, 1n << 31n, 0x3f800000n, 0xbf800000n, 0x7fc00000n, 0x7fa00000n];
const doubleRules = [0n, 1n << 63n, 0x3ffn << 52n, 0xbffn << 52n, 0x7ff8n << 48n, 0x7ff4n << 48n];
export function constants(kind: Kind): Buffer[] {
  const bits = Number(kind.slice(1));
  const values = kind === 'f32' ? singleRules : kind === 'f64' ? doubleRules : [0n, -1n];
  return values.map((value) => {
    const lane = Buffer.alloc(8);
    lane.writeBigUInt64LE(BigInt.asUintN(bits, value));
    return Buffer.alloc(16, lane.subarray(0, bits / 8));
  });
}

/** The kinds of lanes that an operator's name speaks of. */
export function kindsOf(name: string): Kind[] {
  const found = [...name.matchAll(/([if](?:8|16|32|64))(?:x\d+)?(?![0-9])/g)].map(
    (match) => match[1] as Kind,
  );
  return found.length > 0 ? [...new Set(found)] : ['i8'];
}
