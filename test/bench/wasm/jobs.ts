// Real jobs: QuickJS and SQLite warm, by CPU time; esbuild cold, a process from its start to its end.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { hook } from '../../wasm/packages/places.ts';
import { bar } from './bars.ts';
import { median } from './figures.ts';
import { childrenCpuMs } from './measured.ts';
import { child, environment, root, type Setting } from './setting.ts';

const ways = ['v8', 'in-place'] as const;
type Way = (typeof ways)[number];
type Figures = Record<Way, number[]>;

const row = (name: string, v8: number, place: number): string =>
  `${name.padEnd(26)}${v8.toFixed(1).padStart(10)}${place.toFixed(1).padStart(10)}${(place / v8).toFixed(2).padStart(8)}${place > v8 ? '  loses' : ''}`;

const head = (title: string): void =>
  console.log(
    `\n${title}\n${''.padEnd(26)}${'V8'.padStart(10)}${'in place'.padStart(10)}${'ratio'.padStart(8)}`,
  );

/** Ratios of CPU time, in place over V8's. */
export function warmJobs(setting: Setting): number[] {
  head('jobs, warm: CPU ms');
  return ['quickjs', 'sqlite'].map((job) => {
    const ms: Figures = { v8: [], 'in-place': [] };
    const sums = new Set<string>();
    for (let round = 0; round < setting.rounds; round++)
      for (const way of ways) {
        const found = JSON.parse(child(setting, 'job.mjs', [way, job])) as { checksum: string; ms: number };
        sums.add(found.checksum);
        ms[way].push(found.ms);
      }
    if (sums.size !== 1) throw new Error(`${job}: in place computes what V8 does not`);
    const [v8, place] = [median(ms.v8), median(ms['in-place'])];
    console.log(row(job, v8, place));
    return place / v8;
  });
}

const { resolve } = createRequire(import.meta.url);
const esbuildScript = resolve('esbuild-wasm/bin/esbuild');
const LARGE = 2_400_000; // bytes

/** Code that people have written, undici put together, as often as it takes. */
function largeSource(directory: string): string {
  const args = [esbuildScript, resolve('undici'), '--bundle', '--platform=node', '--format=cjs'];
  const bundle = execFileSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  const copies: string[] = [];
  for (let size = 0; size < LARGE; size += bundle.length)
    copies.push(`(function part${copies.length}(module, exports) {\n${bundle}\n});\n`);
  const path = join(directory, 'large.js');
  writeFileSync(path, copies.join(''));
  return path;
}

interface Process {
  wallMs: number;
  cpuMs: number;
  output: string;
}

function runEsbuild(setting: Setting, way: Way, source: string): Process {
  const preload = way === 'v8' ? [] : ['--require', hook];
  const args = [...preload, esbuildScript, source, '--minify'];
  const before = childrenCpuMs();
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    ...{ cwd: root, env: environment(setting), maxBuffer: 1 << 28 },
  });
  const wallMs = performance.now() - began;
  if (status !== 0) throw new Error(`esbuild, ${way}: status ${status}: ${stderr}`);
  return {
    wallMs,
    cpuMs: childrenCpuMs() - before,
    output: createHash('sha256').update(stdout).digest('hex'),
  };
}

/** The ratio of CPU time, in place over V8's. */
export function esbuild(setting: Setting): number {
  const source = largeSource(setting.directory);
  const wall: Figures = { v8: [], 'in-place': [] };
  const cpu: Figures = { v8: [], 'in-place': [] };
  const outputs = new Set<string>();
  for (let round = 0; round < setting.rounds; round++)
    for (const way of ways) {
      const { wallMs, cpuMs, output } = runEsbuild(setting, way, source);
      wall[way].push(wallMs);
      cpu[way].push(cpuMs);
      outputs.add(output);
    }
  if (outputs.size !== 1) throw new Error('esbuild: in place prints what V8 does not');
  head(`esbuild --minify of ${(readFileSync(source).length / 1e6).toFixed(1)} MB, cold: a process, ms`);
  const [v8, place] = [median(wall.v8), median(wall['in-place'])];
  console.log(row('wall', v8, place));
  const [v8Cpu, placeCpu] = [median(cpu.v8), median(cpu['in-place'])];
  console.log(row('CPU', v8Cpu, placeCpu));
  bar('esbuild minifying, cold wall: V8 / in place', v8 / place, '>=', 4);
  return placeCpu / v8Cpu;
}
