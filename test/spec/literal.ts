// Number literals of the text format (core specification 6.3.1 and 6.3.2) as bits, exactly rounded.

const formats = {
  f32: { precision: 24, minExponent: -126, width: 32, infinity: 0x7f800000n, canonical: 0x7fc00000n },
  f64: {
    precision: 53,
    minExponent: -1022,
    width: 64,
    infinity: 0x7ff0000000000000n,
    canonical: 0x7ff8000000000000n,
  },
} as const;
export type FloatType = keyof typeof formats;

/** The bits of an integer literal of `width` bits, as an unsigned number; both signed and unsigned ones are taken. */
export function integerBits(text: string, width: number): bigint {
  const digits = text.replaceAll('_', '');
  const match = /^([+-]?)(0x[0-9a-fA-F]+|[0-9]+)$/.exec(digits);
  if (!match?.[2]) throw new Error(`found ${text}, wanted an integer`);
  const magnitude = BigInt(match[2]);
  return BigInt.asUintN(width, match[1] === '-' ? -magnitude : magnitude);
}

/** The bits of a float literal, ties rounded to even. */
export function floatBits(text: string, type: FloatType): bigint {
  const { width, infinity, canonical } = formats[type];
  const [, sign, rest = ''] = /^([+-]?)(.*)$/.exec(text.replaceAll('_', '')) ?? [];
  const signBit = sign === '-' ? 1n << BigInt(width - 1) : 0n;
  if (rest === 'inf') return signBit | infinity;
  if (rest === 'nan') return signBit | canonical;
  if (rest.startsWith('nan:0x')) return signBit | infinity | BigInt(rest.slice(4));
  return signBit | round(rational(rest), type);
}

interface Rational {
  numerator: bigint;
  denominator: bigint;
}

function rational(text: string): Rational {
  const hexadecimal = /^0x([0-9a-fA-F]+)\.?([0-9a-fA-F]*)(?:[pP]([+-]?[0-9]+))?$/.exec(text);
  const match = hexadecimal ?? /^([0-9]+)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  if (!match) throw new Error(`found ${text}, wanted a float`);
  const [, whole = '', fraction = '', exponentText = '0'] = match;
  const digits = BigInt((hexadecimal ? '0x' : '') + whole + fraction);
  const base = hexadecimal ? 2n : 10n;
  const exponent = Number(exponentText) - fraction.length * (hexadecimal ? 4 : 1);
  const scale = base ** BigInt(Math.abs(exponent));
  return exponent < 0
    ? { numerator: digits, denominator: scale }
    : { numerator: digits * scale, denominator: 1n };
}

const bitLength = (n: bigint): number => n.toString(2).length;

function round({ numerator, denominator }: Rational, type: FloatType): bigint {
  const { precision, minExponent, infinity } = formats[type];
  if (numerator === 0n) return 0n;
  let exponent = bitLength(numerator) - bitLength(denominator);
  if (compareToPower(numerator, denominator, exponent) < 0) exponent--;
  const lowest = minExponent - (precision - 1);
  const unit = Math.max(exponent - (precision - 1), lowest);
  const scaledNumerator = unit < 0 ? numerator << BigInt(-unit) : numerator;
  const scaledDenominator = unit < 0 ? denominator : denominator << BigInt(unit);
  let mantissa = scaledNumerator / scaledDenominator;
  const twiceRest = 2n * (scaledNumerator % scaledDenominator);
  if (twiceRest > scaledDenominator || (twiceRest === scaledDenominator && mantissa % 2n === 1n)) mantissa++;
  // The hidden bit of a normal number adds the one that its biased exponent lacks, and so does a carry.
  const bits = (BigInt(unit - lowest) << BigInt(precision - 1)) + mantissa;
  return bits > infinity ? infinity : bits;
}

function compareToPower(numerator: bigint, denominator: bigint, exponent: number): number {
  const left = exponent < 0 ? numerator << BigInt(-exponent) : numerator;
  const right = exponent < 0 ? denominator : denominator << BigInt(exponent);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The number that the bits stand for; a NaN's payload is lost. */
export function floatOfBits(bits: bigint, type: FloatType): number {
  const view = new DataView(new ArrayBuffer(8));
  if (type === 'f32') {
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  }
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

export function isNaNBits(bits: bigint, type: FloatType): boolean {
  const { infinity, width } = formats[type];
  return BigInt.asUintN(width - 1, bits) > infinity;
}

export type NaNPattern = 'canonical' | 'arithmetic';

/** Core specification 4.3.3: a canonical NaN has only the payload's highest bit set, an arithmetic one has at least it. */
export function matchesNaN(bits: bigint, type: FloatType, pattern: NaNPattern): boolean {
  const { canonical, width } = formats[type];
  const magnitude = BigInt.asUintN(width - 1, bits);
  return pattern === 'canonical' ? magnitude === canonical : (magnitude & canonical) === canonical;
}
