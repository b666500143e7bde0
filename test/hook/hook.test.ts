// The hook: programs that know nothing of insitu, what they see, and where their modules run.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packageRoot } from '../../loader/root.ts';
import { insitu } from '../cli/insitu.ts';
import { directory, env, install, sample, store, wasmFile } from '../wasm/stage.ts';
import { hook, reportsAt, run, script } from './stage.ts';

const math = await sample('math');
const pad = (bytes: number) => `(data "${'x'.repeat(bytes)}")`;
const adder = await wasmFile(
  'adder.wasm',
  `(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))) ${pad(140_000)})`,
);
/** Not installed. */
const other = await wasmFile(
  'other.wasm',
  `(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 1) (local.get 0))) ${pad(140_000)})`,
);
const importer = await wasmFile(
  'importer.wasm',
  `(module (import "m" "add" (func $f (param i32 i32) (result i32)))
    (func (export "twice") (param i32) (result i32) (call $f (local.get 0) (local.get 0))))`,
);
install(math, adder, importer);

const five = `const bytes = require('node:fs').readFileSync(process.argv[2] ?? 'adder.wasm');
const five = (instance) => instance.exports.add(2, 3);\n`;
const plain = script(
  'plain.cjs',
  `${five} console.log(five(new WebAssembly.Instance(new WebAssembly.Module(bytes))));`,
);

const reached = suite('hook: where it reaches');

for (const [name, setting] of Object.entries({
  '--require': {},
  '--import': { preload: ['--import', hook] },
  '--import of the name': { preload: ['--import', hook.replace(/\.cjs$/, '.mjs')] },
  NODE_OPTIONS: { preload: [], env: { NODE_OPTIONS: `--require ${hook}` } },
  'twice over': { preload: ['--require', hook, '--import', hook.replace(/\.cjs$/, '.mjs')] },
}))
  reached(name, () => {
    const { stdout, where, stderr } = run([plain], setting);
    assert.equal([stdout, where], ['5\n', ['in place']], stderr);
  });

const forms: Record<string, string> = {
  'compile and instantiate': `WebAssembly.compile(bytes).then(async (module) => {
    const instance = await WebAssembly.instantiate(module);
    console.log(five(instance), module instanceof WebAssembly.Module, instance instanceof WebAssembly.Instance);
  });`,
  'instantiate of bytes': `WebAssembly.instantiate(bytes, {}).then(({ module, instance }) =>
    console.log(five(instance), module instanceof WebAssembly.Module, instance instanceof WebAssembly.Instance));`,
  streaming: `const response = () => new Response(bytes, { headers: { 'content-type': 'application/wasm' } });
    WebAssembly.instantiateStreaming(response()).then(async ({ instance }) => {
      const made = await WebAssembly.compileStreaming(Promise.resolve(response()));
      console.log(five(instance), made instanceof WebAssembly.Module, true);
    });`,
  'an emptied environment': `for (const name of Object.keys(process.env)) delete process.env[name];
    const made = new WebAssembly.Module(bytes);
    console.log(five(new WebAssembly.Instance(made)), made instanceof WebAssembly.Module, true);`,
  'a clone': `const made = structuredClone(new WebAssembly.Module(bytes));
    console.log(five(new WebAssembly.Instance(made)), made instanceof WebAssembly.Module, true);`,
  'compile options': `const made = new WebAssembly.Module(bytes, { builtins: ['js-string'], importedStringConstants: 'c' });
    console.log(five(new WebAssembly.Instance(made)), made instanceof WebAssembly.Module, true);`,
  'a clone looked at': `const made = structuredClone({ made: new WebAssembly.Module(bytes) }).made;
    require('node:assert').deepStrictEqual(made, new WebAssembly.Module(bytes));
    const isPlain = String(made) === '[object WebAssembly.Module]' && made.constructor === WebAssembly.Module;
    const { isMap } = require('node:util').types;
    console.log(five(new WebAssembly.Instance(made)), isPlain && !isMap(made), require('node:util').inspect(made) === 'Module [WebAssembly.Module] {}');`,
  'of V8, from compile': `WebAssembly.compile(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)).then((none) => {
    console.log(five(new WebAssembly.Instance(new WebAssembly.Module(bytes))), none.constructor === WebAssembly.Module,
      none instanceof WebAssembly.Module);
  });`,
  'classes taken first': `const { Module, Instance } = WebAssembly;
    class Own extends Module {}
    const made = new Own(bytes);
    console.log(five(new Instance(made)), made instanceof WebAssembly.Module && made instanceof Own, true);`,
};
for (const [name, text] of Object.entries(forms))
  reached(name, () => {
    const { stdout, where, stderr } = run([script('form.cjs', five + text)]);
    // The first is V8's: of Node's own fetch, which brings Response, or the other one.
    const ours = ['streaming', 'of V8, from compile'].includes(name) ? where.slice(1) : where;
    const isInPlace = ours.length > 0 && ours.every((place) => place.startsWith('in place'));
    assert.equal([stdout, isInPlace], ['5 true true\n', true], stderr);
  });

reached('import of a module, by Node itself', () => {
  const importing = script('importing.mjs', `import { add } from './adder.wasm'; console.log(add(2, 3));`);
  const { stdout, where, stderr } = run(['--no-warnings', '--experimental-wasm-modules', importing]);
  assert.equal([stdout, where], ['5\n', ['in place']], stderr);
});

reached('workers, forks and other processes', () => {
  const parent = script(
    'parent.cjs',
    `const { Worker } = require('node:worker_threads');
    const { execFileSync, fork } = require('node:child_process');
    const code = 'process.argv[2] = "adder.wasm";' + require('node:fs').readFileSync('plain.cjs', 'utf8');
    (async () => {
      for (const options of [{}, { execArgv: [] }, { env: { ...process.env, ALONE: '1' } }])
        await new Promise((done) => new Worker(code, { eval: true, ...options }).on('exit', done));
      await new Promise((done) => fork('plain.cjs').on('exit', done));
      process.stdout.write(execFileSync(process.execPath, ['plain.cjs']));
      process.stdout.write(execFileSync('node', ['plain.cjs'], { env: { ...process.env, A: '1' } }));
    })();`,
  );
  const { stdout, where, stderr, reports } = run([parent]);
  assert.equal([stdout, where], ['5\n'.repeat(6), Array(6).fill('in place')], stderr);
  assert.is(reports.filter(({ thread }) => thread > 0).length, 3);
});

reached('a module that is posted', () => {
  const posting = script(
    'posting.cjs',
    `${five}
    const { Worker } = require('node:worker_threads');
    const code = \`require('node:worker_threads').parentPort.once('message', (module) => {
      const { add } = new WebAssembly.Instance(module).exports;
      console.log(add(2, 3), module instanceof WebAssembly.Module);
    });\`;
    new Worker(code, { eval: true }).postMessage(new WebAssembly.Module(bytes));`,
  );
  const { stdout, stderr } = run([posting]);
  assert.is(stdout, '5 true\n', stderr);
});

reached('modules of both kinds in one program, functions, tables and memories between them', () => {
  const mixed = script(
    'mixed.cjs',
    `const { readFileSync } = require('node:fs');
    const load = (name, imports) => new WebAssembly.Instance(new WebAssembly.Module(readFileSync(name)), imports);
    const [v8, own] = [load('other.wasm'), load('adder.wasm')];
    const results = [v8, own].map(({ exports }) => load('importer.wasm', { m: exports }).exports.twice(21));
    const table = new WebAssembly.Table({ element: 'anyfunc', initial: 2 });
    table.set(0, v8.exports.add);
    table.set(1, own.exports.add);
    const memory = new WebAssembly.Memory({ initial: 1 });
    console.log(...results, table.get(0)(1, 2), table.get(1)(1, 2), memory instanceof WebAssembly.Memory);`,
  );
  const { stdout, where, stderr } = run([mixed]);
  assert.is(stdout, '42 42 3 3 true\n', stderr);
  const places = where.map((place) => place.split(':')[0]);
  assert.equal(places, ['V8', 'in place', 'in place', 'in place']);
});

reached.run();

const seen = suite('hook: what a program sees');

seen('WebAssembly has the shape that it has without', () => {
  const shape = script(
    'shape.cjs',
    `for (const name of Reflect.ownKeys(WebAssembly)) void WebAssembly[name];
    const shapeOf = (object) => Reflect.ownKeys(object).map((key) => {
      const { value, get, ...attributes } = Object.getOwnPropertyDescriptor(object, key);
      return [String(key), typeof value, typeof get, attributes.enumerable, attributes.writable, attributes.configurable,
        value?.name, value?.length];
    });
    console.log(JSON.stringify(shapeOf(WebAssembly)), Object.prototype.toString.call(WebAssembly), Object.keys(WebAssembly));`,
  );
  assert.is(run([shape]).stdout, run([shape], { preload: [] }).stdout);
});

seen('errors have the stacks that they have without', () => {
  const failing = script(
    'stacks.cjs',
    `${five}
    const told = (act) => { try { act(); } catch (error) { console.log(error.stack); } };
    function inner(bytes, imports) { return new WebAssembly.Instance(new WebAssembly.Module(bytes), imports); }
    told(() => inner(Uint8Array.of(1, 2, 3)));
    told(() => inner(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 77)));
    told(() => inner(bytes, { m: {} }));
    told(() => inner(bytes, 7));
    told(() => new WebAssembly.Module());`,
  );
  const [own, plainly] = [run([failing, importer]), run([failing, importer], { preload: [] })];
  assert.is(own.stdout, plainly.stdout);
});

seen('compiling takes its turn', () => {
  const ordered = script(
    'ordered.cjs',
    `${five}
    const order = [];
    const compiling = WebAssembly.compile(bytes).then(() => order.push('compiled'));
    const both = WebAssembly.instantiate(bytes).then(() => order.push('compiled'));
    Promise.resolve().then(() => order.push('micro'));
    process.nextTick(() => order.push('tick'));
    Promise.all([compiling, both]).then(() => console.log(order.join()));`,
  );
  const [own, plainly] = [run([ordered]), run([ordered], { preload: [] })];
  assert.equal([own.stdout, own.where.length], [plainly.stdout, 2]);
});

seen('of an app that has no WebAssembly nothing more is loaded', () => {
  const idle = script(
    'idle.cjs',
    `const own = Object.keys(require.cache).filter((file) => file.includes('/dist/'));
    const { readFileSync } = require('node:fs');
    console.log(own.length, readFileSync('/proc/self/maps', 'latin1').includes('insitu.node'));`,
  );
  assert.is(run([idle], { env: { INSITU_REPORT: '' } }).stdout, '1 false\n');
});

seen('of one whose modules have no image, no addon', () => {
  const { stdout } = run([
    script(
      'unknown.cjs',
      `${five} new WebAssembly.Module(bytes);
      console.log(require('node:fs').readFileSync('/proc/self/maps', 'latin1').includes('insitu.node'));`,
    ),
    other,
  ]);
  assert.is(stdout, 'false\n');
});

seen('a program may set what it likes', () => {
  const patching = script(
    'patching.cjs',
    `${five}
    const compile = WebAssembly.compile;
    WebAssembly.compile = (...args) => { console.log('patched'); return compile(...args); };
    WebAssembly.Memory = 7;
    WebAssembly.compile(bytes).then((module) => {
      console.log(five(new WebAssembly.Instance(module)), WebAssembly.Memory);
    });`,
  );
  const { stdout, where, stderr } = run([patching]);
  assert.equal([stdout, where], ['patched\n5 7\n', ['in place']], stderr);
});

seen('the report says size, time, faults and where its pages were', () => {
  const [report] = run([plain]).reports;
  const [module] = report?.modules ?? [];
  const [image] = report?.images ?? [];
  assert.equal(
    [report?.argv[1], module?.size, (module?.readyMs ?? -1) > 0],
    [plain, statSync(adder).size, true],
  );
  assert.is(image?.bytesCopied, 0);
  assert.ok((image?.bytesInPlace ?? 0) > 0 && (image?.faults.minor ?? 0) > 0);
  assert.match(image?.evidence.summary ?? '', /resident text pages/);
});

seen('of what is loaded with the code cache nothing is loaded again', () => {
  const twice = script(
    'twice.cjs',
    `new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
    const files = Object.keys(require.cache).filter((file) => file.includes('/dist/'));
    const { Module } = require(${JSON.stringify(join(packageRoot, 'dist/runtime/wasm/index.cjs'))});
    const engine = files.find((file) => file.endsWith('/chunks/engine.cjs'));
    // Node itself gives a module paths to look in.
    console.log(require.cache[engine].paths.length, files.length, Module === WebAssembly.Module);`,
  );
  assert.is(run([twice], { env: { INSITU_REPORT: '' } }).stdout, '0 6 true\n');
});

seen('insitu run and insitu report', () => {
  const file = join(directory, 'cli-report');
  const { status, stdout, stderr } = insitu(['run', '--report', plain, adder], { env, cwd: directory });
  assert.equal([status, stdout], [0, '5\n']);
  assert.match(stderr, /in place .*\n[0-9a-f]{12} {2}in-place: .* mapped as stored, 0 B copied/);
  assert.is(
    insitu(['run', plain, adder], { env: { ...env, INSITU_REPORT: file }, cwd: directory }).stdout,
    '5\n',
  );
  const told = insitu(['report', file], { env });
  assert.match(
    told.stdout,
    /^node plain\.cjs \(\d+, v[\d.]+\)\nruns +size +ready in +image, or why not\nin place /,
  );
  const failing = script('failing.cjs', 'process.exit(7)');
  assert.is(insitu(['run', failing], { env }).status, 7);
  assert.is(insitu(['run', '--report=json', failing], { env }).status, 7);
  const killed = insitu(['run', '--report', script('killed.cjs', `process.kill(process.pid, 'SIGKILL')`)], {
    env,
  });
  assert.equal([killed.status, killed.stderr], [137, 'no WebAssembly was compiled\n']);
  for (const line of ['{}', '[]', 'x', '{"modules":[{}],"images":[null],"argv":[1]}']) {
    writeFileSync(file, `${line}\n`);
    const wrong = insitu(['report', file], { env });
    assert.equal([wrong.status, /line 1 is no report/.test(wrong.stderr)], [126, true], line);
  }
  const hostile = { pid: 1, thread: 0, node: '\x1b]0;t\x07', argv: ['\x1b[31m', '\u202e'], images: [] };
  const module = { image: null, reason: '\x9b1m\nforged', size: 1, readyMs: null };
  writeFileSync(file, `${JSON.stringify({ ...hostile, modules: [module] })}\n`);
  const shown = insitu(['report', file], { env }).stdout;
  assert.match(shown, /^\?\[31m \? /);
  assert.not.match(shown.replaceAll('\n', ''), /[\p{Cc}\u202e]/u);
  assert.is(shown.split('\n').length, 4);
});

seen.run();

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

const learning = suite('hook: learning');
const toLearn = (name: string) => ({ INSITU_STORE: join(directory, name), INSITU: 'learn' });
const imagesIn = (root: string) => readdirSync(join(root, 'index'), { recursive: true }).length;

async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 30_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

learning('two processes meet a module, leave at once, and it is in place soon after', async () => {
  const setting = { env: toLearn('learnt') };
  const leaving = script(
    'leaving.cjs',
    `${five}
    console.log(five(new WebAssembly.Instance(new WebAssembly.Module(bytes)))); process.exit(3);`,
  );
  for (const done of [run([leaving, adder], setting), run([leaving, adder], setting)]) {
    assert.equal([done.stdout, done.status, done.stderr], ['5\n', 3, '']);
    assert.match(done.where.join(), /^(V8: no image in a store: learnt|in place)$/);
  }
  const root = setting.env.INSITU_STORE;
  await until(() => run([plain, adder], setting).where.join() === 'in place');
  await until(() => readdirSync(join(root, 'learned')).length === 0);
  assert.is(readdirSync(join(root, 'entries')).length, 1);
});

learning('what no image can be made of is not tried again', async () => {
  const gc = await wasmFile(
    'gc.wasm',
    `(module (type $s (struct (field i32))) (func (export "add") (param i32 i32) (result i32) (i32.const 5)) ${pad(140_000)})`,
  );
  const setting = { env: toLearn('refused') };
  const compiling = script('compiling.cjs', `${five} try { new WebAssembly.Module(bytes); } catch {}`);
  run([compiling, gc], setting);
  const root = setting.env.INSITU_STORE;
  await until(() => readdirSync(join(root, 'learned')).some((name) => name.endsWith('.refused')));
  await until(() => !readdirSync(join(root, 'learned')).some((name) => name.endsWith('.wasm')));
  assert.match(run([compiling, gc], setting).where.join(), /^V8: no image in a store: .*V8 runs it/);
});

learning('small modules are in place if they always are to be, or something else is', () => {
  const small = script(
    'both.cjs',
    `${five} new WebAssembly.Module(bytes);
    if (process.argv[3]) new WebAssembly.Module(require('node:fs').readFileSync(process.argv[3]));`,
  );
  assert.match(run([small, math]).where.join(), /^V8: smaller than/);
  assert.equal(run([small, math], { env: { INSITU: 'always' } }).where, ['in place']);
  assert.equal(run([small, adder, math]).where, ['in place', 'in place']);
});

learning('small modules are left alone', () => {
  const setting = { env: toLearn('small') };
  const done = run([script('small.cjs', `${five} new WebAssembly.Module(bytes);`), math], setting);
  assert.match(done.where.join(), /smaller than \d+ bytes/);
  assert.not.ok(existsSync(setting.env.INSITU_STORE));
});

learning('a store that cannot be written is said', () => {
  const done = run([plain, adder], { env: { INSITU: 'learn', INSITU_STORE: '/proc/insitu' } });
  assert.equal([done.stdout, done.status, done.stderr], ['5\n', 0, '']);
  assert.match(done.where.join(), /^V8: no image in a store: not learnt: .*\/proc\/insitu/);
});

learning('insitu install --from runs a program and compiles what it met', () => {
  const root = join(directory, 'from');
  const own = { env: { ...env, INSITU_STORE: root }, cwd: directory };
  const { status, stdout, stderr } = insitu(['install', '--tier=quick', '--from', plain, adder], own);
  assert.is(status, 0, stderr);
  assert.match(stdout, /plain\.cjs .* compiled in/);
  assert.match(stderr, /^5\n/);
  assert.equal(run([plain, adder], { env: { INSITU_STORE: root } }).where, ['in place']);
  assert.ok(imagesIn(root) > 0);
  assert.is(insitu(['install', '--from'], own).status, 2);
  assert.is(insitu(['install', '--learned', adder], own).status, 2);
});

learning('a disk that is full', () => {
  const small = join(directory, 'full');
  mkdirSync(small);
  const mounted = spawnSync(
    'unshare',
    [
      '-m',
      'sh',
      '-c',
      `mount -t tmpfs -o size=8k tmpfs ${small} && exec "$@"`,
      'sh',
      process.execPath,
      '--require',
      hook,
      plain,
      adder,
    ],
    {
      env: {
        ...env,
        INSITU: 'learn',
        INSITU_STORE: join(small, 'store'),
        INSITU_REPORT: join(directory, 'full-report'),
      },
      encoding: 'utf8',
    },
  );
  if (mounted.status !== 0 && /unshare|mount/.test(mounted.stderr)) return; // no mount namespaces here
  assert.equal([mounted.stdout, mounted.stderr], ['5\n', '']);
  assert.match(JSON.stringify(reportsAt(join(directory, 'full-report'))), /not learnt: .*ENOSPC/);
});

learning.run();
