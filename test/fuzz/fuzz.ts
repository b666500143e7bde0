// node --import tsx test/fuzz/fuzz.ts [--runs N] [--seconds S] [--plant NAME | --plants]
//
// Two processes fuzz the native ELF reader, mapper and relocator (native/fuzz) until N executions together (default
// 1000000) or S seconds. --plant removes one check of plants.ts from a copy of the source first: then the fuzzer has to
// find something, within 60 seconds unless S says otherwise.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type Plant, plants } from './plants.ts';
import { writeSeeds } from './seeds.ts';
import { build, compiler, output } from './target.ts';

const workers = 2;
const crashes = join(output, 'crashes');

interface Limits {
  runs: number;
  seconds: number;
}

interface Result {
  worker: number;
  found: boolean;
  executions: number;
  log: string;
}

function workerArgs(name: string, { runs, seconds }: Limits, corpus: string): string[] {
  const perWorker = runs === 0 ? -1 : Math.ceil(runs / workers);
  return [
    ...[`-runs=${perWorker}`, `-max_total_time=${seconds}`, '-max_len=262144'],
    ...['-timeout=10', '-rss_limit_mb=2048', '-print_final_stats=1', '-verbosity=1'],
    ...[`-artifact_prefix=${join(crashes, `${name}-`)}`, corpus, join(output, 'seeds')],
  ];
}

function statistic(log: string, pattern: RegExp): number {
  return Number([...log.matchAll(pattern)].at(-1)?.[1] ?? 0);
}

async function runWorkers(executable: string, name: string, limits: Limits, stopAtFirst: boolean) {
  const corpus = join(output, 'corpus', name);
  rmSync(corpus, { recursive: true, force: true });
  mkdirSync(corpus, { recursive: true });
  const children: ChildProcess[] = [];
  const runs = Array.from({ length: workers }, async (_, i): Promise<Result> => {
    const path = join(output, `${name}-${i}.log`);
    const log = openSync(path, 'w');
    const child = spawn(executable, workerArgs(`${name}-${i}`, limits, corpus), {
      stdio: ['ignore', log, log],
    });
    children.push(child);
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    const text = readFileSync(path, 'utf8');
    // Stopped from here: by a signal, or by libFuzzer's own answer to it.
    const stopped = child.killed && !/SUMMARY: |Test unit written/.test(text);
    if (code !== 0 && !stopped && stopAtFirst)
      for (const other of children) if (other !== child) other.kill();
    const executions = statistic(text, /number_of_executed_units: (\d+)/g) || statistic(text, /^#(\d+)/gm);
    return { worker: i, found: code !== 0 && !stopped, executions, log: text };
  });
  return Promise.all(runs);
}

function hexdump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex}`);
  }
  return `${lines.join('\n')}\n`;
}

/** What a worker found: message, stack of our own code, and where the input is kept. */
function reportFinding({ log, worker }: Result): void {
  const said = log.match(/^insitu-fuzz: .*|.*runtime error: .*|.*ERROR: .*/m)?.[0] ?? 'see its log';
  console.log(`worker ${worker}: ${said}`);
  for (const frame of [...log.matchAll(/^ +#\d+ .* in (insitu::.*|LLVMFuzzer.*)$/gm)].slice(0, 12))
    console.log(`    ${frame[1]}`);
  const kept = log.match(/Test unit written to (\S+)/)?.[1];
  if (kept === undefined) return;
  writeFileSync(`${kept}.hex`, hexdump(readFileSync(kept)));
  console.log(`  input ${relative('.', kept)}, hexdump ${relative('.', kept)}.hex`);
}

function reportRun(results: Result[], seconds: number): void {
  const executions = results.reduce((sum, { executions }) => sum + executions, 0);
  const covered = Math.max(...results.map(({ log }) => statistic(log, /cov: (\d+)/g)));
  const all = statistic(results[0]?.log ?? '', /Loaded 1 modules +\((\d+)/g);
  console.log(
    `${executions} executions in ${seconds.toFixed(1)} s, ${Math.round(executions / seconds)}/s, ` +
      `coverage ${covered} of ${all} edges (${((100 * covered) / all).toFixed(1)} %)`,
  );
}

async function fuzz(clang: string, limits: Limits): Promise<[passed: number, failed: number]> {
  const executable = build(clang);
  const start = performance.now();
  const results = await runWorkers(executable, 'fuzz', limits, false);
  reportRun(results, (performance.now() - start) / 1000);
  const found = results.filter((result) => result.found);
  for (const result of found) reportFinding(result);
  return [results.length - found.length, found.length];
}

/** Passes when the planted defect is found. */
async function fuzzPlanted(clang: string, plant: Plant, seconds: number): Promise<boolean> {
  const executable = build(clang, plant);
  const start = performance.now();
  const results = await runWorkers(executable, `plant-${plant.name}`, { runs: 0, seconds }, true);
  const after = ((performance.now() - start) / 1000).toFixed(1);
  const executions = results.reduce((sum, { executions }) => sum + executions, 0);
  const finding = results.find((result) => result.found);
  console.log(
    `plant ${plant.name}: ${finding ? 'found' : 'NOT FOUND'} after ${executions} executions, ${after} s`,
  );
  if (finding) reportFinding(finding);
  return finding !== undefined;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '1000000' },
      seconds: { type: 'string', default: '0' },
      plant: { type: 'string' },
      plants: { type: 'boolean', default: false },
    },
  });
  const limits = { runs: Number(values.runs), seconds: Number(values.seconds) };
  const chosen = values.plants ? plants : plants.filter(({ name }) => name === values.plant);
  if (values.plant !== undefined && chosen.length === 0)
    throw new RangeError(`no plant ${values.plant}; want one of ${plants.map(({ name }) => name).join(' ')}`);
  const clang = compiler();
  if (clang === undefined) {
    console.log('0 passed, 0 failed, 1 skipped');
    return 0;
  }
  rmSync(join(output, 'seeds'), { recursive: true, force: true });
  mkdirSync(crashes, { recursive: true });
  console.log(`${writeSeeds(join(output, 'seeds'))} seeds, ${readdirSync(crashes).length} older crash files`);
  let [passed, failed] = [0, 0];
  if (chosen.length === 0) [passed, failed] = await fuzz(clang, limits);
  for (const plant of chosen)
    if (await fuzzPlanted(clang, plant, limits.seconds || 60)) passed++;
    else failed++;
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
