// Runs a directory of .wast scripts in place, copied, through the drop-in and on V8.
// Start it with: npm run test:spec -- [--suite DIR] [--only TEXT] [--way v8|in-place|copied|insitu] [--json FILE]
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Answer } from './child.ts';
import { available, compileMany } from './engine.ts';
import { proposalFlags } from './flags.ts';
import { type Plan, planScript } from './plan.ts';
import { runAll } from './pool.ts';
import {
  type Difference,
  differences,
  type FileReport,
  formatFile,
  groupAlike,
  reportFile,
  summarize,
} from './report.ts';
import { TextReaders } from './text.ts';
import { type Compiled, type Way, ways } from './ways.ts';

const standardSuite = fileURLToPath(new URL('../../../shared/wasm-testsuite', import.meta.url));
const processes = Math.min(4, availableParallelism());

const { values: options } = parseArgs({
  options: {
    suite: { type: 'string', default: standardSuite },
    only: { type: 'string', multiple: true, default: [] },
    way: { type: 'string', multiple: true, default: [...available] },
    json: { type: 'string' },
    /** How long a file may take on a way. */
    seconds: { type: 'string', default: '120' },
    /** Without V8's flags for proposals: Node as it comes. */
    'no-flags': { type: 'boolean', default: false },
    /** Only failures and the sums. */
    quiet: { type: 'boolean', default: false },
  },
});

function wantedWays(): Way[] {
  return options.way.map((text) => {
    const way = ways.find((known) => known === text);
    if (!way) throw new Error(`--way ${text}: want ${ways.join(', ')}`);
    if (!available.includes(way)) throw new Error(`--way ${text}: it is not there yet`);
    return way;
  });
}

function scripts(): string[] {
  const files = readdirSync(options.suite, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.wast'))
    .filter((file) => options.only.length === 0 || options.only.some((part) => file.includes(part)))
    .sort();
}

async function planAll(files: string[]): Promise<Plan[]> {
  const readers = new TextReaders(processes);
  try {
    return await Promise.all(
      files.map((file) => planScript(file, readFileSync(join(options.suite, file)), readers)),
    );
  } finally {
    readers.close();
  }
}

const keyOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Every module of every file once, all together. */
async function compileAll(plans: Plan[], directory: string): Promise<Map<string, Compiled>> {
  const modules = new Map(plans.flatMap((plan) => plan.modules.map((bytes) => [keyOf(bytes), bytes])));
  const compiled = await compileMany([...modules.values()], directory);
  return new Map(
    [...modules.keys()].map((key, index) => [key, compiled[index] ?? { unsupported: 'no answer' }]),
  );
}

type Answers = Map<Way, Answer>;

function reportsOf(plan: Plan, answers: Answers): FileReport[] {
  return [...answers].map(([way, answer]) => reportFile(plan, way, answer, answers.get('v8')));
}

function differencesOf(plan: Plan, answers: Answers): Difference[] {
  const v8 = answers.get('v8');
  return [...answers].flatMap(([way, answer]) =>
    way === 'v8' || !v8 ? [] : differences(plan, way, v8, answer),
  );
}

/** Each plan on each way; a plan's lines are printed when its last way has answered. */
async function run(plans: Plan[], chosen: Way[], compiled: Map<string, Compiled>): Promise<Answers[]> {
  const answers = plans.map((): Answers => new Map());
  const jobs = plans.flatMap((plan) =>
    chosen.map((way) => () => ({
      plan,
      way,
      compiled: plan.modules.flatMap((bytes) => compiled.get(keyOf(bytes)) ?? []),
    })),
  );
  const flags = options['no-flags'] ? [] : proposalFlags();
  const pool = { count: processes, flags, seconds: Number(options.seconds) };
  await runAll(jobs, pool, (index, answer) => {
    const at = Math.floor(index / chosen.length);
    const [plan, own, way] = [plans[at], answers[at], chosen[index % chosen.length]];
    if (!plan || !own || !way) return;
    own.set(way, answer);
    if (own.size < chosen.length) return;
    for (const report of reportsOf(plan, own)) {
      if (report.failed || !options.quiet) console.log(formatFile(report));
    }
  });
  return answers;
}

function printSummary(chosen: Way[], reports: FileReport[], found: Difference[]): void {
  for (const way of chosen) {
    const { files, passed, failed, refused, text, refusals } = summarize(way, reports);
    console.log(
      `${way}: ${files} files, ${passed} passed, ${failed} failed, ${refused} refused, ${text} by the text reader`,
    );
    const reasons = Object.entries(refusals).sort(([, a], [, b]) => b - a);
    for (const [reason, count] of reasons) console.log(`  refused ${count}: ${reason}`);
    const others = groupAlike(found.filter((difference) => difference.way === way));
    for (const { count, first } of others) {
      const place = `${first.file} line ${first.line}, ${first.kind}`;
      console.log(`  ${count} not as V8, ${place}:\n    found ${first.found}\n    V8    ${first.v8}`);
    }
  }
}

async function main(): Promise<number> {
  const chosen = wantedWays();
  if (!existsSync(options.suite))
    throw new Error(`no test suite at ${options.suite}: name one with --suite DIR`);
  const plans = await planAll(scripts());
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'insitu-spec-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(2));
  const ahead = chosen.some((way) => way !== 'v8');
  const compiled = ahead ? await compileAll(plans, directory) : new Map<string, Compiled>();
  const answers = await run(plans, chosen, compiled);
  const reports = plans.flatMap((plan, index) => reportsOf(plan, answers[index] ?? new Map()));
  const found = plans.flatMap((plan, index) => differencesOf(plan, answers[index] ?? new Map()));
  printSummary(chosen, reports, found);
  if (options.json) {
    const summaries = chosen.map((way) => summarize(way, reports));
    const json = {
      node: process.version,
      suite: options.suite,
      summaries,
      files: reports,
      differences: found,
    };
    writeFileSync(options.json, `${JSON.stringify(json, null, 1)}\n`);
  }
  // V8 is what the others are held against; its own failures count where it is alone.
  const tested = reports.filter((report) => report.way !== 'v8' || chosen.length === 1);
  const sum = (key: 'passed' | 'failed' | 'refused') => tested.reduce((n, report) => n + report[key], 0);
  const failed = sum('failed') + (tested.length === 0 ? 1 : 0);
  console.log(`${sum('passed')} passed, ${failed} failed, ${sum('refused')} skipped`);
  return failed ? 1 : 0;
}

process.exitCode = await main().catch((error: Error) => {
  console.error(`test:spec: ${error.message}`);
  return 2;
});
