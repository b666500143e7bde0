// What is compared: every operator of the tables that native/wasm/simd.h and float.h give, with its immediates.
import { type Operator, plain, saturating } from '../../loader/compile/opcodes.ts';
import { simd } from '../../loader/compile/opcodes-simd.ts';
import { random } from './simd-inputs.ts';

/** An operator with its immediate lanes or bytes chosen. */
export interface Variant {
  operator: Operator;
  opcode: number[];
  immediate: number[];
}

/** Unsigned LEB128 (core specification 5.2.2). */
export function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

const known = new Map<string, Variant>();
const floats = /^f(32|64)\.(abs|neg|ceil|floor|trunc|nearest|sqrt|min|max|copysign)$/;
simd.forEach((operator, code) => {
  if (operator) known.set(operator.name, { operator, opcode: [0xfd, ...leb(code)], immediate: [] });
});
saturating.forEach((operator, code) => {
  if (operator) known.set(operator.name, { operator, opcode: [0xfc, code], immediate: [] });
});
plain.forEach((operator, code) => {
  if (operator && floats.test(operator.name))
    known.set(operator.name, { operator, opcode: [code], immediate: [] });
});

/** @throws Error if the tables have no such operator */
export function named(name: string): Variant {
  const found = known.get(name);
  if (found === undefined) throw new Error(`no operator is called ${name}`);
  return found;
}

function immediates({ immediates: kind, lanes }: Operator): number[][] {
  const next = random(7);
  const draw = (rows: number, below: number) =>
    Array.from({ length: rows }, () => Array.from({ length: 16 }, () => next() % below));
  if (kind === 'shuffle') return [Array.from({ length: 16 }, (_, lane) => 31 - lane), ...draw(12, lanes)];
  if (kind === 'v128') return draw(4, 256);
  return lanes > 0 ? Array.from({ length: lanes }, (_, lane) => [lane]) : [[]];
}

/** All of them: lanes one by one, shuffles and constants a few drawn from a seed. */
export function variants(): Variant[] {
  return [...known.values()].flatMap((variant) =>
    immediates(variant.operator).map((immediate) => ({ ...variant, immediate })),
  );
}

export function accessesMemory({ immediates: kind }: Operator): boolean {
  return kind === 'memarg' || kind === 'memarg-lane';
}

export function describe({ operator, immediate }: Variant): string {
  return [operator.name, ...immediate].join(' ');
}
