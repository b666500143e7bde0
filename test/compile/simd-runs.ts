// Which cases each operator gets, and which operands are literals: what a compiler folds or simplifies must be what the
// processor computes.
import { CASE_BYTES, cases, constants, type Kind, kinds, kindsOf, random } from './simd-inputs.ts';
import { accessesMemory, type Variant } from './simd-operators.ts';

export interface Run {
  variant: Variant;
  kind: Kind;
  /** Operands, CASE_BYTES for each case. */
  cases: Buffer;
  /** Of each operand. One of several that is a literal is the same in all cases. */
  literal: boolean[];
}

export function oneCase(pool: Buffer, index: number): Buffer {
  return pool.subarray(index * CASE_BYTES, (index + 1) * CASE_BYTES);
}

const pools = new Map(kinds.map((kind) => [kind, cases(kind)]));
function poolOf(kind: Kind): Buffer {
  return pools.get(kind) ?? Buffer.alloc(0);
}

/** About so many cases, from all over the pool. */
const SOME = 100;
function some(kind: Kind): Buffer {
  const pool = poolOf(kind);
  const count = pool.length / CASE_BYTES;
  const step = Math.floor(count / SOME) | 1;
  return Buffer.concat(Array.from({ length: SOME }, (_, index) => oneCase(pool, (index * step) % count)));
}
const thinned = new Map(kinds.map((kind) => [kind, some(kind)]));

function withOperand(kind: Kind, operand: number, value: Buffer): Buffer {
  const pool = Buffer.from(thinned.get(kind) ?? []);
  for (let at = operand * 16; at < pool.length; at += CASE_BYTES) value.copy(pool, at);
  return pool;
}

/** More where compilers know special rules. */
function literalCases({ operator }: Variant, kind: Kind): Buffer {
  const pool = poolOf(kind);
  const next = random(3);
  const rows = kind.startsWith('f') && operator.immediates === 'none' ? 12 : 3;
  return Buffer.concat(
    Array.from({ length: rows }, () => oneCase(pool, next() % (pool.length / CASE_BYTES))),
  );
}

function runsOfKind(variant: Variant, kind: Kind, isFirst: boolean): Run[] {
  const { operator } = variant;
  const none = operator.params.map(() => false);
  const computed = { variant, kind, cases: poolOf(kind), literal: none };
  if (accessesMemory(operator)) return [computed];
  const all = operator.params.map(() => true);
  const folded = { variant, kind, cases: literalCases(variant, kind), literal: all };
  if (operator.immediates !== 'none' || operator.params.length < 2 || !isFirst) return [computed, folded];
  const simplified = operator.params.flatMap((_, operand) =>
    constants(kind).map((value) => ({
      variant,
      kind,
      cases: withOperand(kind, operand, value),
      literal: none.map((_, index) => index === operand),
    })),
  );
  return [computed, folded, ...simplified];
}

/** For every kind of lane that the operator's name speaks of. */
export function runsOf(variant: Variant): Run[] {
  return kindsOf(variant.operator.name).flatMap((kind, index) => runsOfKind(variant, kind, index === 0));
}
