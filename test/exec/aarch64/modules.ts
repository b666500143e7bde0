// Compiled modules for aarch64: scripts of the specification's suite, in place and copied, by the addon in an emulated
// Node; the operators of native/wasm/simd.h; and what an image is made of.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compareOperators } from '../../compile/simd-check.ts';
import { compileMany } from '../../spec/engine.ts';
import { type Plan, planScript } from '../../spec/plan.ts';
import { runAll } from '../../spec/pool.ts';
import { formatFile, reportFile } from '../../spec/report.ts';
import { TextReaders } from '../../spec/text.ts';
import type { Compiled, Way } from '../../spec/ways.ts';
import { crossCompiler, emulator, gcc } from './machine.ts';

const suite = fileURLToPath(new URL('../../../../shared/wasm-testsuite', import.meta.url));

/** A share: every kind of instruction, call, trap, table, memory and exception once; emulated, all of it takes long. */
const scripts = new Set(
  `i32 i64 f32 f64 conversions float_exprs call_indirect return_call_indirect br_table if stack traps memory_grow memory_init
  bulk table_grow table_init global imports linking start try_table throw simd_lane simd_f32x4 simd_conversions`.split(
    /\s+/,
  ),
);

export interface Tally {
  passed: number;
  failed: number;
}

function check(tally: Tally, name: string, wrong: string): void {
  tally[wrong === '' ? 'passed' : 'failed']++;
  if (wrong !== '') console.log(`FAILED ${name}: ${wrong}`);
}

/** Operators of the headers, each against V8. */
export function checkOperators(tally: Tally): void {
  for (const tier of ['quick', 'best'] as const) {
    const target = { arch: 'aarch64', cpu: 'baseline', tier } as const;
    const found = compareOperators({ compiler: crossCompiler(), target, flags: [], emulator: [...emulator] });
    check(tally, `operators, ${tier}`, found.differences.join('\n'));
    console.log(`operators, ${tier}: ${found.operators}, ${found.results} results as V8's`);
  }
}

/** No relocation, and no text that the processor would have to write to. */
function checkImage(tally: Tally, image: string): void {
  const listed = spawnSync(`${gcc.slice(0, -3)}readelf`, ['-rdW', image], { encoding: 'utf8' }).stdout;
  const wrong = /There are no relocations/.test(listed) && !/TEXTREL/.test(listed) ? '' : listed;
  check(tally, `${image} has no relocation`, wrong);
}

async function plansOf(directory: string): Promise<Plan[]> {
  const readers = new TextReaders(2);
  try {
    const files = readdirSync(directory).filter((name) => scripts.has(name.replace(/\.wast$/, '')));
    const plan = (file: string) => planScript(file, readFileSync(join(directory, file)), readers);
    return await Promise.all(files.sort().map(plan));
  } finally {
    readers.close();
  }
}

/** @returns why none were run; undefined when they were */
export async function checkScripts(
  tally: Tally,
  node: readonly [string, ...string[]],
): Promise<string | undefined> {
  if (!existsSync(suite)) return `no test suite at ${suite}`;
  const directory = mkdtempSync(join(tmpdir(), 'insitu-aarch64-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const plans = await plansOf(suite);
  const modules = plans.flatMap((plan) => plan.modules);
  const compiled = await compileMany(modules, directory, { arch: 'aarch64', compiler: crossCompiler() });
  const first = compiled.find((one) => 'image' in one);
  if (first === undefined || !('image' in first)) return 'no module was compiled';
  checkImage(tally, first.image);
  let at = 0;
  const jobs = plans.flatMap((plan) => {
    const own: Compiled[] = compiled.slice(at, at + plan.modules.length);
    at += plan.modules.length;
    return (['in-place', 'copied'] as const).map((way: Way) => ({ plan, way, compiled: own }));
  });
  const assertions = { passed: 0, refused: 0 };
  await runAll(
    jobs.map((job) => () => job),
    { count: 2, flags: [], seconds: 300, node },
    (index, answer) => {
      const { plan, way } = jobs[index] as (typeof jobs)[number];
      const report = reportFile(plan, way, answer);
      check(tally, `${plan.file} ${way}`, report.failed ? formatFile(report) : '');
      assertions.passed += report.passed;
      assertions.refused += report.refused;
    },
  );
  console.log(
    `scripts: ${plans.length}, ${assertions.passed} assertions passed, ${assertions.refused} refused`,
  );
  return undefined;
}
