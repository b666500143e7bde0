// The headers' operators, compiled for a target, against this Node's V8.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostArch, type Target } from '../../loader/compile/toolchain.ts';
import { same } from './simd-compare.ts';
import { describe, type Variant, variants } from './simd-operators.ts';
import { type Build, compute } from './simd-program.ts';
import { type Instructions, itself, RESULT_BYTES, reference, relaxed, strict } from './simd-reference.ts';
import { oneCase, type Run, runsOf } from './simd-runs.ts';

export interface Outcome {
  operators: number;
  /** Results compared. */
  results: number;
  /** Operators whose result on the target V8 cannot tell on this processor. */
  unknown: string[];
  /** One line for each run that differs, with its first difference. */
  differences: string[];
}

const hasFusedMultiply = hostArch() === 'aarch64' || / fma /.test(readFileSync('/proc/cpuinfo', 'utf8'));

/** What gives in V8 the result that the target is to give. */
function instructionsFor(variant: Variant, { arch, cpu }: Target): Instructions | undefined {
  const { name } = variant.operator;
  if (/relaxed_n?madd/.test(name)) {
    const fused = arch === 'aarch64' || (cpu === 'native' && hasFusedMultiply);
    if (!fused) return strict(name);
    return hasFusedMultiply ? itself(variant) : undefined;
  }
  if (arch === 'aarch64') return strict(name) ?? itself(variant);
  return relaxed(variant);
}

function compare({ variant, kind, cases, literal }: Run, wanted: Buffer, found: Buffer): string | undefined {
  const total = found.length / RESULT_BYTES;
  const result = (results: Buffer, index: number) =>
    results.subarray(index * RESULT_BYTES, (index + 1) * RESULT_BYTES);
  const different = Array.from({ length: total }, (_, index) => index).filter(
    (index) => !same(variant.operator, oneCase(cases, index), result(wanted, index), result(found, index)),
  );
  const [first] = different;
  if (first === undefined) return undefined;
  const hex = (bytes: Buffer) => bytes.toString('hex');
  const operands = variant.operator.params.map((_, operand) => {
    const bytes = oneCase(cases, first).subarray(16 * operand, 16 * operand + 16);
    return hex(bytes) + (literal[operand] ? ' (literal)' : '');
  });
  return `${describe(variant)}: ${different.length} of ${total} ${kind} cases differ, the first of ${operands.join(', ')}: \
found ${hex(result(found, first))}; want ${hex(result(wanted, first))}`;
}

/** Compiles and runs all operators, and compares every result. @throws Error if that cannot be done */
export function compareOperators(build: Build): Outcome {
  const all = variants();
  const questions = all.flatMap((variant) => {
    const instructions = instructionsFor(variant, build.target);
    return instructions === undefined ? [] : [{ variant, instructions, runs: runsOf(variant) }];
  });
  const runs = questions.flatMap((question) => question.runs);
  const directory = mkdtempSync(join(tmpdir(), 'insitu-simd-'));
  try {
    const found = compute(build, runs, directory);
    const ask = reference(questions, Math.max(...runs.map(({ cases }) => cases.length)));
    const wanted = questions.flatMap((question, index) =>
      question.runs.map(({ cases }) => ask(index, cases)),
    );
    const empty = Buffer.alloc(0);
    return {
      operators: new Set(questions.map(({ variant }) => variant.operator.name)).size,
      results: found.reduce((sum, { length }) => sum + length / RESULT_BYTES, 0),
      unknown: all
        .filter((variant) => questions.every((question) => question.variant !== variant))
        .map(describe),
      differences: runs.flatMap(
        (run, index) => compare(run, wanted[index] ?? empty, found[index] ?? empty) ?? [],
      ),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
