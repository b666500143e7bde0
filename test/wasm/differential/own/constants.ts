// Constants that lie where things change.
import { ValueType as V, type ValueType } from '../../../../loader/compile/module.ts';
import { type Random, seededBytes } from '../random.ts';
import type { Code } from './code.ts';

const I32 = [
  0, 1, -1, 2, 7, 8, 31, 32, 33, 63, 127, 128, -128, 255, 32767, 65535, 65536, 0x7fffffff, -0x80000000, -2,
];
const I64 = [
  0n,
  1n,
  -1n,
  2n,
  63n,
  64n,
  65n,
  0xffffffffn,
  0x100000000n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  2n ** 53n + 1n,
];
const FLOAT_BITS_32 = [
  0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000, 0x3f000000, 0x3fc00000,
  0x40200000, 0x4b000000, 0x4b800000, 0x4f000000, 0xcf000000, 0x4f800000, 0x5f000000, 0x5f800000, 0x7f7fffff,
  0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7fa00000, 0xff800001, 0x4effffff, 0xcf000001,
];
const DOUBLES = [
  0,
  -0,
  5e-324,
  2.2250738585072014e-308,
  1,
  -1,
  0.5,
  1.5,
  2.5,
  -0.49999999999999994,
  2 ** 52 + 0.5,
  2 ** 53,
  2147483647,
  2147483648,
  -2147483648.9,
  -2147483649,
  4294967295.9,
  4294967296,
  2 ** 63 - 1024,
  2 ** 63,
  -(2 ** 63),
  2 ** 64 - 2048,
  2 ** 64,
  1.7976931348623157e308,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  16777217,
  3.4028235677973366e38,
];
const DOUBLE_NANS = [0x7ff8000000000000n, 0xfff8000000000000n, 0x7ff0000000000001n, 0xfff4000000000000n];
/** Where accesses begin that end at the borders of one, two and three pages, and of what 32 bits address. */
const PAGE_ENDS = [
  0, 1, 65535, 65536, 65534, 65532, 65528, 65520, 131072, 131071, 131064, 131056, 196608, 196600, 0xfffffff0,
  0xffffffff,
];
const OFFSETS = [0, 0, 0, 0, 1, 3, 15, 65535, 65536, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

export function writeConstant(to: Code, type: ValueType, random: Random): void {
  switch (type) {
    case V.i32:
      to.byte(0x41).s(random.once(3) ? random.u32() | 0 : random.pick(I32));
      break;
    case V.i64:
      to.byte(0x42).s(random.once(3) ? BigInt.asIntN(64, random.u64()) : random.pick(I64));
      break;
    case V.f32:
      to.byte(0x43, ...littleEndian32(random.once(3) ? random.u32() : random.pick(FLOAT_BITS_32)));
      break;
    case V.f64:
      if (random.once(4))
        to.byte(0x44, ...littleEndian64(random.once(2) ? random.u64() : random.pick(DOUBLE_NANS)));
      else to.byte(0x44).f64(random.pick(DOUBLES));
      break;
    case V.v128:
      to.byte(0xfd, 12, ...vector(random));
      break;
    default:
      to.zero(type);
  }
}

/** Of lanes that are constants themselves. */
function vector(random: Random): number[] {
  if (random.once(3)) return [...seededBytes(`${random.u32()}`, 16)];
  if (random.once(2))
    return Array.from({ length: 4 }, () => littleEndian32(random.pick(FLOAT_BITS_32))).flat();
  return Array.from({ length: 4 }, () => littleEndian32(random.pick(I32) >>> 0)).flat();
}

const littleEndian32 = (bits: number): number[] => [0, 8, 16, 24].map((shift) => (bits >>> shift) & 0xff);
const littleEndian64 = (bits: bigint): number[] => [
  ...littleEndian32(Number(bits & 0xffffffffn)),
  ...littleEndian32(Number(bits >> 32n)),
];

/** Address of an access or a bulk operation, as a constant. */
export function writeAddress(to: Code, is64: boolean, random: Random): void {
  const address = random.pick(PAGE_ENDS);
  if (!is64) to.byte(0x41).s(address | 0);
  else to.byte(0x42).s(random.once(6) ? BigInt.asIntN(64, random.u64()) : BigInt(address));
}

/** Offset of an access: with it, addresses of 33 bits, and of 65, are reached. */
export function offset(is64: boolean, random: Random): number | bigint {
  return is64 && random.once(8) ? 2n ** 64n - 1n - BigInt(random.below(20)) : random.pick(OFFSETS);
}
