// load() of WebAssembly, in child processes: they run mapped code.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { directory, env, install, sample, store, wasmFile } from './stage.ts';

const load = suite('load() of modules');
const math = await sample('math');
const [{ sha256 }] = install(math).installed as { sha256: string }[] as [{ sha256: string }];
const image = join(
  store,
  'entries',
  sha256,
  execFileSync('ls', [join(store, 'entries', sha256)], { encoding: 'utf8' }).match(/\S+\.so/)?.[0] ?? '',
);

/** The value of a script, as JSON; `math` and `image` are paths, `insitu` the package. */
function told(script: string, more: NodeJS.ProcessEnv = {}) {
  const code = `import * as insitu from 'insitu';
    const [math, image] = process.argv.slice(1);
    const failure = (act) => { try { act(); } catch (error) { return [error.name, error.code, error.message]; } };
    const refusal = (promise) => promise.then(() => null, (error) => [error.name, error.code, error.message]);
    const tell = async () => { ${script} };
    const json = (_, value) => (typeof value === 'bigint' ? String(value) : value);
    process.stdout.write(JSON.stringify(await tell(), json));`;
  const args = ['--input-type=module', '-e', code, math, image];
  const options = { env: { ...env, ...more }, encoding: 'utf8', timeout: 60_000 } as const;
  return JSON.parse(execFileSync(process.execPath, args, options));
}

for (const [name, path] of [
  ['a module by its file', 'math'],
  ['an image itself', 'image'],
] as const)
  load(`${name} is instantiated, again and again`, () => {
    const { kind, imports, exports, results, letters, apart } = told(`
      const module = await insitu.load(${path});
      const [one, two] = [module.instantiate(), module.instantiate({})];
      new Uint8Array(one.memory.buffer)[40960] = 33;
      return {
        kind: [module.format, module.place, module instanceof insitu.Library],
        imports: module.imports,
        exports: module.exports.map(({ name, kind }) => name + ' ' + kind),
        results: [one.gcd(12, 18), one.swap(5n, 1.5).map(String), one.half(3), one.nothing() === undefined],
        letters: [two.letter(0), two.letter(40960), two.letter(1)],
        apart: [one.letter(40960), one.memory instanceof WebAssembly.Memory, one.memory !== two.memory],
      };`);
    assert.equal(kind, ['wasm-module', 'in-place', false]);
    assert.equal(imports, []);
    assert.equal(exports.slice(0, 2), ['memory memory', 'gcd function']);
    assert.equal(results, [6, ['1.5', '5'], 1.5, true]);
    assert.equal(letters, [97, 122, 0], 'the memory image');
    assert.equal(apart, [33, true, true], 'copied on write');
  });

load('the report tells phases, bytes and evidence of the image', () => {
  const { before, after } = told(`
    const module = await insitu.load(math);
    const before = module.report.toJSON();
    module.instantiate().gcd(1, 1);
    return { before, after: module.report.toJSON() };`);
  assert.equal([before.module, before.file, before.sha256, before.tier], [math, image, sha256, 'quick']);
  const names = (report: { phases: { name: string }[] }) => report.phases.map(({ name }) => name);
  assert.equal(names(before), ['open', 'read', 'plan', 'map', 'link']);
  assert.equal(names(after), [...names(before), 'instantiate']);
  assert.ok(after.phases.every(({ ns }: { ns: number }) => ns >= 0));
  assert.is(after.bytesCopied, 0);
  assert.ok(after.bytesInPlace > 0);
  assert.ok(after.evidence.totals.text.resident === null || after.evidence.totals.text.resident >= 1);
  assert.is(after.evidence.totals.text.private || 0, 0, 'no page of text is a copy');
});

load('prefault makes all of its text resident', () => {
  const { text } = told(`
    const module = await insitu.load(math, { prefault: true });
    return module.report.evidence.totals;`);
  if (text.resident !== null) assert.is(text.resident, text.pages);
});

load('a copy is its twin', () => {
  const { place, result, report } = told(`
    const module = await insitu.load(math, { place: 'copy' });
    const { gcd, letter } = module.instantiate();
    return { place: module.place, result: [gcd(12, 18), letter(40960)], report: module.report.toJSON() };`);
  assert.equal([place, result], ['copy', [6, 122]]);
  assert.is(report.bytesInPlace, 0);
  assert.ok(report.bytesCopied > 0);
});

load('traps are RuntimeErrors, and the instance goes on', () => {
  const { trap, after } = told(`
    const { divide } = (await insitu.load(math)).instantiate();
    const trap = failure(() => divide(1, 0));
    return { trap, after: divide(7, 2) };`);
  assert.equal([trap, after], [['RuntimeError', null, 'divide by zero'], 3]);
});

load('close is idempotent; what was exported goes on, the module does not', () => {
  const { result, closed } = told(`
    const module = await insitu.load(math);
    const { gcd } = module.instantiate();
    module.close();
    module.close();
    const closed = [() => module.instantiate(), () => module.exports, () => module.report].map(failure);
    return { result: gcd(4, 6), closed };`);
  assert.is(result, 2);
  for (const [name, code, message] of closed)
    assert.equal(
      [name, code, message],
      ['LoadError', 'ERR_CLOSED', `${math}: module is closed; want it open`],
    );
});

load('types of what it exports', () => {
  const types = told(`
    const module = await insitu.load(math);
    return ['swap', 'nothing', 'memory', 'none'].map((name) => module.functionType(name) ?? null);`);
  assert.equal(types, [
    { params: ['i64', 'f64'], results: ['f64', 'i64'] },
    { params: [], results: [] },
    null,
    null,
  ]);
});

load('a module that is not installed, or not any more, says how to install it', async () => {
  const other = await wasmFile('other.wasm', '(module (func (export "f")))');
  const wanted = (path: string) => [
    'LoadError',
    'ERR_NO_IMAGE',
    `${path}: has no image in a store; want it installed (insitu install ${path})`,
  ];
  assert.equal(told(`return refusal(insitu.load(${JSON.stringify(other)}))`), wanted(other));
  const gone = join(directory, 'gone');
  cpSync(store, gone, { recursive: true, verbatimSymlinks: true });
  rmSync(join(gone, 'entries', sha256), { recursive: true });
  assert.equal(told('return refusal(insitu.load(math))', { INSITU_STORE: gone }), wanted(math));
});

load('missing imports are refused as V8 does', async () => {
  const path = await wasmFile(
    'imports.wasm',
    '(module (import "env" "f" (func)) (import "env" "g" (global i32)))',
  );
  install(path);
  const { missing, wrong, entries } = told(`
    const module = await insitu.load(${JSON.stringify(path)});
    return {
      missing: failure(() => module.instantiate()),
      wrong: failure(() => module.instantiate({ env: { f() {}, g: 'no number' } })),
      entries: module.imports,
    };`);
  assert.is(missing[0], 'TypeError');
  assert.match(missing[2], /Imports argument must be present/);
  assert.is(wrong[0], 'LinkError');
  assert.match(wrong[2], /Import #1 /);
  assert.equal(entries[0], { module: 'env', name: 'f', kind: 'function' });
});

load('what only V8 can link is refused, as it would not be in place', async () => {
  const path = await wasmFile('table.wasm', '(module (import "env" "table" (table 1 funcref)))');
  install(path);
  const [ours, v8] = told(`
    const { Table } = await import('insitu/wasm');
    const module = await insitu.load(${JSON.stringify(path)});
    const type = { element: 'anyfunc', initial: 1 };
    return [Table, WebAssembly.Table].map((Class) =>
      failure(() => module.instantiate({ env: { table: new Class(type) } })) ?? 'linked');`);
  assert.is(ours, 'linked');
  assert.equal(v8.slice(0, 2), ['LoadError', 'ERR_UNSUPPORTED']);
  assert.match(v8[2], /table.*; want what insitu\/wasm can link/);
});

load('loadSync loads shared objects alone, and what is no WebAssembly is refused as before', () => {
  const [sync, plain] = told(`
    return [failure(() => insitu.loadSync(math)), await refusal(insitu.load('/etc/passwd'))];`);
  assert.is(sync[1], 'ERR_FORMAT');
  assert.is(plain[1], 'ERR_FORMAT');
});

load('nothing in place that is not on NVM, where that is asked for', () => {
  const [name, code, message] = told('return refusal(insitu.load(math, { requireInPlace: true }))') ?? [];
  assert.equal([name, code], ['LoadError', 'ERR_NOT_IN_PLACE']);
  assert.match(message, /RAM file system|page cache/);
});

load('a copied module file is the same module', () => {
  const copy = join(directory, 'copy.wasm');
  copyFileSync(math, copy);
  assert.is(statSync(copy).size, statSync(math).size);
  const result = told(`return (await insitu.load(${JSON.stringify(copy)})).instantiate().gcd(9, 6);`);
  assert.is(result, 3);
});

load.run();
