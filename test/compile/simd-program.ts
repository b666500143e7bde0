// The same operators in C, over the headers, compiled as images are: a program that reads all cases and writes all results.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ValueType } from '../../loader/compile/module.ts';
import { type Compiler, compileFlags, type Target } from '../../loader/compile/toolchain.ts';
import { CASE_BYTES } from './simd-inputs.ts';
import { accessesMemory, type Variant } from './simd-operators.ts';
import { RESULT_BYTES } from './simd-reference.ts';
import { oneCase, type Run } from './simd-runs.ts';

const memoryTypes: Partial<Record<ValueType, string>> = {
  [ValueType.i32]: 'v128_memory32',
  [ValueType.i64]: 'v128_memory64',
  [ValueType.f32]: 'single',
  [ValueType.f64]: 'real',
  [ValueType.v128]: 'v128_unaligned',
};

const prelude = `
#include "float.h"
#include "simd.h"
typedef float single __attribute__((aligned(1), may_alias));
typedef double real __attribute__((aligned(1), may_alias));
#define AT(type, place) (*(type *)(place))
static inline float f32_of(uint32_t bits) { float value; __builtin_memcpy(&value, &bits, 4); return value; }
static inline double f64_of(uint64_t bits) { double value; __builtin_memcpy(&value, &bits, 8); return value; }
`;

function at(type: ValueType, place: string): string {
  return `AT(${memoryTypes[type]}, ${place})`;
}

function literal(type: ValueType, bytes: Buffer): string {
  if (type === ValueType.v128) return `v128_const(${bytes.subarray(0, 16).join(', ')})`;
  const wide = type === ValueType.i64 || type === ValueType.f64;
  const bits = wide ? `UINT64_C(${bytes.readBigUInt64LE()})` : `UINT32_C(${bytes.readUInt32LE()})`;
  return type === ValueType.f32 ? `f32_of(${bits})` : type === ValueType.f64 ? `f64_of(${bits})` : bits;
}

function store({ operator, immediate }: Variant, operands: string[], place: string): string {
  const replaces = operator.name.endsWith('.replace_lane'); // (vector, lane, value)
  const [first = '', ...rest] = operands;
  const args = replaces ? [first, ...immediate, ...rest] : [...operands, ...immediate];
  const value = `${operator.name.replace('.', '_')}(${args.join(', ')})`;
  const [result] = operator.results;
  return result === undefined ? `${value};` : `${at(result, place)} = ${value};`;
}

/** Operands as C; those that are literals as in that case. */
function operandsOf({ variant: { operator }, literal: isLiteral }: Run, values: Buffer): string[] {
  return operator.params.map((type, operand) => {
    if (operand === 0 && accessesMemory(operator)) return operator.results.length > 0 ? 'cases' : 'results';
    return isLiteral[operand]
      ? literal(type, values.subarray(16 * operand))
      : at(type, `cases + ${16 * operand}`);
  });
}

function functionOf(run: Run, index: number): string {
  const rows = run.literal.every(Boolean)
    ? Array.from({ length: run.cases.length / CASE_BYTES }, (_, row) => {
        const operands = operandsOf(run, oneCase(run.cases, row));
        return `  ${store(run.variant, operands, `results + ${row * RESULT_BYTES}`)}\n`;
      })
    : [
        `  for (; count > 0; count--, cases += ${CASE_BYTES}, results += ${RESULT_BYTES})\n`,
        `    ${store(run.variant, operandsOf(run, run.cases), 'results')}\n`,
      ];
  return `void run${index}(unsigned char *cases, unsigned char *results, long count) {\n${rows.join('')}}\n`;
}

function mainSource(runs: readonly Run[], pools: readonly Buffer[]): string {
  const rows = runs.map(({ cases }, index) => `  {run${index}, ${pools.indexOf(cases)}},\n`);
  return `
#include <stdio.h>
#include <stdlib.h>
typedef void run(unsigned char *cases, unsigned char *results, long count);
${runs.map((_, index) => `extern run run${index};\n`).join('')}
static const struct { run *run; int pool; } runs[] = {
${rows.join('')}};
static const long sizes[] = {${pools.map(({ length }) => length)}};
static unsigned char *pools[sizeof sizes / sizeof *sizes];
int main(void) {
  for (unsigned pool = 0; pool < sizeof sizes / sizeof *sizes; pool++) {
    pools[pool] = malloc(sizes[pool]);
    if (fread(pools[pool], 1, sizes[pool], stdin) != (size_t)sizes[pool]) return 1;
  }
  for (unsigned index = 0; index < sizeof runs / sizeof *runs; index++) {
    long count = sizes[runs[index].pool] / ${CASE_BYTES};
    unsigned char *results = calloc(count, ${RESULT_BYTES});
    runs[index].run(pools[runs[index].pool], results, count);
    if (fwrite(results, ${RESULT_BYTES}, count, stdout) != (size_t)count) return 2;
    free(results);
  }
  return fflush(stdout) != 0;
}
`;
}

export interface Build {
  compiler: Compiler;
  target: Target;
  /** Flags of the compiler after those that images are compiled with. */
  flags: string[];
  /** What the program is started with. */
  emulator: string[];
}

/**
 * Compiles into an existing directory and runs in a process of its own: RESULT_BYTES for each case of each run.
 * @throws Error if the operators do not link with nothing else, or the program fails
 */
export function compute(build: Build, runs: readonly Run[], directory: string): Buffer[] {
  const file = (name: string) => join(directory, name);
  const [cc, ...first] = build.compiler.command;
  const pools = [...new Set(runs.map(({ cases }) => cases))];
  writeFileSync(file('operators.c'), prelude + runs.map(functionOf).join(''));
  writeFileSync(file('main.c'), mainSource(runs, pools));
  const compile = (...args: string[]) => execFileSync(cc, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const flags = [...compileFlags(build.compiler, build.target), ...build.flags, '-fvisibility=default'];
  compile(...flags, '-c', '-o', file('operators.o'), file('operators.c'));
  compile(...first, '-shared', '-nostdlib', '-Wl,-z,defs', '-o', file('alone.so'), file('operators.o'));
  compile(...first, '-o', file('program'), file('main.c'), file('operators.o'));
  const [command = '', ...args] = [...build.emulator, file('program')];
  const input = Buffer.concat(pools);
  const { status, signal, stdout, stderr } = spawnSync(command, args, { input, maxBuffer: 1 << 30 });
  if (status !== 0) throw new Error(`the program of operators ended with ${signal ?? status}: ${stderr}`);
  return split(stdout, runs);
}

function split(output: Buffer, runs: readonly Run[]): Buffer[] {
  let end = 0;
  const results = runs.map(({ cases }) => {
    const start = end;
    end += (cases.length / CASE_BYTES) * RESULT_BYTES;
    return output.subarray(start, end);
  });
  if (end !== output.length) throw new Error(`the program wrote ${output.length} bytes; want ${end}`);
  return results;
}
