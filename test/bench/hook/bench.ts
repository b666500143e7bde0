// Unmodified packages in Node, plain and under the hook: from the start of a process to its end, interleaved, fresh
// processes, medians. Figures are printed, never asserted; what the jobs print is compared.
//   node --import tsx test/bench/hook/bench.ts [--store DIR] [--runs N] [--nodes 20,22] [--only NAME] [--tier best|quick]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { HookReport } from '../../../runtime/hook/report.ts';
import { imagesOf } from '../../wasm/packages/images.ts';
import { type Node, nodes } from '../../wasm/packages/nodes.ts';
import { cli, here, hook, root, temporaryDirectory } from '../../wasm/packages/places.ts';
import { rows } from '../../wasm/packages/table.ts';
import { bar, bars } from '../wasm/bars.ts';
import { median } from '../wasm/figures.ts';

const { values } = parseArgs({
  options: {
    store: { type: 'string' }, // kept; else images are made anew
    runs: { type: 'string', default: '11' },
    nodes: { type: 'string', default: process.versions.node.split('.')[0] as string },
    only: { type: 'string', default: '' },
    tier: { type: 'string', default: 'best' },
  },
});
const directory = temporaryDirectory('insitu-bench-');
const store = values.store ?? join(directory, 'store');
const nothing = join(directory, 'no-store');
const runs = Number(values.runs);
const probe = here('../../bench/hook/probe.cjs');

type Way = 'plain' | 'hook';
interface Sample {
  wallMs: number;
  cpuMs: number;
  maxMiB: number;
}

const { NODE_OPTIONS: _, NODE_EXTRA_CA_CERTS: __, ...inherited } = process.env;

/** The lines that processes added to a file, which is gone then. */
function taken<T>(file: string): T[] {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  rmSync(file, { force: true });
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}

function run(node: Node, command: readonly string[], way: Way, env: NodeJS.ProcessEnv): string {
  const options = way === 'hook' ? ['--require', hook] : [];
  const { status, stdout, stderr } = spawnSync(node.path, [...options, ...command], {
    cwd: root,
    env: { ...inherited, INSITU_STORE: store, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status !== 0) throw new Error(`${command.join(' ')}, ${way}: status ${status}: ${stderr}`);
  return stdout;
}

/** CPU time and memory are of all processes of the job. */
function sample(node: Node, command: readonly string[], way: Way): Sample & { stdout: string } {
  const file = join(directory, 'probe');
  const began = performance.now();
  const stdout = run(node, command, way, { NODE_OPTIONS: `--require ${probe}`, INSITU_BENCH_PROBE: file });
  const wallMs = performance.now() - began;
  const used = taken<{ cpuMs: number; maxMiB: number }>(file);
  const cpuMs = used.reduce((sum, one) => sum + one.cpuMs, 0);
  return { wallMs, cpuMs, maxMiB: Math.max(...used.map((one) => one.maxMiB)), stdout };
}

/** Milliseconds until modules could be instantiated, of a run of its own; V8's where no store is. */
function readyMs(node: Node, command: readonly string[], where: string): number {
  const file = join(directory, 'report');
  run(node, command, 'hook', { INSITU_REPORT: file, INSITU_STORE: where });
  const modules = taken<HookReport>(file).flatMap((report) => report.modules);
  return modules.reduce((sum, module) => sum + (module.readyMs ?? 0), 0);
}

const cells = (texts: readonly string[]): string => texts.map((text) => text.padStart(9)).join('');

/** @param isIdle of an app that has no WebAssembly */
function compare(node: Node, name: string, command: readonly string[], isIdle = false): void {
  const samples: Record<Way, Sample[]> = { plain: [], hook: [] };
  const ready: Record<Way, number[]> = { plain: [], hook: [] };
  const outputs = new Set<string>();
  for (let i = 0; i < runs; i++)
    for (const way of ['plain', 'hook'] as const) {
      const { stdout, ...used } = sample(node, command, way);
      outputs.add(stdout);
      samples[way].push(used);
      if (!isIdle && i < 5) ready[way].push(readyMs(node, command, way === 'hook' ? store : nothing));
    }
  if (outputs.size !== 1) throw new Error(`${name}: prints something else under the hook`);
  const of = (way: Way, what: keyof Sample) => median(samples[way].map((one) => one[what]));
  const both = (what: keyof Sample) => [of('plain', what), of('hook', what)] as const;
  const [[wall, hooked], [cpu, hookedCpu], [memory, hookedMemory]] = [
    both('wallMs'),
    both('cpuMs'),
    both('maxMiB'),
  ];
  const got = isIdle ? [] : [median(ready.plain), median(ready.hook)];
  const spread = samples.hook.map(({ wallMs }) => wallMs / wall).sort((a, b) => a - b);
  const figures = [
    wall,
    hooked,
    hooked / wall,
    cpu,
    hookedCpu,
    hookedCpu / cpu,
    memory,
    hookedMemory,
    ...got,
  ];
  const loses = hooked > wall * 1.05 ? '  loses' : '';
  const range = `${spread[0]?.toFixed(2)}–${spread.at(-1)?.toFixed(2)}`;
  console.log(`${name.padEnd(26)}${cells(figures.map((n) => n.toFixed(n < 10 ? 2 : 0)))}  ${range}${loses}`);
  if (isIdle) bar(`${node.version}, ${name}: ms that the hook adds`, hooked - wall, '<=', 3);
  else {
    bar(`${node.version}, ${name}: wall, hook / plain`, hooked / wall, '<=', 1.05);
    bar(`${node.version}, ${name}: Wasm ready, plain / hook`, (got[0] ?? 0) / (got[1] ?? 1), '>=', 3);
  }
  const wanted = { 'esbuild-wasm': 3, '@resvg/resvg-wasm': 1.4 }[name];
  if (wanted) bar(`${node.version}, ${name}: CPU, plain / hook`, cpu / hookedCpu, '>=', wanted);
}

const idle = join(directory, 'idle.cjs');
writeFileSync(idle, '');
const wanted = rows.filter(({ name }) => name.includes(values.only));
for (const row of wanted) await imagesOf(row, store, values.tier === 'quick' ? 'quick' : 'best');
for (const node of nodes(values.nodes.split(',').map(Number))) {
  // As whoever installs with this Node has it: with the code cache of insitu's own JavaScript.
  spawnSync(node.path, [cli, 'install', '--learned'], { env: { ...inherited, INSITU_STORE: store } });
  console.log(
    `\nNode ${node.version}: ms of a process, plain and under the hook; MiB at most; ms until Wasm was ready`,
  );
  const heads = ['wall', 'hook', 'ratio', 'CPU', 'hook', 'ratio', 'MiB', 'hook', 'ready', 'hook'];
  console.log(`${''.padEnd(26)}${cells(heads)}  spread of wall`);
  compare(node, 'no WebAssembly', [idle], true);
  for (const { name, command } of wanted) compare(node, name, command);
}
console.log(`\n${bars().join('\n')}`);
