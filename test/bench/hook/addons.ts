// Packages with addons: plain, under the hook, from a bundle, and from one that was warm. From the start of a process to its end,
// interleaved, fresh processes, medians. Figures are printed, never asserted; what the jobs print is compared.
//   node --import tsx test/bench/hook/addons.ts [--runs N] [--nodes 20,22] [--only NAME]
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { makeApp, packages } from '../../addons/stage.ts';
import { nodes } from '../../wasm/packages/nodes.ts';
import { cli, here, hook, temporaryDirectory } from '../../wasm/packages/places.ts';
import { median } from '../wasm/figures.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '15' },
    nodes: { type: 'string', default: process.versions.node.split('.')[0] as string },
    only: { type: 'string', default: '' },
  },
});
const directory = temporaryDirectory('insitu-bench-');
const app = join(directory, 'app');
const region = join(directory, 'app.region');
const probe = here('../../bench/hook/probe.cjs');
const used = join(directory, 'probe');
const { NODE_OPTIONS: _, NODE_EXTRA_CA_CERTS: __, ...inherited } = process.env;
const env = { ...inherited, INSITU_STORE: join(directory, 'store') };

interface Entry {
  name: string;
  offset: number;
  size: number;
}

/** What insitu run sets INSITU_BUNDLE to, whose own start is left out: it is `insitu run`'s that hands over. */
function referenceFor(node: string, isWarm: boolean): string {
  const tag = execFileSync(node, ['-p', 'v8.cachedDataVersionTag().toString(16).padStart(8, "0")'], {
    encoding: 'utf8',
  });
  const { entries } = JSON.parse(
    execFileSync(node, [cli, 'region', 'ls', '--json', region], { encoding: 'utf8' }),
  );
  const part = (wanted: string) => {
    const { offset, size } = entries.find(({ name }: Entry) => name === wanted) as Entry;
    return `0x${offset.toString(16)}+0x${size.toString(16)}`;
  };
  return `${region}@${part('app')}${isWarm ? `,${part(`code-${tag.trim()}`)}` : ''}`;
}

interface Way {
  name: string;
  args: string[];
  env: NodeJS.ProcessEnv;
}

interface Sample {
  wallMs: number;
  cpuMs: number;
  maxMiB: number;
}

const outputs = new Map<string, string>();

function sample(node: string, job: string, way: Way): Sample {
  rmSync(used, { force: true });
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync(node, [...way.args, job], {
    env: { ...env, ...way.env, NODE_OPTIONS: `--require ${probe}`, INSITU_BENCH_PROBE: used },
    encoding: 'utf8',
  });
  const wallMs = performance.now() - began;
  if (status !== 0) throw new Error(`${job}, ${way.name}: status ${status}: ${stderr}`);
  const expected = outputs.get(job) ?? stdout;
  if (stdout !== expected) throw new Error(`${job}, ${way.name}: prints ${stdout}; want ${expected}`);
  outputs.set(job, expected);
  const lines = existsSync(used) ? readFileSync(used, 'utf8').split('\n').filter(Boolean) : [];
  const all = lines.map((line) => JSON.parse(line) as { cpuMs: number; maxMiB: number });
  return {
    wallMs,
    cpuMs: all.reduce((sum, one) => sum + one.cpuMs, 0),
    maxMiB: Math.max(...all.map((one) => one.maxMiB)),
  };
}

makeApp(app);
const insitu = (node: string, ...args: string[]) =>
  execFileSync(node, [cli, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
insitu(process.execPath, 'install', app);
insitu(process.execPath, 'bundle', app, '-o', region);
for (const { path: node, version } of nodes(values.nodes.split(',').map(Number))) {
  console.log(
    `\n${version}: ms of wall time, ms of CPU time, peak MiB: plain, hook, bundle, bundle that is warm`,
  );
  for (const job of packages.filter((name) => name.includes(values.only))) {
    insitu(node, 'run', '--warm', region, job);
    const bundled = (isWarm: boolean) => ({
      args: ['--require', hook, join(region, 'jobs.cjs')],
      env: { INSITU_BUNDLE: referenceFor(node, isWarm) },
    });
    const ways: Way[] = [
      { name: 'plain', args: [join(app, 'jobs.cjs')], env: {} },
      { name: 'hook', args: ['--require', hook, join(app, 'jobs.cjs')], env: {} },
      { name: 'bundle', ...bundled(false) },
      { name: 'warm', ...bundled(true) },
    ];
    const samples = ways.map((): Sample[] => []);
    for (let i = 0; i < Number(values.runs); i++)
      for (const [k, way] of ways.entries()) samples[k]?.push(sample(node, job, way));
    const row = (what: keyof Sample) =>
      samples
        .map((of) =>
          median(of.map((one) => one[what]))
            .toFixed(what === 'maxMiB' ? 0 : 1)
            .padStart(8),
        )
        .join('');
    console.log(`${job.padEnd(18)}${row('wallMs')}  |${row('cpuMs')}  |${row('maxMiB')}`);
  }
}
