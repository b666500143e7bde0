// Are two results of an operator the same, up to what the specification leaves open of a NaN (4.3.3, "NaN propagation")?
import { ValueType } from '../../loader/compile/module.ts';
import type { Operator } from '../../loader/compile/opcodes.ts';

const arithmetic =
  /^f(32|64)(x\d)?\.((relaxed_)?(add|sub|mul|div|min|max|madd|nmadd)|ceil|floor|trunc|nearest|sqrt|demote_.*|promote_.*)$/;

interface Format {
  bytes: number;
  /** Of the exponent and of the first bit of the significand. */
  exponent: bigint;
  quiet: bigint;
}
const single: Format = { bytes: 4, exponent: 0x7f800000n, quiet: 0x400000n };
const double: Format = { bytes: 8, exponent: 0x7ff0000000000000n, quiet: 0x8000000000000n };

function lane(bytes: Buffer, { bytes: size }: Format, index: number): bigint {
  return size === 4 ? BigInt(bytes.readUInt32LE(4 * index)) : bytes.readBigUInt64LE(8 * index);
}

function isNaNBits(bits: bigint, { exponent, quiet }: Format): boolean {
  const magnitude = bits & (exponent | (2n * quiet - 1n));
  return magnitude > exponent;
}

/** Of either sign. */
function isCanonical(bits: bigint, { exponent, quiet }: Format): boolean {
  return (bits & (exponent | (2n * quiet - 1n))) === (exponent | quiet);
}

/** A NaN is quiet, and canonical if all the operands' NaNs are. */
function isAllowed(bits: bigint, result: Format, operands: bigint[], from: Format): boolean {
  if (!isNaNBits(bits, result) || (bits & result.quiet) === 0n) return false;
  const nans = operands.filter((operand) => isNaNBits(operand, from));
  return isCanonical(bits, result) || nans.some((nan) => !isCanonical(nan, from));
}

/**
 * `operands` are a case's; both results are of the operator's type, with no byte set after it.
 */
export function same(
  { name, params, results }: Operator,
  operands: Buffer,
  wanted: Buffer,
  found: Buffer,
): boolean {
  if (wanted.equals(found)) return true;
  const width = arithmetic.exec(name)?.[1];
  if (width === undefined) return false;
  const result = width === '32' ? single : double;
  const from = /demote/.test(name) ? double : /promote/.test(name) ? single : result;
  const lanes = results[0] === ValueType.v128 ? 16 / result.bytes : 1;
  for (let index = 0; index < lanes; index++) {
    const [want, bits] = [lane(wanted, result, index), lane(found, result, index)];
    if (want === bits) continue;
    if (index * from.bytes >= 16 || !isNaNBits(want, result)) return false;
    const inputs = params.map((_, operand) => lane(operands.subarray(16 * operand), from, index));
    if (!isAllowed(bits, result, inputs, from)) return false;
  }
  return wanted.subarray(lanes * result.bytes).equals(found.subarray(lanes * result.bytes));
}
