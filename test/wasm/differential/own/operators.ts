// Operators by what they result in, ready to be written; and which of them may answer a NaN of any bits.
import { ValueType as V, type ValueType } from '../../../../loader/compile/module.ts';
import { atomic, type Operator, plain, saturating } from '../../../../loader/compile/opcodes.ts';
import { simd } from '../../../../loader/compile/opcodes-simd.ts';

export interface Instruction extends Operator {
  /** Its opcode: a prefix and a number, or one byte. */
  prefix: number | undefined;
  opcode: number;
  /** Its NaN may have any bits (core specification 4.3.3); of v128 by the shape of its lanes. */
  anyNaN: boolean;
}

const RELAXED = 0x100;
const ARITHMETIC =
  /^(f32|f64|f32x4|f64x2)\.(add|sub|mul|div|min|max|sqrt|ceil|floor|trunc|nearest|promote|demote)/;
/** They would wait for other threads. */
const WAITS = /\.wait/;

function instructions(table: readonly (Operator | undefined)[], prefix?: number): Instruction[] {
  return table.flatMap((operator, opcode) =>
    operator === undefined || WAITS.test(operator.name)
      ? []
      : [{ ...operator, prefix, opcode, anyNaN: ARITHMETIC.test(operator.name) }],
  );
}

/** `name` tells of its feature: simd, threads, or none. */
export function allInstructions(features: { simd: boolean; threads: boolean }): Instruction[] {
  return [
    ...instructions(plain),
    ...instructions(saturating, 0xfc),
    ...(features.simd ? instructions(simd.slice(0, RELAXED), 0xfd) : []),
    ...(features.threads ? instructions(atomic, 0xfe) : []),
  ];
}

/** By their one result; those without one under undefined. */
export function byResult(list: readonly Instruction[]): Map<ValueType | undefined, Instruction[]> {
  const groups = new Map<ValueType | undefined, Instruction[]>();
  for (const instruction of list) {
    const [result] = instruction.results;
    const group = groups.get(result);
    if (group) group.push(instruction);
    else groups.set(result, [instruction]);
  }
  return groups;
}

/** The bits that stand for every NaN: the positive canonical one. */
export const CANONICAL = {
  [V.f32]: [0x43, 0, 0, 0xc0, 0x7f],
  [V.f64]: [0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
};
