// Unmodified packages with addons, on every Node that is supported: as they are, under the hook from a store, and from a bundle
// while their directory is away. They print the same, and every addon is opened in place. Ends with 'N passed, N failed'.
//   node --import tsx test/addons/addons.ts [--nodes 20,22] [--only NAME]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { HookReport } from '../../runtime/hook/report.ts';
import { type Node, nodes } from '../wasm/packages/nodes.ts';
import { cli, hook, temporaryDirectory } from '../wasm/packages/places.ts';
import { makeApp, packages } from './stage.ts';

const { values } = parseArgs({ options: { nodes: { type: 'string' }, only: { type: 'string' } } });
const directory = temporaryDirectory('insitu-addons-');
const app = join(directory, 'app');
const region = join(directory, 'app.region');
const store = join(directory, 'store');
let passed = 0;
let failed = 0;

function tell(name: string, wrong: string | undefined): void {
  if (wrong === undefined) passed++;
  else failed++;
  console.log(wrong === undefined ? ` ok  ${name}` : `FAIL ${name}\n${wrong.replace(/^/gm, '     ')}`);
}

const { NODE_OPTIONS: _, ...inherited } = process.env;
const report = join(directory, 'report');

interface Ended {
  /** What it printed, and how it ended. */
  outcome: string;
  stderr: string;
  libraries: HookReport['libraries'][number][];
}

function run(node: Node, args: readonly string[]): Ended {
  rmSync(report, { force: true });
  const { stdout, stderr, status, signal } = spawnSync(node.path, args, {
    ...{ cwd: directory, encoding: 'utf8', timeout: 60_000 },
    env: { ...inherited, INSITU_STORE: store, INSITU_REPORT: report },
  });
  const lines = existsSync(report) ? readFileSync(report, 'utf8').split('\n').filter(Boolean) : [];
  const libraries = lines.flatMap((line) => (JSON.parse(line) as HookReport).libraries);
  return { outcome: `${stdout}\n${signal ?? `status ${status}`}`, stderr, libraries };
}

/** @returns what is wrong */
function compare(found: Ended, expected: Ended): string | undefined {
  if (found.outcome !== expected.outcome)
    return `${found.outcome}\n${found.stderr}\nwant\n${expected.outcome}`;
  const elsewhere = found.libraries.filter(({ reason }) => reason !== 'in place');
  if (found.libraries.length < 2)
    return `${found.libraries.length} addons were opened; want one in each thread`;
  for (const { path, mapped } of found.libraries)
    if (mapped.length === 0 || mapped.some(({ evidence }) => !evidence.totals.text?.resident))
      return `${path}: no page of its text was found`;
  return elsewhere.length === 0
    ? undefined
    : elsewhere.map(({ path, reason }) => `${path}: ${reason}`).join('\n');
}

const [here20] = nodes([Number(process.versions.node.split('.')[0])]) as [Node];
makeApp(app);
for (const args of [
  ['install', app],
  ['bundle', app, '-o', region],
]) {
  const { outcome, stderr } = run(here20, [cli, ...args]);
  if (!outcome.endsWith('status 0')) throw new Error(`insitu ${args[0]}: ${outcome}\n${stderr}`);
}
const wanted = values.nodes?.split(',').map(Number);
for (const node of nodes(wanted))
  for (const name of packages.filter((name) => values.only === undefined || name === values.only)) {
    const plain = run(node, [join(app, 'jobs.cjs'), name]);
    const hooked = run(node, ['--require', hook, join(app, 'jobs.cjs'), name]);
    tell(`${name}, ${node.version}, from the store`, compare(hooked, plain));
    renameSync(app, `${app}.away`);
    const bundled = run(node, [cli, 'run', region, name]);
    const warm = run(node, [cli, 'run', '--warm', region, name]);
    const again = run(node, [cli, 'run', region, name]);
    renameSync(`${app}.away`, app);
    tell(`${name}, ${node.version}, from a bundle`, compare(bundled, plain));
    tell(
      `${name}, ${node.version}, from a bundle that is warm`,
      compare(warm, plain) ?? compare(again, plain),
    );
  }
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
