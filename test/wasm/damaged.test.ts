// Images that are not what was installed: every byte that a load believes, flipped; files that end early; other formats.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../loader/compile/compile.ts';
import { seal } from '../../loader/compile/seal.ts';
import { type Damage, everyByte, type Part, partsOf } from './damaged.ts';
import type { Task } from './damaged-child.ts';
import { directory, wasmFile } from './stage.ts';

const child = fileURLToPath(new URL('./damaged-child.ts', import.meta.url));
const PAGE = 4096;

const MODULE = `(module
  (import "host" "note" (func $note (param i32)))
  (memory (export "memory") 1 4)
  (table (export "table") 3 funcref)
  (global $count (export "count") (mut i32) (i32.const 7))
  (type $unary (func (param i32) (result i32)))
  (elem (i32.const 0) $double $trap)
  (data (i32.const 100) "text in the first page")
  (data $passive "a passive segment")
  (func $double (export "double") (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func $trap (export "trap") (type $unary) unreachable)
  (func (export "indirect") (type $unary) (call_indirect (type $unary) (local.get 0) (i32.const 0)))
  (func (export "read") (type $unary)
    (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 17))
    (call $note (i32.load8_u (i32.const 2)))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.add (global.get $count) (i32.load8_u offset=99 (local.get 0)))))`;

const source = await wasmFile('damaged.wasm', MODULE);
const image = join(directory, 'whole.so');
await compile(readFileSync(source), { directory, output: image, tier: 'quick', cpu: 'baseline' });
const whole = readFileSync(image);
const parts = partsOf(whole);

/** What became of each copy; of one that ends its process, how it did. */
function outcomes(damages: readonly Damage[], of = image): string[] {
  const found: string[] = [];
  while (found.length < damages.length) {
    const task: Task = { image: of, source, directory, damages: damages.slice(found.length) };
    const { stdout, stderr, signal, status } = spawnSync(process.execPath, ['--import', 'tsx', child], {
      input: JSON.stringify(task),
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    const lines = stdout.split('\n').filter((line) => line !== '');
    found.push(...lines.map((line) => JSON.parse(line) as string));
    if (found.length < damages.length) found.push(`ended by ${signal ?? status}: ${stderr.slice(-300)}`);
  }
  return found;
}

/** The image as it is: no byte is another. */
const [asInstalled] = outcomes([{ at: 0, flip: 0 }]) as [string];

const nameOf = ({ at, flip }: Damage): string => {
  const part = parts.find(({ start, end }) => at >= start && at < end) as Part;
  return `${part.name} +${at - part.start} ^ 0x${flip?.toString(16)}`;
};

/** A typed error, or nothing that can be told from the whole one. */
function assertHarmless(damages: readonly Damage[], of = image): string[] {
  const found = outcomes(damages, of);
  const bad = found.flatMap((outcome, index) =>
    outcome === asInstalled || /^ERR_[A-Z_]+: |^E[A-Z]+: /.test(outcome)
      ? []
      : [`${nameOf(damages[index] as Damage)}: ${outcome}`],
  );
  assert.equal(bad.slice(0, 20), []);
  return found;
}

const test = suite('damaged images');

test('the image as it was made loads, and does what the module says', () => {
  assert.match(asInstalled, /^loaded: .*double 2; trap RuntimeError: unreachable; indirect 2; read 124/);
  const sizes = Object.fromEntries(parts.map(({ name, start, end }) => [name, end - start]));
  assert.ok((sizes.description ?? 0) > 300, JSON.stringify(sizes));
});

for (const part of parts)
  test(`${part.name}: every byte flipped`, () => {
    const found = assertHarmless(everyByte([part], [0xff, 0x01, 0x80]));
    assert.ok(found.some((outcome) => outcome.startsWith('ERR_')));
  });

test('a file that ends at any page, and within the first', () => {
  const ends = [0, 1, 16, 63, 64, 65, 100, 500, 1000];
  for (let at = PAGE; at < whole.length; at += PAGE) ends.push(at);
  const found = outcomes(ends.map((at) => ({ at })));
  found.forEach((outcome, index) => {
    // What lies behind the last segment is read by nobody.
    if (outcome !== asInstalled) assert.match(outcome, /^ERR_[A-Z]+: /, `ends at ${ends[index]}`);
  });
  assert.ok(found.filter((outcome) => outcome.startsWith('ERR_')).length >= ends.length - 2);
});

/** A copy whose description has another 32-bit word, with a checksum that holds. */
function resealed(name: string, at: number, word: number, part = 'description'): string {
  const path = join(directory, `${name}.so`);
  copyFileSync(image, path);
  const { start } = parts.find((candidate) => candidate.name === part) as Part;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(word);
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, 4, start + at);
  closeSync(fd);
  seal(path);
  return path;
}

const word = (at: number): number => whole.readUInt32LE((parts.at(-1)?.start ?? 0) + at);
const rows: [name: string, at: number, word: number, wanted: RegExp][] = [
  ['magic', 0, 0x11111111, /^ERR_IMAGE: .*another format/],
  ['format', 8, word(8) + 1, /^ERR_IMAGE: .*another format/],
  ['machine', 12, 8, /^ERR_IMAGE: .*another machine/],
  ['cpu', 16, 0x7fff_ffff, /^ERR_CPU: .*compiled for a CPU with/],
];
for (const [name, at, value, wanted] of rows)
  test(`another ${name}, with a checksum that holds`, () => {
    const path = resealed(name, at, value);
    const [outcome] = outcomes([{ at: 0, flip: 0 }], path);
    assert.match(outcome ?? '', wanted);
  });

test('files that are no images', () => {
  const empty = join(directory, 'empty');
  mkdirSync(empty);
  const files = new Map<string, Buffer>([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(65536)],
    ['text', Buffer.from('#!/bin/sh\n')],
    ['module', readFileSync(source)],
  ]);
  for (const [name, bytes] of files) {
    const path = join(empty, name);
    writeFileSync(path, bytes);
    const task: Task = { image: path, source, directory, damages: [{ at: bytes.length }] };
    const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', child], {
      input: JSON.stringify(task),
      encoding: 'utf8',
    });
    assert.match(JSON.parse(stdout), /^ERR_[A-Z]+: /, name);
  }
});

test.run();
