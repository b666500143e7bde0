// Real shared objects from a RAM file system, in place and as a copy, each in a process of its own: what is where in
// memory, what they compute (compared with dlopen), C++ and linker features, Node addons.
// Start it with: node --import tsx test/libraries/libraries.ts
import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { sense } from '../../runtime/index.ts';
import { addonFiles } from './addons.ts';
import { builtRows } from './built.ts';
import { jobs } from './jobs.ts';
import { furtherPackages, type Row, table } from './table.ts';

const timeout = 30_000; // ms a child
const concurrency = 2;
const wanted = { loaded: 45, jobs: 18 }; // where packages can be installed
const isRoot = process.getuid?.() === 0;
const child = fileURLToPath(new URL('./child.ts', import.meta.url));
const systemDirectories = ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu'];

interface Task {
  name: string;
  kind: 'load' | 'job' | 'refusal' | 'built' | 'addon';
  /** Answers what is wrong, or undefined. */
  run: () => Promise<string | undefined>;
  skip?: string | undefined;
}

interface Ended {
  status: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C', TZ: 'UTC0' };
delete env.NODE_EXTRA_CA_CERTS;
delete env.LD_PRELOAD;

/** A directory on a RAM file system whose files may be executed; where there is none, one for temporary files. */
function freshDirectory(): string {
  for (const parent of ['/dev/shm', tmpdir()]) {
    if (!existsSync(parent)) continue;
    const made = realpathSync(mkdtempSync(join(parent, 'insitu-libraries-')));
    const probe = join(made, 'probe');
    writeFileSync(probe, 'probe');
    const { medium, noexec } = sense(probe);
    if (medium === 'ram' && !noexec) return made;
    rmSync(made, { recursive: true });
  }
  console.log('no RAM file system to execute from: what is mapped lies in the page cache');
  return realpathSync(mkdtempSync(join(tmpdir(), 'insitu-libraries-')));
}

const directory = freshDirectory();
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

function start(check: string, args: unknown): Promise<Ended> {
  const tsx = import.meta.resolve('tsx');
  const started = spawn(process.execPath, ['--import', tsx, child, check, JSON.stringify(args)], {
    cwd: directory,
    env,
    timeout,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  started.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  started.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise((resolve, reject) => {
    started.on('error', reject);
    started.on('close', (status, signal) =>
      resolve({
        status,
        signal,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
}

/** What went wrong in a child that should have ended with status 0. */
function failureOf({ status, signal, stderr }: Ended): string | undefined {
  if (status === 0) return undefined;
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !/^\s+at /.test(line));
  const how = signal === 'SIGKILL' ? `no end within ${timeout} ms` : (signal ?? `status ${status}`);
  return `${how}: ${lines.slice(0, 12).join('\n    ')}`;
}

const answerOf = ({ stdout }: Ended): string => stdout.trimEnd().split('\n').at(-1) ?? '';

/** What two answers differ in. */
function difference(found: string, expected: string, what: string): string | undefined {
  if (found === expected) return undefined;
  let at = 0;
  while (found[at] === expected[at]) at++;
  const from = Math.max(0, at - 20);
  return `${what} at ${at}: ${JSON.stringify(found.slice(from, at + 60))}; want ${JSON.stringify(expected.slice(from, at + 60))}`;
}

const stored = (file: string): string | undefined =>
  systemDirectories.map((parent) => join(parent, file)).find((path) => existsSync(path));

/** The library on the RAM file system, for as long as `use` takes. */
async function withCopy<T>(file: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(mkdtempSync(join(directory, 'copy-')), file);
  copyFileSync(stored(file) as string, path);
  try {
    return await use(path);
  } finally {
    rmSync(dirname(path), { recursive: true });
  }
}

async function runLibrary(row: Row): Promise<string | undefined> {
  const { symbol, tls, refused } = row;
  const check = refused === undefined ? 'load' : 'refusal';
  return withCopy(row.file, async (path) =>
    failureOf(await start(check, { path, symbol, tls, code: refused })),
  );
}

async function runJob(file: string): Promise<string | undefined> {
  return withCopy(file, async (path) => {
    const own = await start('job', { file, path });
    const reference = await start('reference', { file, path });
    const failed = failureOf(own);
    if (failed !== undefined) return failed;
    const referenceFailed = failureOf(reference);
    if (referenceFailed !== undefined) return `with dlopen: ${referenceFailed}`;
    return difference(answerOf(own), answerOf(reference), 'answer differs from dlopen');
  });
}

async function runBuilt(index: number): Promise<string | undefined> {
  const row = builtRows[index];
  if (row === undefined) return 'no such row';
  const place = join(directory, `built-${index}`);
  mkdirSync(place);
  const files = row.make(place);
  const ended = await start('built', { name: row.name, files });
  if (row.dies !== undefined) {
    if (ended.signal !== 'SIGSEGV') return `did not die by SIGSEGV: ${failureOf(ended)}`;
    return row.dies.test(ended.stderr) ? undefined : `said ${JSON.stringify(ended.stderr)}; want ${row.dies}`;
  }
  const failed = failureOf(ended);
  if (failed !== undefined || row.reference === undefined) return failed;
  const reference = await start('built-reference', { name: row.name, files });
  return failureOf(reference) ?? difference(ended.stdout, reference.stdout, 'output differs from dlopen');
}

function installMissing(): void {
  const missing = new Set(table.filter((row) => stored(row.file) === undefined).map((row) => row.package));
  if (!existsSync('/usr/bin/gdb')) for (const name of furtherPackages) missing.add(name);
  if (missing.size === 0 || !isRoot) return;
  const apt = (...args: string[]): boolean =>
    spawnSync('apt-get', args, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'inherit'],
    }).status === 0;
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  if (apt(...install)) return;
  apt('update');
  apt(...install);
}

const missingPackage = (file: string): string | undefined =>
  stored(file) === undefined
    ? `not installed (package ${table.find((row) => row.file === file)?.package}${isRoot ? '' : '; only root may install it'})`
    : undefined;

function tasks(): Task[] {
  const libraries = table.map(
    (row): Task => ({
      name: row.refused === undefined ? row.file : `${row.file} is refused`,
      kind: row.refused === undefined ? 'load' : 'refusal',
      run: () => runLibrary(row),
      skip: missingPackage(row.file),
    }),
  );
  const work = Object.keys(jobs).map(
    (file): Task => ({
      name: `${file} at work`,
      kind: 'job',
      run: () => runJob(file),
      skip: missingPackage(file),
    }),
  );
  const built = builtRows.map(
    (row, i): Task => ({ name: row.name, kind: 'built', run: () => runBuilt(i), skip: row.skip?.() }),
  );
  const addons = Object.entries(addonFiles).map(
    ([name, find]): Task => ({
      name: `addon ${name}`,
      kind: 'addon',
      run: async () => failureOf(await start('addon', { path: copyAddon(find()) })),
    }),
  );
  return [...libraries, ...work, ...built, ...addons];
}

function copyAddon(path: string): string {
  const copied = join(
    mkdtempSync(join(directory, 'addon-')),
    path.includes('crc32') ? 'crc32.node' : 'bufferutil.node',
  );
  copyFileSync(path, copied);
  return copied;
}

const counts = { passed: 0, failed: 0, skipped: 0 };
const passedOf = { load: 0, job: 0, refusal: 0, built: 0, addon: 0 };

function fail(text: string): void {
  counts.failed++;
  console.log(`FAILED ${text}`);
}

async function take(queue: Task[]): Promise<void> {
  for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
    if (task.skip !== undefined) {
      counts.skipped++;
      console.log(`skipped ${task.name}: ${task.skip}`);
      continue;
    }
    const failure = await task.run().catch((error: Error) => error.message);
    if (failure !== undefined) {
      fail(`${task.name}: ${failure}`);
      continue;
    }
    counts.passed++;
    passedOf[task.kind]++;
  }
}

installMissing();
const only = process.argv[2]; // part of a name
const queue = tasks().filter((task) => only === undefined || task.name.includes(only));
await Promise.all(Array.from({ length: concurrency }, () => take(queue)));
if (isRoot && only === undefined) {
  if (passedOf.load < wanted.loaded)
    fail(`${passedOf.load} libraries passed; want at least ${wanted.loaded}`);
  if (passedOf.job < wanted.jobs) fail(`${passedOf.job} jobs passed; want at least ${wanted.jobs}`);
}
console.log(
  Object.entries(passedOf)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', '),
);
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed > 0 ? 1 : 0;
