// Unmodified packages under the hook, on every Node that is supported: what they print is
// compared with the same under V8, and their modules have to run in place. Ends with 'N passed, N failed'.
//   node --import tsx test/wasm/packages/packages.ts [--nodes 20,22] [--only NAME] [--store DIR]
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { HookReport } from '../../../runtime/hook/report.ts';
import { imagesOf } from './images.ts';
import { type Node, nodes } from './nodes.ts';
import { hook, root, temporaryDirectory } from './places.ts';
import { type Row, rows } from './table.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string' },
    only: { type: 'string' },
    store: { type: 'string' }, // kept; else images are made anew
  },
});
const directory = temporaryDirectory('insitu-packages-');
const store = values.store ?? join(directory, 'store');
const timeout = 120_000; // ms a job
let passed = 0;
let failed = 0;

function tell(name: string, wrong: string | undefined): void {
  if (wrong === undefined) passed++;
  else failed++;
  console.log(wrong === undefined ? ` ok  ${name}` : `FAIL ${name}\n${wrong.replace(/^/gm, '     ')}`);
}

type Way = 'v8' | 'in-place' | 'copy';

interface Ended {
  /** What it printed, and how it ended. */
  outcome: string;
  stderr: string;
  explained: HookReport['modules'][number][];
}

let runs = 0;

function run({ path }: Node, { command }: Row, way: Way): Promise<Ended> {
  const reports = join(directory, `report-${runs++}`);
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const env = {
    ...inherited,
    INSITU_STORE: store,
    INSITU_REPORT: reports,
    INSITU: way === 'copy' ? 'copy' : 'always',
  };
  const preload = way === 'v8' ? [] : ['--require', hook];
  const child = spawn(path, [...preload, ...command], { cwd: root, env, timeout, killSignal: 'SIGKILL' });
  child.stdin.end();
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      const lines = existsSync(reports) ? readFileSync(reports, 'utf8').split('\n').filter(Boolean) : [];
      resolve({
        outcome: `${Buffer.concat(out)}\n${signal ?? `status ${status}`}`,
        stderr: `${Buffer.concat(err)}`,
        explained: lines.flatMap((line) => (JSON.parse(line) as HookReport).modules),
      });
    });
  });
}

/** What two outcomes differ in. */
function difference(found: string, expected: string): string {
  let at = 0;
  while (found[at] === expected[at]) at++;
  const piece = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 20), at + 60));
  return `at ${at}: ${piece(found)}; want ${piece(expected)}`;
}

function wrongPlace({ modules, others }: Row, { explained }: Ended, images: Map<string, string>) {
  const elsewhere = explained.filter(({ image }) => image === null).map(({ reason }) => reason);
  const refused = elsewhere.filter((reason) => !others || reason !== 'no image in a store');
  if (refused.length > 0) return `left to V8: ${refused.join('; ')}`;
  const used = new Set(explained.map(({ image }) => image));
  const missing = [...images].flatMap(([name, image]) => (used.has(image) ? [] : [name]));
  // Node has modules of its own among those that were met, and another Node others.
  const isWrong = modules === 'met' ? missing.length === images.size && images.size > 0 : missing.length > 0;
  return isWrong ? `not in place: ${missing.join(' ')}` : undefined;
}

function judge(row: Row, own: Ended, v8: Ended, images: Map<string, string>): string | undefined {
  if (!v8.outcome.endsWith('status 0')) return `fails under V8: ${v8.outcome.slice(-200)}\n${v8.stderr}`;
  if (own.outcome !== v8.outcome)
    return `${difference(own.outcome, v8.outcome)}\n${own.stderr.slice(0, 2000)}`;
  return wrongPlace(row, own, images);
}

async function check(row: Row, all: readonly Node[]): Promise<void> {
  let images: Map<string, string>;
  try {
    images = await imagesOf(row, store, 'quick');
  } catch (error) {
    return tell(`${row.name} is compiled`, (error as Error).stack ?? String(error));
  }
  for (const node of all) {
    const ways: Way[] = node === all[0] ? ['in-place', 'copy'] : ['in-place'];
    const v8 = await run(node, row, 'v8');
    for (const way of ways)
      tell(`${row.name}, ${node.version}, ${way}`, judge(row, await run(node, row, way), v8, images));
  }
}

const all = nodes(values.nodes?.split(',').map(Number));
const wanted = rows.filter(({ name }) => name.includes(values.only ?? ''));
for (const row of wanted) await check(row, all);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
