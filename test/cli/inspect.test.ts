import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildSamples } from '../../samples/build.ts';
import { compileC, type Kind } from '../build/compile.ts';
import { inRam, insitu, ramIsMissing } from './insitu.ts';

const inspect = suite('insitu inspect');
const directory = mkdtempSync(join(tmpdir(), 'insitu-inspect-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

function stored(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function json(...args: string[]) {
  const { status, stdout, stderr } = insitu(['inspect', '--json', ...args]);
  assert.equal([status, stderr], [0, ''], args.join(' '));
  return JSON.parse(stdout);
}

function refused(path: string, status: number, message: RegExp): void {
  const outcome = insitu(['inspect', path]);
  assert.equal([outcome.status, outcome.stdout], [status, ''], path);
  assert.match(outcome.stderr, /^insitu: [^\n]*\n$/);
  assert.match(outcome.stderr, message);
}

const wasm = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const component = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
const program = (kind: Kind) => compileC('int main(void) { return 0; }', { name: kind, kind });

inspect('the keys that programs rely on', () => {
  const listing = json('/bin/ls');
  for (const key of [
    'file',
    'format',
    'machine',
    'backing',
    'segments',
    'relocations',
    'needed',
    'interpreter',
  ])
    assert.ok(key in listing, key);
  for (const key of ['medium', 'fileSystem', 'mountPoint', 'dax', 'mapSync', 'volatile'])
    assert.ok(key in listing.backing, `backing.${key}`);
  assert.equal(Object.keys(listing.relocations), ['relative', 'symbol', 'irelative', 'tls', 'text']);
  assert.ok(listing.segments.length > 0);
  const keys = 'index type fileOffset fileSize vaddr memSize prot placement reason'.split(' ');
  for (const segment of listing.segments) assert.equal(Object.keys(segment), keys);
  assert.is(listing.machine, 'x86-64');
});

for (const kind of ['static', 'static-pie', 'pie', 'no-pie'] as const)
  inspect(`a program: ${kind}`, () => {
    const file = program(kind);
    const listing = json(file);
    assert.equal([listing.file, listing.format, listing.kind], [file, 'elf-program', kind]);
    const dynamic = kind === 'pie' || kind === 'no-pie';
    assert.is(listing.interpreter, dynamic ? '/lib64/ld-linux-x86-64.so.2' : null);
    assert.equal(listing.needed, dynamic ? ['libc.so.6'] : []);
    const text = listing.segments.filter((segment: { prot: string }) => segment.prot === 'r-x');
    assert.equal([text.length, text[0].placement], [1, 'in-place']);
    const { status, stdout } = insitu(['inspect', file]);
    assert.is(status, 0);
    assert.match(stdout, new RegExp(`format +elf-program, ${kind}, x86-64\n`));
  });

inspect('a library, its symbols and where it is on measurement', () => {
  const { counter, hash } = buildSamples();
  const listing = json('--symbols', counter);
  assert.is(listing.format, 'elf-shared');
  assert.ok(listing.symbols.includes('counter_next'));
  assert.ok(listing.relocations.relative > 0 && listing.relocations.tls > 0);
  assert.not('symbols' in json(counter));
  assert.match(insitu(['inspect', '--symbols', counter]).stdout, /^counter_apply$/m);
  assert.match(insitu(['inspect', '--headers', hash]).stdout, /^gnu_relro /m);
  const { evidence } = json('--evidence', hash);
  assert.ok(evidence.ranges.some((range: { name: string }) => range.name === 'text'));
  assert.match(insitu(['inspect', '--evidence', hash]).stdout, /text pages|could not be read/);
});

inspect('evidence is of libraries; of a program, run --report has it', () => {
  const { status, stderr } = insitu(['inspect', '--evidence', '/bin/ls']);
  assert.is(status, 2);
  assert.match(stderr, /insitu run --report/);
});

inspect('an addon', () => assert.is(json(buildSamples().addon).format, 'node-addon'));

inspect('a module and a component of WebAssembly, by bytes and not by name', () => {
  assert.equal(
    [json(stored('x.so', wasm)).format, json(stored('x.so', wasm)).machine],
    ['wasm-module', 'wasm'],
  );
  assert.is(json(stored('y.txt', component)).format, 'wasm-component');
});

inspect('a script names its interpreter', () => {
  const listing = json(stored('x.sh', '#! /usr/bin/env  -S node\n'));
  assert.equal([listing.format, listing.interpreter], ['script', '/usr/bin/env']);
  assert.is(json(stored('y.sh', '#!')).interpreter, null);
});

inspect('anything else is unknown, and no error', () => {
  const listing = json(stored('text', 'hello\n'));
  assert.equal([listing.format, listing.segments, listing.machine], ['unknown', [], null]);
  assert.is(json(stored('one', 'x')).format, 'unknown');
});

inspect('refuses what is empty, cut off, not there or no file', () => {
  refused(stored('empty', ''), 126, /file is empty; want/);
  refused(
    stored('cut', readFileSync('/bin/ls').subarray(0, 40)),
    126,
    /file ends after 40 bytes; want an ELF header/,
  );
  refused(
    stored('cut', readFileSync('/bin/ls').subarray(0, 20000)),
    126,
    /PT_LOAD|file ends after 20000 bytes/,
  );
  refused(directory, 126, /is a directory; want/);
  refused('/dev/null', 126, /is a character device that is not device-dax; want/);
  refused(join(directory, 'nowhere'), 127, /ENOENT/);
  refused(join(stored('file', 'x'), 'below'), 127, /ENOTDIR/);
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  refused(fifo, 126, /is a FIFO; want/); // at once: nobody writes to it
});

inspect('names of a hostile file do not reach the terminal as control sequences', () => {
  refused(join(directory, 'a\nb\x1b[2J'), 127, /a\?b\?\[2J: ENOENT/);
  const soname = 'libx\x1b[2J.so';
  const library = compileC('int f(void) { return 1; }', {
    name: 'libx.so',
    kind: 'shared',
    flags: [`-Wl,-soname,${soname}`],
  });
  const { stdout } = insitu(['inspect', library]);
  assert.not(stdout.includes('\x1b'));
  assert.is(json(library).soname, soname);
});

const missing = ramIsMissing();
const inRamFileSystem = missing ? inspect.skip : inspect;
inRamFileSystem(`says that a RAM file system is volatile${missing && `: ${missing}`}`, () => {
  const { backing } = json(inRam(buildSamples().hash));
  assert.equal([backing.medium, backing.volatile, backing.dax], ['ram', true, false]);
});

inspect.run();
