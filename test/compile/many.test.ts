// Modules compiled together: an image each, the same one once, and a failure of one is nobody else's.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkImage } from '../../loader/compile/check-image.ts';
import { compile } from '../../loader/compile/compile.ts';
import { compileMany } from '../../loader/compile/many.ts';
import { ModuleError, UnsupportedFeature } from '../../loader/compile/module.ts';
import { findCompiler } from '../../loader/compile/toolchain.ts';

const directory = mkdtempSync(join(tmpdir(), 'insitu-many-test-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** One function of no parameters that returns a small constant, exported as f. */
const returning = (constant: number) =>
  Uint8Array.from([
    ...HEADER,
    ...[1, 5, 1, 0x60, 0, 1, 0x7f], // type
    ...[3, 2, 1, 0], // function
    ...[7, 5, 1, 1, 0x66, 0, 0], // export
    ...[10, 6, 1, 4, 0, 0x41, constant, 0x0b], // code: i32.const
  ]);
const malformed = Uint8Array.from([...HEADER, 99, 0]);
/** A struct type. */
const withGarbageCollection = Uint8Array.from([...HEADER, 1, 3, 1, 0x5f, 0]);

const options = { directory, tier: 'quick', cpu: 'baseline' } as const;
const outputs = join(directory, 'images');
mkdirSync(outputs);
const image = (name: string) => join(outputs, `${name}.so`);

const many = suite('many');

many('an image each, as if compiled alone; what can be none says why', async () => {
  const modules = {
    one: returning(1),
    two: returning(2),
    malformed,
    again: returning(1),
    gc: withGarbageCollection,
  };
  const told: number[] = [];
  const items = Object.entries(modules).map(([name, bytes]) => ({ bytes, output: image(name) }));
  const failures = await compileMany(items, { ...options, onProgress: (done) => told.push(done) });
  assert.equal(failures.map(Boolean), [false, false, true, false, true]);
  assert.instance(failures[2], ModuleError);
  assert.instance(failures[4], UnsupportedFeature);
  assert.equal(readdirSync(outputs).sort(), ['again.so', 'one.so', 'two.so']);
  for (const name of ['one', 'two', 'again']) checkImage(image(name));
  assert.equal(readFileSync(image('one')), readFileSync(image('again')));
  assert.not.equal(readFileSync(image('one')), readFileSync(image('two')));
  await compile(returning(1), { ...options, output: image('alone') });
  assert.equal(readFileSync(image('alone')), readFileSync(image('one')));
  assert.equal(told.at(-1), 5);
  assert.equal(readdirSync(directory), ['images']);
});

many('more than fit into one compiler’s batch', async () => {
  const items = Array.from({ length: 40 }, (_, i) => ({ bytes: returning(i), output: image(`batch${i}`) }));
  assert.equal(await compileMany(items, options), Array(40).fill(undefined));
  const contents = new Set(items.map(({ output }) => readFileSync(output, 'latin1')));
  assert.is(contents.size, 40);
});

many('a compiler that fails fails each', async () => {
  const compiler = { ...findCompiler(), command: ['/bin/false'] as [string] };
  const items = [3, 4].map((n) => ({ bytes: returning(n), output: image(`failing${n}`) }));
  const failures = await compileMany(items, { ...options, compiler });
  for (const failure of failures)
    assert.match((failure as Error).message, /\/bin\/false ended with exit code 1/);
  const signal = AbortSignal.abort(new Error('enough'));
  try {
    await compileMany(items, { ...options, signal });
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, 'enough');
  }
  assert.equal(
    readdirSync(outputs).filter((name) => name.startsWith('failing')),
    [],
  );
});

many.run();
