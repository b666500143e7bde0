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
  reportFile,
  summarize,
} from './report.ts';
import { TextReaders } from './text.ts';
import { parseScript } from './wast.ts';
import { type Compiled, type Way, ways } from './ways.ts';

const standardSuite = fileURLToPath(new URL('../../../shared/wasm-testsuite', import.meta.url));
const processes = Math.min(4, availableParallelism());

const { values: options } = parseArgs({
  options: {
    suite: { type: 'string', default: standardSuite },
    only: { type: 'string', multiple: true, default: [] },
    way: { type: 'string', multiple: true, default: [...available] },
    json: { type: 'string' },
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
      files.map((file) => planScript(file, parseScript(readFileSync(join(options.suite, file))), readers)),
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

interface Task {
  plan: Plan;
  way: Way;
}

async function run(tasks: Task[], compiled: Map<string, Compiled>): Promise<Answer[]> {
  const answers: Answer[] = [];
  const jobs = tasks.map(({ plan, way }) => () => ({
    plan,
    way,
    compiled: plan.modules.flatMap((bytes) => compiled.get(keyOf(bytes)) ?? []),
  }));
  await runAll(jobs, processes, options['no-flags'] ? [] : proposalFlags(), (index, answer) => {
    answers[index] = answer;
    const task = tasks[index];
    if (!task) return;
    const report = reportFile(task.plan, task.way, answer);
    if (report.failed || !options.quiet) console.log(formatFile(report));
  });
  return answers;
}

function compare(tasks: Task[], answers: Answer[]): Difference[] {
  const v8 = new Map(
    tasks.flatMap(({ plan, way }, index) => (way === 'v8' ? [[plan, answers[index]] as const] : [])),
  );
  return tasks.flatMap(({ plan, way }, index) => {
    const [reference, answer] = [v8.get(plan), answers[index]];
    return way === 'v8' || !reference || !answer ? [] : differences(plan, way, reference, answer);
  });
}

function printSummary(reports: FileReport[], found: Difference[]): void {
  for (const way of wantedWays()) {
    const { files, passed, failed, refused, text, refusals } = summarize(way, reports);
    console.log(
      `${way}: ${files} files, ${passed} passed, ${failed} failed, ${refused} refused, ${text} by the text reader`,
    );
    const reasons = Object.entries(refusals).sort(([, a], [, b]) => b - a);
    for (const [reason, count] of reasons) console.log(`  refused ${count}: ${reason}`);
    const others = found.filter((difference) => difference.way === way);
    for (const { file, line, kind, v8, found: text } of others.slice(0, 20)) {
      console.log(`  not as V8: ${file} line ${line}, ${kind}: found ${text}, V8 ${v8}`);
    }
    if (others.length > 20) console.log(`  … ${others.length} not as V8`);
  }
}

async function main(): Promise<number> {
  const chosen = wantedWays();
  if (!existsSync(options.suite))
    throw new Error(`no test suite at ${options.suite}: name one with --suite DIR`);
  const plans = await planAll(scripts());
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'insitu-spec-'));
  try {
    const ahead = chosen.some((way) => way !== 'v8');
    const compiled = ahead ? await compileAll(plans, directory) : new Map<string, Compiled>();
    const tasks = plans.flatMap((plan) => chosen.map((way) => ({ plan, way })));
    const answers = await run(tasks, compiled);
    const reports = tasks.map(({ plan, way }, index) =>
      reportFile(plan, way, answers[index] ?? { failed: 'no answer' }),
    );
    const found = compare(tasks, answers);
    printSummary(reports, found);
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
    const sum = (key: 'passed' | 'failed' | 'refused') => reports.reduce((n, report) => n + report[key], 0);
    const failed = sum('failed') + (reports.length === 0 ? 1 : 0);
    console.log(`${sum('passed')} passed, ${failed} failed, ${sum('refused')} skipped`);
    return failed ? 1 : 0;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

process.exitCode = await main().catch((error: Error) => {
  console.error(`test:spec: ${error.message}`);
  return 2;
});
