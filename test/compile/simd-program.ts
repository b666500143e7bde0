// The same operators in C, over the headers, compiled as images are: a program that reads all pools and writes all results.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ValueType } from '../../loader/compile/module.ts';
import { type Compiler, compileFlags, type Target } from '../../loader/compile/toolchain.ts';
import { CASE_BYTES, type Kind, kinds } from './simd-inputs.ts';
import { accessesMemory, type Variant } from './simd-operators.ts';
import { RESULT_BYTES } from './simd-reference.ts';

/** An operator, the kind of the cases it gets, and the cases that the C program also has as literals. */
export interface Run {
  variant: Variant;
  kind: Kind;
  literals: number[];
}

export interface Results {
  /** RESULT_BYTES for each case of each run. */
  computed: Buffer[];
  /** The same for the literals of each run. */
  folded: Buffer[];
}

const vector = 'v128_unaligned';
const memoryTypes: Partial<Record<ValueType, string>> = {
  [ValueType.i32]: 'v128_memory32',
  [ValueType.i64]: 'v128_memory64',
  [ValueType.f32]: 'single',
  [ValueType.f64]: 'real',
  [ValueType.v128]: vector,
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

function store({ operator, immediate }: Variant, operands: string[], place: string): string {
  const replaces = operator.name.endsWith('.replace_lane'); // (vector, lane, value)
  const [first = '', ...rest] = operands;
  const args = replaces ? [first, ...immediate, ...rest] : [...operands, ...immediate];
  const value = `${operator.name.replace('.', '_')}(${args.join(', ')})`;
  const [result] = operator.results;
  return result === undefined ? `${value};` : `${at(result, place)} = ${value};`;
}

/** One result for each of the cases. */
function overCases(run: Run, index: number): string {
  const { operator } = run.variant;
  const operands = operator.params.map((type, operand) => {
    if (operand === 0 && accessesMemory(operator)) return operator.results.length > 0 ? 'cases' : 'results';
    return at(type, `cases + ${16 * operand}`);
  });
  return `void computed${index}(unsigned char *cases, unsigned char *results, long count) {
  for (; count > 0; count--, cases += ${CASE_BYTES}, results += ${RESULT_BYTES})
    ${store(run.variant, operands, 'results')}
}
`;
}

function literal(type: ValueType, bytes: Buffer): string {
  if (type === ValueType.v128) return `v128_const(${bytes.subarray(0, 16).join(', ')})`;
  const wide = type === ValueType.i64 || type === ValueType.f64;
  const bits = wide ? `UINT64_C(${bytes.readBigUInt64LE()})` : `UINT32_C(${bytes.readUInt32LE()})`;
  return type === ValueType.f32 ? `f32_of(${bits})` : type === ValueType.f64 ? `f64_of(${bits})` : bits;
}

/** One result for each of the literals: what the compiler folds must be what the processor computes. */
function overLiterals({ variant, kind, literals }: Run, index: number, pools: Record<Kind, Buffer>): string {
  const stores = literals.map((number, row) => {
    const operands = variant.operator.params.map((type, operand) =>
      literal(type, pools[kind].subarray(number * CASE_BYTES + operand * 16)),
    );
    return `  ${store(variant, operands, `results + ${row * RESULT_BYTES}`)}\n`;
  });
  return `void folded${index}(unsigned char *results) {\n${stores.join('')}}\n`;
}

function mainSource(runs: readonly Run[], pools: Record<Kind, Buffer>): string {
  const rows = runs.map(
    ({ kind, literals }, index) =>
      `{computed${index}, folded${index}, ${kinds.indexOf(kind)}, ${literals.length}},`,
  );
  const declared = runs.map(
    (_, index) => `extern computed computed${index}; extern folded folded${index};\n`,
  );
  const sizes = kinds.map((kind) => pools[kind].length);
  return `
#include <stdio.h>
#include <stdlib.h>
typedef void computed(unsigned char *, unsigned char *, long);
typedef void folded(unsigned char *);
${declared.join('')}
static const struct { computed *all; folded *some; int kind; long literals; } runs[] = {
${rows.join('\n')}
};
static const long sizes[] = {${sizes}};
int main(void) {
  unsigned char *pools[${kinds.length}];
  for (int kind = 0; kind < ${kinds.length}; kind++) {
    pools[kind] = malloc(sizes[kind]);
    if (fread(pools[kind], 1, sizes[kind], stdin) != (size_t)sizes[kind]) return 1;
  }
  for (unsigned run = 0; run < sizeof runs / sizeof *runs; run++) {
    long count = sizes[runs[run].kind] / ${CASE_BYTES}, literals = runs[run].literals;
    unsigned char *results = calloc(count + literals, ${RESULT_BYTES});
    runs[run].all(pools[runs[run].kind], results, count);
    runs[run].some(results + count * ${RESULT_BYTES});
    if (fwrite(results, ${RESULT_BYTES}, count + literals, stdout) != (size_t)(count + literals)) return 2;
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
 * Compiles into an existing directory and runs in a process of its own.
 * @throws Error if the operators do not link with nothing else, or the program fails
 */
export function compute(
  build: Build,
  runs: readonly Run[],
  pools: Record<Kind, Buffer>,
  directory: string,
): Results {
  const file = (name: string) => join(directory, name);
  const [cc] = build.compiler.command;
  const flags = [...compileFlags(build.compiler, build.target), ...build.flags];
  const source = runs.map((run, index) => overCases(run, index) + overLiterals(run, index, pools));
  writeFileSync(file('operators.c'), prelude + source.join(''));
  writeFileSync(file('main.c'), mainSource(runs, pools));
  const compile = (...args: string[]) => execFileSync(cc, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  compile(...flags, '-fvisibility=default', '-c', '-o', file('operators.o'), file('operators.c'));
  compile('-shared', '-nostdlib', '-Wl,-z,defs', '-o', file('alone.so'), file('operators.o'));
  compile('-o', file('program'), file('main.c'), file('operators.o'));
  const [command = '', ...args] = [...build.emulator, file('program')];
  const input = Buffer.concat(kinds.map((kind) => pools[kind]));
  const { status, signal, stdout, stderr } = spawnSync(command, args, { input, maxBuffer: 1 << 30 });
  if (status !== 0) throw new Error(`the program of operators ended with ${signal ?? status}: ${stderr}`);
  return split(stdout, runs, pools);
}

function split(output: Buffer, runs: readonly Run[], pools: Record<Kind, Buffer>): Results {
  const results: Results = { computed: [], folded: [] };
  let place = 0;
  const take = (count: number) => {
    const start = place;
    place += count * RESULT_BYTES;
    return output.subarray(start, place);
  };
  for (const { kind, literals } of runs) {
    results.computed.push(take(pools[kind].length / CASE_BYTES));
    results.folded.push(take(literals.length));
  }
  if (place !== output.length) throw new Error(`the program wrote ${output.length} bytes; want ${place}`);
  return results;
}
