// The hook: what is missing or unusual, in the store or in the program. The program goes on as without it.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packageRoot } from '../../loader/root.ts';
import { directory, install, store } from '../wasm/stage.ts';
import { adder, five, importer, math, other, plain } from './modules.ts';
import { hook, run, script } from './stage.ts';

const unusual = suite('hook: what is missing or unusual');

function damagedStore(name: string, damage: (image: string) => void): NodeJS.ProcessEnv {
  const copy = join(directory, name);
  cpSync(store, copy, { recursive: true, verbatimSymlinks: true });
  for (const entry of readdirSync(join(copy, 'entries')))
    for (const file of readdirSync(join(copy, 'entries', entry)))
      if (file.endsWith('.so')) damage(join(copy, 'entries', entry, file));
  return { INSITU_STORE: copy };
}

function overwrite(image: string, change: (bytes: Buffer) => Buffer): void {
  const bytes = change(readFileSync(image));
  chmodSync(image, 0o644);
  writeFileSync(image, bytes);
}

const cases: Record<string, { setting?: Parameters<typeof run>[1]; options?: string[]; where: RegExp }> = {
  'no store': { setting: { env: { INSITU_STORE: '/nowhere' } }, where: /^V8: no image in a store$/ },
  'a store that is a file': { setting: { env: { INSITU_STORE: plain } }, where: /^V8: no image in a store$/ },
  'turned off': { setting: { env: { INSITU: 'off' } }, where: /^$/ },
  'copied, to compare': { setting: { env: { INSITU: 'copy' } }, where: /^in place$/ },
  'types of functions': { options: ['--experimental-wasm-type-reflection'], where: /^$/ },
  'frozen intrinsics': { options: ['--frozen-intrinsics', '--no-warnings'], where: /^(in place)?$/ },
  'no code from strings': { options: ['--disallow-code-generation-from-strings'], where: /^in place$/ },
  'no addons': { options: ['--no-addons'], where: /^V8: / },
};
for (const [name, { setting, options = [], where }] of Object.entries(cases))
  unusual(name, () => {
    const done = run([...options, plain], setting);
    assert.equal([done.stdout, done.status, done.stderr], ['5\n', 0, '']);
    assert.match(done.where.join(), where);
  });

const damages: Record<string, (bytes: Buffer) => Buffer> = {
  'an image that is cut short': (bytes) => bytes.subarray(0, 100),
  'an image of nothing': () => Buffer.alloc(0),
  'an image whose headers are wrong': (bytes) => Buffer.concat([Buffer.alloc(64, 0xff), bytes.subarray(64)]),
  'an image of another architecture': (bytes) => {
    bytes.writeUInt16LE(0xf3, 18); // EM_RISCV
    return bytes;
  },
};
for (const [name, change] of Object.entries(damages))
  unusual(name, () => {
    const where = damagedStore(name.replaceAll(' ', '-'), (image) => overwrite(image, change));
    const done = run([plain], { env: where });
    assert.equal([done.stdout, done.status, done.stderr], ['5\n', 0, '']);
    assert.match(done.where.join(), /^V8: \S*\.so: /);
  });

unusual('bytes that changed under the same name', () => {
  const changed = join(directory, 'changed.wasm');
  copyFileSync(adder, changed);
  install(changed);
  assert.equal(run([plain, changed]).where, ['in place']);
  copyFileSync(other, changed);
  const done = run([plain, changed]);
  assert.equal([done.stdout, done.where], ['5\n', ['V8: no image in a store']]);
});

const frozen = script(
  'frozen.cjs',
  `${five}
  const told = (name, act) => console.log(name, String(act()));
  const names = ['compile', 'instantiate', 'validate', 'Module', 'Instance', 'Memory', 'Table', 'Global'];
  if (process.argv[3] === 'freeze') Object.freeze(WebAssembly);
  if (process.argv[3] === 'seal') Object.seal(WebAssembly);
  if (process.argv[3] === 'prototype') Object.freeze(WebAssembly.Memory.prototype);
  for (const name of names) told(name, () => typeof WebAssembly[name]);
  told('five', () => five(new WebAssembly.Instance(new WebAssembly.Module(bytes))));
  told('memory', () => new WebAssembly.Memory({ initial: 1 }).buffer.byteLength);
  told('table', () => new WebAssembly.Table({ element: 'anyfunc', initial: 1 }).length);
  told('global', () => new WebAssembly.Global({ value: 'i32' }, 7).value);
  WebAssembly.compile(bytes).then((module) => told('compiled', () => five(new WebAssembly.Instance(module))));`,
);
for (const [name, options, args] of [
  ['intrinsics', ['--frozen-intrinsics', '--no-warnings'], []],
  ['WebAssembly', [], ['freeze']],
  ['WebAssembly, sealed', [], ['seal']],
  ['the prototype of memories', [], ['prototype']],
] as const)
  unusual(`frozen: ${name}`, () => {
    const of = (preload?: string[]) => run([...options, frozen, adder, ...args], preload ? { preload } : {});
    const [own, plainly] = [of(), of([])];
    assert.equal([own.stdout, own.stderr, own.status], [plainly.stdout, plainly.stderr, plainly.status]);
    assert.match(own.stdout, /^five 5$/m);
  });

unusual('where there is no WebAssembly nothing is said', () => {
  const done = run(['--no-expose-wasm', script('nothing.cjs', 'console.log(1)')]);
  assert.equal([done.stdout, done.stderr], ['1\n', '']);
});

unusual('calls can be mocked, and are V8 functions to look at', () => {
  const mocking = script(
    'mocking.cjs',
    `const { mock } = require('node:test');
    const mocked = mock.method(WebAssembly, 'validate', () => 'mocked');
    console.log(WebAssembly.validate(), mocked.mock.calls.length, WebAssembly.compile);`,
  );
  const done = run([mocking]);
  assert.equal([done.stdout, done.status], ['mocked 1 [Function: compile]\n', 0], done.stderr);
});

unusual('buffers that are no more, views that lie', () => {
  const lying = script(
    'lying.cjs',
    `${five}
    const told = (act) => { try { console.log(String(act())); } catch (error) { console.log(error.name, error.message); } };
    const detached = new Uint8Array(bytes);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    told(() => new WebAssembly.Module(detached));
    told(() => new WebAssembly.Module(detached.buffer));
    const lying = Object.defineProperties(new Uint8Array(bytes), { buffer: { value: 1 }, byteLength: { value: 1e9 } });
    told(() => five(new WebAssembly.Instance(new WebAssembly.Module(lying))));`,
  );
  const [own, plainly] = [run([lying]), run([lying], { preload: [] })];
  assert.is(own.stdout, plainly.stdout);
  assert.equal(own.where.at(-1), 'in place');
});

unusual('a thread without the hook is told what it wants', () => {
  const posting = script(
    'bare.cjs',
    `${five}
    const { Worker } = require('node:worker_threads');
    const code = \`require('node:worker_threads').parentPort.once('message', (module) => {
      try { new WebAssembly.Instance(module, {}); } catch (error) { console.log(error.name, error.message); }
    });\`;
    new Worker(code, { eval: true, execArgv: [], env: {} }).postMessage(new WebAssembly.Module(bytes));`,
  );
  assert.match(run([posting]).stdout, /^TypeError .*this module runs in place/);
});

unusual('a module that claims to be another’s is compiled as it is', () => {
  const claim = JSON.stringify(['0'.repeat(32), join(store, 'x'), null]);
  const forging = script(
    'forging.cjs',
    `const text = (value) => [value.length, ...Buffer.from(value)];
    const content = [...text('insitu.image'), ...Buffer.from(${JSON.stringify(claim)})];
    const bytes = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 0, content.length & 127 | 128, content.length >> 7, ...content]);
    const made = new WebAssembly.Module(bytes);
    console.log(Object.keys(new WebAssembly.Instance(made).exports).length, WebAssembly.Module.customSections(made, 'insitu.image').length);`,
  );
  const done = run([forging], { env: { INSITU: 'always' } });
  assert.equal([done.stdout, done.where], ['0 1\n', ['V8: no image in a store']], done.stderr);
});

unusual('what is no clone of ours is left alone', () => {
  const maps = script(
    'maps.cjs',
    `class Own extends Map { get(key) { throw new Error('asked for ' + key); } }
    const forged = new Map([['threads', new SharedArrayBuffer(0)], ['WebAssembly.Module of insitu', ['/etc/passwd', null]]]);
    console.log(new Own() instanceof WebAssembly.Module, forged instanceof WebAssembly.Module);`,
  );
  const done = run([maps]);
  assert.equal([done.stdout, done.where], ['false false\n', []], done.stderr);
});

unusual('an image of another module in its place', () => {
  const images = new Map<string, string>();
  const setting = damagedStore('swapped', (image) => images.set(image, readFileSync(image, 'latin1')));
  const [first, second] = [...images] as [[string, string], [string, string]];
  for (const [[path], [, content]] of [
    [first, second],
    [second, first],
  ] as const)
    overwrite(path, () => Buffer.from(content, 'latin1'));
  const done = [adder, importer, math].map((file) =>
    run([script('only.cjs', `${five} new WebAssembly.Module(bytes);`), file], {
      env: { ...setting, INSITU: 'always' },
    }).where.join(),
  );
  const refused = done.filter((where) => /^V8: .* is an image of the module [0-9a-f]{64}; want /.test(where));
  assert.is(refused.length, 2, done.join('\n'));
});

unusual('a store that cannot be looked into', () => {
  const setting = damagedStore('closed', () => {});
  const entries = join(setting.INSITU_STORE as string, 'entries');
  for (const entry of readdirSync(entries)) {
    rmSync(join(entries, entry), { recursive: true });
    symlinkSync(entry, join(entries, entry)); // to itself
  }
  const done = run([plain], { env: setting });
  assert.equal([done.stdout, done.stderr], ['5\n', '']);
  assert.match(done.where.join(), /^V8: ELOOP/);
});

unusual('learning where addons are not permitted', () => {
  const done = run(['--no-addons', plain, other], { env: { INSITU: 'learn' } });
  assert.equal([done.stdout, done.status, done.stderr], ['5\n', 0, '']);
});

const permission = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

unusual('where addons are not permitted V8 runs it', () => {
  const done = run([permission, '--no-warnings', '--allow-fs-read=*', '--allow-fs-write=*', plain]);
  assert.equal([done.stdout, done.status], ['5\n', 0], done.stderr);
  assert.match(done.where.join(), /^V8: /);
});

unusual('where files are not permitted V8 runs it', () => {
  const readable = [plain, adder].map((path) => `--allow-fs-read=${path}`);
  const dist = `--allow-fs-read=${join(hook, '../../..')}/*`;
  const done = run([permission, '--no-warnings', dist, ...readable, plain, adder]);
  assert.equal([done.stdout, done.status], ['5\n', 0], done.stderr);
});

const code: Record<string, (bytes: Buffer) => Buffer> = {
  'is not there': () => Buffer.alloc(0),
  'is cut short': (bytes) => bytes.subarray(0, bytes.length >> 1),
  'says a wrong length': (bytes) => {
    bytes.writeUInt32LE(0xffffffff, 0);
    return bytes;
  },
  'is of another V8': (bytes) => {
    for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32LE(at)) bytes.writeUInt32LE(1, at + 8);
    return bytes;
  },
  'is nonsense': (bytes) => bytes.map((byte, at) => (at < 4 ? byte : at & 255)) as Buffer,
};
for (const [name, change] of Object.entries(code))
  unusual(`a code cache that ${name}`, () => {
    const top = join(directory, `package ${name}`);
    for (const part of ['dist', 'prebuilds', 'package.json'])
      cpSync(join(packageRoot, part), join(top, part), { recursive: true });
    const [file] = readdirSync(join(top, 'dist/code'));
    const path = join(top, 'dist/code', file as string);
    const preload = ['--require', join(top, 'dist/runtime/hook/register.cjs')];
    assert.equal(run([plain], { preload }).where, ['in place']);
    writeFileSync(path, change(readFileSync(path)));
    const done = run([plain], { preload });
    assert.equal([done.stdout, done.where, done.stderr], ['5\n', ['in place'], '']);
  });

unusual('a report on a pipe that nobody reads, or from a program that mocks', () => {
  const pipe = join(directory, 'pipe');
  spawnSync('mkfifo', [pipe]);
  const done = run([plain], { env: { INSITU_REPORT: pipe } });
  assert.equal([done.stdout, done.status], ['5\n', 0]);
  assert.match(done.stderr, /^insitu: INSITU_REPORT: ENXIO/);
  const mocking = script(
    'mocked.cjs',
    `JSON.stringify = process.stderr.write = () => { throw new Error('mocked'); };`,
  );
  assert.equal([run([mocking]).status, run([mocking]).stderr], [0, '']);
});

unusual('a report that cannot be written is said, and changes nothing', () => {
  const done = run([plain], { env: { INSITU_REPORT: '/nowhere/report' } });
  assert.equal([done.stdout, done.status], ['5\n', 0]);
  assert.match(done.stderr, /^insitu: INSITU_REPORT: ENOENT: .*\n$/);
});

unusual.run();
