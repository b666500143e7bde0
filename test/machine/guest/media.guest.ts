// Medium by medium: what it is sensed as, and where the pages of what runs from it are, as insitu says and as the suite's
// own C program finds out. Leaves a row for each in the file that its argument names.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import { type Backing, sense } from '../../../loader/backing.ts';
import { LoadError } from '../../../loader/error.ts';
import type { Evidence } from '../../../loader/evidence.ts';
import { loadSync } from '../../../runtime/library/index.ts';
import { prepare } from '../../../runtime/program/index.ts';
import {
  add,
  type Count,
  countOf,
  grantsMapSync,
  insitu,
  insituToEnd,
  partsOf,
  payload,
  Resident,
  root,
} from './children.ts';
import { type Medium, media } from './media.ts';

export interface Row {
  medium: string;
  sensed: string;
  mapSync: boolean;
  inNvm: boolean;
  /** Of 64 MiB of text after each page was run. */
  library: Count;
  faults: number;
  cacheGrowth: number;
  staticProgram: Count;
  dynamicProgram: Count;
  libraries: Count;
  node: Count;
  copies: { library: Count; program: Count };
}

const [resultFile = '/dev/null', only = ''] = process.argv.slice(2);
const rows: Row[] = [];
const loadChild = join(root, 'build/test/machine/guest/load-child.js');
const files = ['text64.so', 'static', 'dynamic', 'libside.so', 'ld-linux-x86-64.so.2', 'libc.so.6'];

interface Loaded {
  pagesRun: number;
  faults: number;
  cacheGrowth: number;
  backing: Backing;
  evidence: Evidence;
  bytesCopied: number;
}

/** What a medium's file is called on insitu's command line. */
const nameOf = (medium: Medium, file: string) =>
  medium.kind === 'devdax' ? `devdax:${basename(medium.at)}/${file}` : join(medium.at, file);

const text = (
  counts: readonly { name: string; present: number; nvm: number; ram: number; pages: number }[],
) => add(counts.filter(({ name }) => name === 'text'));

async function load(medium: Medium, place: 'in-place' | 'copy'): Promise<{ loaded: Loaded; found: Count }> {
  writeFileSync('/proc/sys/vm/drop_caches', '3');
  const child = await Resident.start(process.execPath, [loadChild, nameOf(medium, 'text64.so'), place]);
  const loaded: Loaded = JSON.parse(child.line.split(' ').slice(2).join(' '));
  const counts = loaded.evidence.ranges.map(({ name, address, bytes, pages, present, nvm, ram }) => {
    const count = countOf(child.pid, BigInt(address), bytes);
    assert.deepEqual({ pages, present, nvm, ram }, count, `${name} of ${nameOf(medium, 'text64.so')}`);
    return { name, ...count };
  });
  const found = text(counts);
  const { code, stderr } = await child.end();
  assert.equal(code, 0, stderr);
  return { loaded, found };
}

interface Ran {
  /** Of the program's text. */
  own: Count;
  /** Of RELRO, data and bss of a program with fixed addresses. */
  written: Count;
  beside: Count;
  anonymous: Count;
  report: { evidence: Evidence };
}

/** Runs a program through insitu with a report; what the C program finds while it waits, and the report of its end. */
async function run(
  medium: Medium,
  program: string,
  options: string[] = [],
  args: string[] = [],
): Promise<Ran> {
  const report = join('/run', `${program}${options.join('')}.json`);
  rmSync(report, { force: true });
  // On a device $ORIGIN leads nowhere.
  if (medium.kind === 'devdax') process.env.LD_LIBRARY_PATH = payload;
  else delete process.env.LD_LIBRARY_PATH;
  const child = await insitu('run', ...options, `--report-file=${report}`, nameOf(medium, program), ...args);
  const own = medium.kind === 'devdax' ? medium.at : join(medium.at, program);
  const parts = partsOf(child.pid, medium.kind === 'devdax' ? medium.at : `${medium.at}/`, 'anonymous');
  const written = program === 'static' ? countOf(child.pid, ...writableRange(medium)) : add([]);
  const { code, stderr } = await child.end();
  assert.equal(code, 0, stderr);
  const executable = parts.filter(({ protection }) => protection.includes('x'));
  return {
    own: add(executable.filter(({ path }) => path === own)),
    written,
    beside: add(executable.filter(({ path }) => path !== own && path !== 'anonymous')),
    anonymous: add(executable.filter(({ path }) => path === 'anonymous')),
    report: JSON.parse(readFileSync(report, 'utf8')),
  };
}

/** Address and length, in whole pages, of what the static program may write to. */
function writableRange(medium: Medium): [bigint, number] {
  const { segments, located } = prepare(nameOf(medium, 'static'), []);
  located[Symbol.dispose]();
  const writable = segments.filter(({ prot }) => prot === 'rw-');
  const start = Math.min(...writable.map(({ vaddr }) => vaddr)) & -4096;
  const end = Math.max(...writable.map(({ vaddr, memSize }) => vaddr + memSize));
  return [BigInt(start), Math.ceil((end - start) / 4096) * 4096];
}

/** The guest has two processors: two programs at a time, each pair begun when one of it is asked for. */
class Programs {
  readonly #medium: Medium;
  #static: readonly [Promise<Ran>, Promise<Ran>] | undefined;
  #dynamic: readonly [Promise<Ran>, Promise<Ran>] | undefined;

  constructor(medium: Medium) {
    this.#medium = medium;
  }

  ran(name: 'static' | 'copied' | 'dynamic' | 'node'): Promise<Ran> {
    const medium = this.#medium;
    if (name === 'static' || name === 'copied') {
      this.#static ??= together(run(medium, 'static'), run(medium, 'static', ['--copy']));
      return this.#static[name === 'static' ? 0 : 1];
    }
    const script = join(payload, 'script.js');
    this.#dynamic ??= together(run(medium, 'dynamic'), run(medium, 'node', [], [script]));
    return this.#dynamic[name === 'dynamic' ? 0 : 1];
  }
}

/** What fails before it is asked for fails when it is. */
function together<T>(a: Promise<T>, b: Promise<T>): readonly [Promise<T>, Promise<T>] {
  for (const promise of [a, b]) promise.catch(() => {});
  return [a, b];
}

async function place(medium: Medium): Promise<void> {
  const node = join(medium.at, 'node');
  if (medium.readOnly) return;
  const sources = [...files.map((file) => join(payload, file)), process.execPath];
  const { code, stdout, stderr } = await insituToEnd(
    'place',
    ...(medium.kind === 'devdax' ? ['--create'] : []),
    ...sources,
    medium.at,
  );
  assert.equal(code, 0, `${stdout}${stderr}`);
  if (medium.kind !== 'devdax') assert.ok(existsSync(node));
}

/** Where the dynamic program finds its libraries: on the medium, or on the host where that has no file system. */
function lead(medium: Medium): void {
  rmSync('/mnt/here', { force: true });
  symlinkSync(medium.kind === 'devdax' ? payload : medium.at, '/mnt/here');
}

/** What insitu says of a program's text is what was found of it, but for the rest of the units that it shares. */
function agree(medium: Medium, said: Count, found: Count): void {
  if (medium.kind === 'devdax') {
    assert.ok(said.present > 0 && said.present <= found.present);
    assert.deepEqual([said.nvm, said.ram], [said.present, 0]);
  } else assert.deepEqual(said, found);
}

function allIn(where: 'nvm' | 'ram', count: Count, what: string): void {
  assert.ok(count.present > 0, `${what}: no page is resident`);
  assert.deepEqual([count[where], count.nvm + count.ram], [count.present, count.present], what);
}

for (const medium of media.filter(({ name }) => name.includes(only))) {
  const test = suite(medium.name);
  const inNvm = medium.kind === 'dax' || medium.kind === 'devdax';
  const where = inNvm ? 'nvm' : 'ram';
  const row = { medium: medium.name, inNvm } as Row;
  const programs = new Programs(medium);

  test('files are placed on it', async () => {
    medium.prepare?.();
    await place(medium);
    lead(medium);
  });

  test('is sensed as what it is', () => {
    const path = medium.kind === 'devdax' ? medium.at : join(medium.at, 'static');
    const backing = sense(path);
    const { fileSystem, mapSync, dax } = backing;
    const expected = { fileSystem: medium.fileSystem, mapSync: medium.mapSync, dax: inNvm };
    assert.deepEqual({ fileSystem, mapSync, dax }, expected);
    assert.equal(backing.medium, medium.kind);
    assert.equal(backing.volatile, medium.kind === 'ram');
    assert.equal(grantsMapSync(path), mapSync);
    Object.assign(row, { sensed: backing.medium, mapSync });
  });

  test('64 MiB of library text in place', async () => {
    const { loaded, found } = await load(medium, 'in-place');
    assert.equal(loaded.pagesRun, 16384);
    assert.equal(loaded.bytesCopied === 0 || medium.kind === 'devdax', true, `${loaded.bytesCopied} copied`);
    assert.equal(found.present, 16384);
    allIn(where, found, 'truth');
    const said = text(loaded.evidence.ranges);
    assert.deepEqual(said, found);
    const { faults, cacheGrowth } = loaded;
    if (medium.faults === 32) assert.ok(faults >= 32 && faults < 48, `${faults} faults`);
    else assert.ok(faults >= 32, `${faults} faults`);
    if (medium.kind === 'page-cache') assert.ok(cacheGrowth > 32 << 20, `page cache grew by ${cacheGrowth}`);
    else assert.ok(cacheGrowth < 4 << 20, `page cache grew by ${cacheGrowth}`);
    Object.assign(row, { library: found, faults, cacheGrowth });
  });

  test('the same as a copy-load', async () => {
    const { loaded, found } = await load(medium, 'copy');
    assert.equal(loaded.pagesRun, 16384);
    assert.equal(found.present, 16384);
    allIn('ram', found, 'truth');
    assert.deepEqual(text(loaded.evidence.ranges), found);
    assert.ok(loaded.bytesCopied >= 64 << 20);
    row.copies = { ...row.copies, library: found };
  });

  test('a static program', async () => {
    const { own, written, report } = await programs.ran('static');
    allIn(where, own, 'truth');
    agree(medium, text(report.evidence.ranges), own);
    const said = add(report.evidence.ranges.filter(({ name }) => /^(relro|data|bss)$/.test(name)));
    assert.equal(said.pages, written.pages);
    assert.equal(said.nvm + said.ram, said.present);
    // On its way out it writes to a page or two more.
    assert.ok(said.ram >= written.ram && said.ram <= written.ram + 3, `${said.ram}, found ${written.ram}`);
    row.staticProgram = own;
  });

  test('a static program as a copy-load', async () => {
    const { own, anonymous, report } = await programs.ran('copied');
    assert.equal(own.present, 0);
    allIn('ram', anonymous, 'truth');
    const said = text(report.evidence.ranges);
    assert.equal(said.nvm, 0);
    allIn('ram', said, 'report');
    row.copies = { ...row.copies, program: said };
  });

  test('a dynamic program with its libraries beside it', async () => {
    const { own, beside, report } = await programs.ran('dynamic');
    allIn(where, own, 'truth');
    agree(medium, text(report.evidence.ranges), own);
    if (medium.kind !== 'devdax') allIn(where, beside, 'libraries'); // ld.so can't map from a device
    Object.assign(row, { dynamicProgram: own, libraries: beside });
  });

  test('Node itself, running a script', async () => {
    const { own, report } = await programs.ran('node');
    allIn(where, own, 'truth');
    const said = text(report.evidence.ranges);
    assert.equal(inNvm ? said.ram : said.nvm, 0);
    if (medium.kind !== 'devdax') assert.ok(said.present >= own.present);
    row.node = own;
  });

  if (inNvm)
    test('is granted where in place is required', () => {
      const { segments, located } = prepare(nameOf(medium, 'static'), [], { requireInPlace: true });
      located[Symbol.dispose]();
      assert.equal(segments.find(({ prot }) => prot === 'r-x')?.placement, 'in-place');
    });
  else
    test('is refused where in place is required, with the reason', () => {
      const why = medium.kind === 'ram' ? /RAM file system.*want/ : /page cache.*want/;
      const refused = (error: unknown) =>
        error instanceof LoadError && error.code === 'ERR_NOT_IN_PLACE' && why.test(error.message);
      assert.throws(() => prepare(nameOf(medium, 'static'), [], { requireInPlace: true }), refused);
      assert.throws(() => loadSync(nameOf(medium, 'text64.so'), { requireInPlace: true }), refused);
    });

  if (medium.inspected)
    test('what inspect --evidence says of it', async () => {
      const name = nameOf(medium, 'text64.so');
      const { code, stdout, stderr } = await insituToEnd('inspect', '--evidence', '--json', name);
      assert.equal(code, 0, stderr);
      const said = JSON.parse(stdout) as { backing: Backing; evidence: Evidence };
      assert.equal(said.backing.medium, medium.kind);
      const { present, nvm } = text(said.evidence.ranges);
      assert.equal(present, 16384);
      assert.equal(nvm, inNvm ? present : 0);
    });

  test.after(() => {
    rows.push(row);
    writeFileSync(resultFile, JSON.stringify(rows));
    if (medium.readOnly || medium.kind === 'devdax') return;
    for (const file of [...files, 'node']) rmSync(join(medium.at, file), { force: true });
  });
  test.run();
}
