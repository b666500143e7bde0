// Formats are told by bytes: from the first eight of a file, then from its ELF headers.
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { componentEmbed, componentNew } from '@bytecodealliance/jco';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OpenFile } from '../../loader/backing.ts';
import { LoadError } from '../../loader/error.ts';
import { detect } from '../../loader/format.ts';
import { read } from '../../loader/image.ts';
import { compileC, type Kind, temporaryDirectory } from '../build/compile.ts';
import { minimalLibrary, minimalProgram } from '../build/elf.ts';

let count = 0;

function stored(bytes: Buffer | Uint8Array | string, name = `file-${count++}`): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, bytes);
  return path;
}

function family(path: string): string {
  using file = new OpenFile(path);
  return detect(file.head);
}

function image(path: string): [format: string, kind: string | null] {
  using file = new OpenFile(path);
  assert.is(detect(file.head), 'elf', path);
  const { format, kind } = read(file);
  return [format, kind];
}

const main = 'int main(void) { return 0; }';
const programs = suite('format: programs');

for (const kind of ['static', 'static-pie', 'pie', 'no-pie'] as const satisfies Kind[])
  programs(`${kind}, whatever its name`, () => {
    const path = compileC(main, { name: `${kind}.wasm.so`, kind });
    assert.equal(image(path), ['elf-program', kind]);
  });

for (const kind of ['static', 'static-pie', 'pie'] as const)
  programs(`minimal ${kind}`, () => {
    assert.equal(image(stored(minimalProgram({ kind }).bytes())), ['elf-program', kind]);
  });

programs('Node', () => {
  assert.is(image(process.execPath)[0], 'elf-program');
});

programs.run();

const libraries = suite('format: shared objects');

libraries('compiled, and minimal with each hash table', () => {
  const path = compileC('int f(void) { return 1; }', { name: 'libf', kind: 'shared' });
  assert.equal(image(path), ['elf-shared', null]);
  for (const hash of ['sysv', 'gnu', 'both'] as const)
    assert.equal(image(stored(minimalLibrary({ hash }).bytes())), ['elf-shared', null]);
});

libraries('under the name of something else', () => {
  const path = compileC('int f(void) { return 1; }', { name: 'libg.so', kind: 'shared' });
  renameSync(path, `${path}.wasm`);
  assert.equal(image(`${path}.wasm`), ['elf-shared', null]);
});

libraries('with an entry of its own', () => {
  const flags = ['-Wl,-e,f', '-Wl,-soname,libentry.so'];
  const path = compileC('int f(void) { return 1; }', { name: 'libentry.so', kind: 'shared', flags });
  assert.equal(image(path), ['elf-shared', null]);
});

for (const path of ['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2'])
  (existsSync(path) ? libraries : libraries.skip)(`${path}, which could run as a program`, () => {
    assert.equal(image(path), ['elf-shared', null]);
  });

const napi = `__attribute__((visibility("default"))) void *napi_register_module_v1(void *e, void *x) { return x; }`;

libraries('node addons, by what they export', () => {
  for (const hash of ['sysv', 'gnu', 'both']) {
    const flags = [`-Wl,--hash-style=${hash}`];
    const path = compileC(napi, { name: `addon-${hash}.so`, kind: 'shared', flags });
    assert.equal(image(path), ['node-addon', null], hash);
  }
  const hidden = compileC(napi.replace('"default"', '"hidden"'), { name: 'hidden.node', kind: 'shared' });
  assert.equal(image(hidden), ['elf-shared', null]);
  const calls = 'void *napi_register_module_v1(void); void *f(void) { return napi_register_module_v1(); }';
  assert.equal(image(compileC(calls, { name: 'calls.node', kind: 'shared' })), ['elf-shared', null]);
});

libraries('an addon that registers itself in a constructor, by what it leaves undefined (bufferutil)', () => {
  const require = createRequire(import.meta.url);
  const prebuilds = join(require.resolve('bufferutil'), '..', 'prebuilds', 'linux-x64');
  assert.equal(image(join(prebuilds, 'bufferutil.node')), ['node-addon', null]);
});

libraries.run();

const others = suite('format: everything else');

/** (module (func (export "run") (result i32) i32.const 42)) */
const wasm = Buffer.from(
  '0061736d0100000001050160' + '00017f030201000707' + '010372756e00000a06010400412a0b',
  'hex',
);

others('wasm module', () => {
  assert.is(family(stored(wasm)), 'wasm-module');
  assert.is(family(stored(wasm, 'named.so')), 'wasm-module');
  assert.is(family(stored(wasm.subarray(0, 8))), 'wasm-module');
});

others('wasm component, made by jco', async () => {
  const witSource = 'package test:test; world test { export run: func() -> s32; }';
  const embedded = await componentEmbed({ binary: wasm, witSource } as Parameters<typeof componentEmbed>[0]);
  assert.is(family(stored(embedded)), 'wasm-module');
  const component = await componentNew(embedded, []);
  assert.ok(component.length > wasm.length);
  assert.is(family(stored(component)), 'wasm-component');
});

others('script', () => {
  assert.is(family(stored('#!/bin/sh\n')), 'script');
  assert.is(family(stored('#!')), 'script');
});

const unknown: [string, Buffer | string][] = [
  ['nothing', ''],
  ['text', 'some text\n'],
  ['one byte of the ELF magic number', '\x7f'],
  ['three bytes of the ELF magic number', '\x7fEL'],
  ['another letter in the ELF magic number', '\x7fELG1234'],
  ['wasm magic number alone', wasm.subarray(0, 4)],
  ['wasm of version 2', Buffer.from('0061736d02000000', 'hex')],
  ['wasm of layer 2', Buffer.from('0061736d01000200', 'hex')],
  ['a Mach-O file', Buffer.from('cffaedfe07000001', 'hex')],
  ['a shebang behind a space', ' #!/bin/sh'],
];

for (const [what, bytes] of unknown)
  others(`unknown: ${what}`, () =>
    assert.is(family(stored(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)), 'unknown'),
  );

others('the magic number alone makes no ELF file', () => {
  const path = stored('\x7fELF');
  assert.is(family(path), 'elf');
  using file = new OpenFile(path);
  assert.throws(
    () => read(file),
    (error: unknown) => error instanceof LoadError && error.code === 'ERR_TRUNCATED',
  );
});

others.run();
