// The recorder against a program whose stores, write-backs and fences are known.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileC } from '../../build/compile.ts';
import { buildRecorder } from './recorder.ts';
import { type Event, readTrace } from './trace.ts';

const directory = mkdtempSync('/dev/shm/insitu-test-');
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const recorder = buildRecorder();
const known = compileC(readFileSync(new URL('./known.c', import.meta.url), 'utf8'), {
  name: 'known',
  kind: 'pie',
  flags: ['-mclwb', '-mclflushopt', '-pthread'],
});
const region = join(directory, 'region');
const trace = join(directory, 'trace');

function run(part: string, ...options: string[]) {
  writeFileSync(region, Buffer.alloc(8192));
  const args = ['--region', region, '--trace', trace, ...options, '--', known, region, part];
  const { status, stderr } = spawnSync(recorder, args, { encoding: 'utf8' });
  return { status, stderr };
}

/** Events as short text: 's' store, 'n' nontemporal, 'k' by the kernel, at and bytes; 'w' write-back; 'f' fence; 'd' durable. */
function short(event: Event): string {
  switch (event.e) {
    case 'store':
      return `${event.kind[0]} ${event.at} ${event.bytes.toString('hex')}`;
    case 'write-back':
      return `w ${event.at} ${event.by}`;
    case 'fence':
      return `f ${event.by}`;
    case 'durable':
      return `d ${event.at}+${event.size} ${event.by}`;
    case 'mark':
      return `mark ${event.text}`;
    case 'patched':
      return `patched ${event.what}`;
  }
}

const events = () => readTrace(trace).events.map(short);

const expected = [
  ...['s 8 8877665544332211', 'w 0 clwb', 'f sfence', 'mark one'],
  ...['s 64 01', 'w 64 clflushopt', 'f mfence'],
  ...['s 128 05', 'w 128 clflush', 's 136 01', 'f locked', 'w 128 clwb', 'f sfence'],
  ...['n 192 07', 'f sfence', 'n 208 0102030405060708090a0b0c0d0e0f10', 'f sfence'],
  's 1020 0102030405060708090a0b0c0d0e0f10',
  ...['s 2044 01', 's 2045 02', 's 2046 03', 's 2047 04', 's 2048 05', 's 2049 06'],
  'd 0+4096 msync',
  ...['k 4096 68656c6c6f', 'k 5000 776f726c64', 'd 0+8192 fdatasync', 'k 6000 78797a'],
  ...['s 4106 09', 'w 4096 clwb', 'f sfence'],
];

const test = suite('order: recorder');

test('every event, in order, and the image before the first', () => {
  assert.equal(run('all'), { status: 5, stderr: '' });
  assert.equal(events(), expected);
  const { image } = readTrace(trace);
  assert.is(image.length, 8192);
  assert.equal([...image.subarray(0, 16)], [1, ...Array(15).fill(0)]);
  const written = readFileSync(region);
  assert.is(written[2], 77, 'the program went on to its end');
});

test('single-stepping all of it finds the same', () => {
  assert.equal(run('all', '--every'), { status: 5, stderr: '' });
  assert.equal(events(), expected);
});

test('a fence that is made a no-op is one in the running program, and known as such', () => {
  assert.equal(run('all', '--remove', 'sfence'), { status: 5, stderr: '' });
  const found = events();
  assert.is(found.filter((text) => text === 'patched sfence').length, 5);
  assert.is(found.includes('f sfence'), false);
  assert.equal(
    found.filter((text) => !text.startsWith('patched')),
    expected.filter((text) => text !== 'f sfence'),
  );
});

test('so is a write-back', () => {
  assert.equal(run('all', '--remove', 'clwb'), { status: 5, stderr: '' });
  assert.equal(
    events().filter((text) => !text.startsWith('patched')),
    expected.filter((text) => !text.endsWith(' clwb')),
  );
});

test('a store by another thread is not passed over', () => {
  const { status, stderr } = run('thread');
  assert.is(status, 125);
  assert.match(stderr, /offset 0x1 changed unseen|ended .* before the end marker/);
});

test('a recording that is not finished is none', () => {
  const { status, stderr } = run('unfinished');
  assert.is(status, 125);
  assert.match(stderr, /before the end marker/);
  assert.throws(() => readTrace(trace), /want a recording that was finished|JSON/);
});

test('a program that never begins, and one that is not there', () => {
  const args = ['--region', region, '--trace', trace, '--', 'true'];
  assert.match(spawnSync(recorder, args, { encoding: 'utf8' }).stderr, /before the begin marker/);
  assert.is(spawnSync(recorder, [...args.slice(0, -1), join(directory, 'none')]).status, 127);
});

test.run();
