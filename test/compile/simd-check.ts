// The headers' operators, compiled for a target, against this Node's V8.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Target } from '../../loader/compile/toolchain.ts';
import { hostArch } from '../../loader/compile/toolchain.ts';
import { same } from './simd-compare.ts';
import { CASE_BYTES, cases, type Kind, kinds, kindsOf, random } from './simd-inputs.ts';
import { accessesMemory, describe, type Variant, variants } from './simd-operators.ts';
import { type Build, compute, type Run } from './simd-program.ts';
import { type Instructions, itself, RESULT_BYTES, reference, relaxed, strict } from './simd-reference.ts';

export interface Outcome {
  operators: number;
  /** Results compared. */
  results: number;
  /** Operators whose result on the target V8 cannot tell on this processor. */
  unknown: string[];
  /** One line for each operator that differs, with its first difference. */
  differences: string[];
}

const LITERALS = 4;
const pools = Object.fromEntries(kinds.map((kind) => [kind, cases(kind)])) as Record<Kind, Buffer>;
const hasFusedMultiply = hostArch() === 'aarch64' || / fma /.test(readFileSync('/proc/cpuinfo', 'utf8'));

/** What gives in V8 the result that the target is to give. */
function instructionsFor(variant: Variant, { arch, cpu }: Target): Instructions | undefined {
  const { name } = variant.operator;
  if (/relaxed_n?madd/.test(name)) {
    const fused = arch === 'aarch64' || (cpu === 'native' && hasFusedMultiply);
    if (!fused) return strict(name);
    return hasFusedMultiply ? itself(variant) : undefined;
  }
  return arch === hostArch() ? relaxed(variant) : (strict(name) ?? itself(variant));
}

function runsOf(known: readonly Variant[]): Run[] {
  const next = random(3);
  return known.flatMap((variant) =>
    kindsOf(variant.operator.name).map((kind) => {
      const count = pools[kind].length / CASE_BYTES;
      const literals = accessesMemory(variant.operator) ? 0 : LITERALS;
      return { variant, kind, literals: Array.from({ length: literals }, () => next() % count) };
    }),
  );
}

function compare(
  { variant, kind }: Run,
  wanted: Buffer,
  found: Buffer,
  literals?: number[],
): string | undefined {
  const total = found.length / RESULT_BYTES;
  let first: string | undefined;
  let count = 0;
  for (let index = 0; index < total; index++) {
    const number = literals?.[index] ?? index;
    const operands = pools[kind].subarray(number * CASE_BYTES, (number + 1) * CASE_BYTES);
    const want = wanted.subarray(number * RESULT_BYTES, (number + 1) * RESULT_BYTES);
    const have = found.subarray(index * RESULT_BYTES, (index + 1) * RESULT_BYTES);
    if (same(variant.operator, operands, want, have)) continue;
    count++;
    const hex = (bytes: Buffer) => bytes.toString('hex');
    first ??= `of ${variant.operator.params.map((_, at) => hex(operands.subarray(16 * at, 16 * at + 16)))}: found ${hex(have)}; want ${hex(want)}`;
  }
  const what = `${describe(variant)}${literals ? ' of literals' : ''}`;
  return first && `${what}: ${count} of ${total} ${kind} cases differ, the first ${first}`;
}

/** Compiles and runs all operators, and compares every result. @throws Error if that cannot be done */
export function check(build: Build): Outcome {
  const known = variants();
  const questions = known.flatMap((variant) => {
    const instructions = instructionsFor(variant, build.target);
    return instructions === undefined ? [] : [{ variant, instructions }];
  });
  const unknown = known.filter((variant) => !questions.some((question) => question.variant === variant));
  const ask = reference(questions, Math.max(...kinds.map((kind) => pools[kind].length)));
  const runs = runsOf(questions.map(({ variant }) => variant));
  const directory = mkdtempSync(join(tmpdir(), 'insitu-simd-'));
  try {
    const { computed, folded } = compute(build, runs, pools, directory);
    const differences = runs.flatMap((run, index) => {
      const place = questions.findIndex(({ variant }) => variant === run.variant);
      const wanted = ask(place, pools[run.kind]);
      const all = compare(run, wanted, computed[index] ?? Buffer.alloc(0));
      const some = compare(run, wanted, folded[index] ?? Buffer.alloc(0), run.literals);
      return [all, some].filter((line) => line !== undefined);
    });
    const results = [...computed, ...folded].reduce((sum, { length }) => sum + length / RESULT_BYTES, 0);
    const operators = new Set(questions.map(({ variant }) => variant.operator.name)).size;
    return { operators, results, unknown: unknown.map(describe), differences };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
