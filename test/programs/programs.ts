// Runs real programs three ways (execve, insitu-exec, insitu-exec --copy) and compares all that they print, the files
// they write, and how they end. Start it with: node --import tsx test/programs/programs.ts
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { makeFixture } from './fixture.ts';
import { type Row, table } from './table.ts';

const runner = fileURLToPath(new URL(`../../prebuilds/linux-${process.arch}/insitu-exec`, import.meta.url));
const timeout = 20_000; // ms a run
const concurrency = 2;
const wanted = 100; // programs that must pass
const isRoot = process.getuid?.() === 0;

const ways: { name: string; command: (row: Row) => string[] }[] = [
  { name: 'execve', command: ({ path, args }) => [path, ...args] },
  { name: 'insitu-exec', command: ({ path, args }) => [runner, '--argv0', path, path, ...args] },
  {
    name: 'insitu-exec --copy',
    command: ({ path, args }) => [runner, '--copy', '--argv0', path, path, ...args],
  },
];

const root = mkdtempSync(join(tmpdir(), 'insitu-programs-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

const env = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: root,
  LC_ALL: 'C',
  TZ: 'UTC0',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_AUTHOR_DATE: '1000000000 +0000',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.org',
  GIT_COMMITTER_DATE: '1000000000 +0000',
};

type Facts = Record<string, Buffer>;

function finished(row: Row, command: string[], cwd: string): Promise<Facts> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { cwd, env, timeout, killSignal: 'SIGKILL', stdio: 'pipe' });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => {}); // not every program reads it
  child.stdin.end(row.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const end = Buffer.from(String(signal ?? code));
      resolve({ end, stdout: Buffer.concat(out), stderr: Buffer.concat(err) });
    });
  });
}

/** In a fresh copy of the fixture, at the same path for all ways because programs print it. */
async function runWay(row: Row, command: string[], cwd: string): Promise<Facts> {
  cpSync(join(root, 'fixture'), cwd, { recursive: true, preserveTimestamps: true });
  try {
    const facts = await finished(row, command, cwd);
    for (const name of row.outputs ?? []) {
      const path = join(cwd, name);
      facts[name] = existsSync(path) ? readFileSync(path) : Buffer.from('(no such file)');
    }
    return facts;
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

function excerpt(bytes: Buffer | undefined, from: number): string {
  return JSON.stringify(bytes?.subarray(from, from + 60).toString());
}

function difference(expected: Facts, found: Facts): string | undefined {
  for (const [what, bytes] of Object.entries(expected)) {
    const other = found[what] ?? Buffer.alloc(0);
    if (bytes.equals(other)) continue;
    let at = 0;
    while (at < bytes.length && bytes[at] === other[at]) at++;
    return `${what} at byte ${at} is ${excerpt(other, at)}; want ${excerpt(bytes, at)}`;
  }
  return undefined;
}

/** What differs from execve, or undefined. */
async function compare(row: Row, cwd: string): Promise<string | undefined> {
  let expected: Facts | undefined;
  for (const { name, command } of ways) {
    const facts = await runWay(row, command(row), cwd);
    if (facts.end?.toString() === 'SIGKILL') return `${name}: no end within ${timeout} ms`;
    expected ??= facts;
    const found = difference(expected, facts);
    if (found !== undefined) return `${name}: ${found}`;
  }
  return undefined;
}

function installMissing(): void {
  const missing = new Set(
    table.filter((row) => row.package && !existsSync(row.path)).map((row) => row.package ?? ''),
  );
  if (missing.size === 0 || !isRoot) return;
  const apt = (...args: string[]): number | null =>
    spawnSync('apt-get', args, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'inherit'],
    }).status;
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  if (apt(...install) !== 0) {
    apt('update');
    apt(...install);
  }
}

function reasonToSkip(row: Row): string | undefined {
  if (row.exe && !isRoot) return 'only root may set /proc/self/exe';
  if (existsSync(row.path)) return undefined;
  return `not installed${row.package ? ` (package ${row.package})` : ''}`;
}

const counts = { passed: 0, failed: 0, skipped: 0 };
const programsPassed = new Set<string>();

async function take(queue: [number, Row][]): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [index, row] = next;
    const label = [row.path, ...row.args].join(' ').replaceAll('\n', '\\n').slice(0, 100);
    const skip = reasonToSkip(row);
    if (skip !== undefined) {
      counts.skipped++;
      console.log(`skipped ${label}: ${skip}`);
      continue;
    }
    const failure = await compare(row, join(root, `run-${index}`));
    if (failure === undefined) {
      counts.passed++;
      programsPassed.add(row.path);
    } else {
      counts.failed++;
      console.log(`FAILED ${label}: ${failure}`);
    }
  }
}

installMissing();
makeFixture(join(root, 'fixture'), env);
const queue = [...table.entries()];
await Promise.all(Array.from({ length: concurrency }, () => take(queue)));
if (programsPassed.size < wanted) {
  counts.failed++;
  console.log(`FAILED: ${programsPassed.size} programs passed; want at least ${wanted}`);
}
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed > 0 ? 1 : 0;
