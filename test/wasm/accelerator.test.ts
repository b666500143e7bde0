// The accelerator against Node-API and against V8: the same program sees the same, and the accelerator is used where it is.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { prebuilt } from '../../loader/native.ts';
import { env, install, wasmFile } from './stage.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const test = suite('the accelerator');

const numbered = (count: number) => Array.from({ length: count }, (_, index) => index);
const many = numbered(17)
  .map(() => 'i32')
  .join(' ');

const main = await wasmFile(
  'boundary.wasm',
  `(module
    (import "m" "i32" (func $i32 (param i32) (result i32)))
    (import "m" "i64" (func $i64 (param i64) (result i64)))
    (import "m" "f32" (func $f32 (param f32) (result f32)))
    (import "m" "f64" (func $f64 (param f64) (result f64)))
    (import "m" "any" (func $any (param externref) (result externref)))
    (import "m" "none" (func $none))
    (import "größe" "😀" (func $named (param i32) (result i32)))
    (memory (export "memory") 1 20)
    (table (export "table") 4 funcref)
    (elem (i32.const 0) $none $add $secret)
    (global (export "global") (mut i32) (i32.const 5))
    (func $add (export "add") (export "plus") (param i32 i32) (result i32)
      (i32.add (local.get 0) (local.get 1)))
    (func $secret (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func (export "i32") (param i32) (result i32) (call $i32 (local.get 0)))
    (func (export "i64") (param i64) (result i64) (call $i64 (local.get 0)))
    (func (export "f32") (param f32) (result f32) (call $f32 (local.get 0)))
    (func (export "f64") (param f64) (result f64) (call $f64 (local.get 0)))
    (func (export "any") (param externref) (result externref) (call $any (local.get 0)))
    (func (export "none") (call $none))
    (func (export "ünïcode 😀") (param i32) (result i32) (call $named (local.get 0)))
    (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
    (func (export "many") (param ${many}) (result i32) (i32.add (local.get 0) (local.get 16)))
    (func (export "size") (result i32) (memory.size))
    (func (export "fill") (param i32) (memory.fill (local.get 0) (i32.const 7) (i32.const 4)))
    (func (export "trap") (unreachable))
    (export "imported" (func $i32)))`,
);
/** Without a memory: it calls what has one. */
const caller = await wasmFile(
  'caller.wasm',
  `(module
    (import "m" "grow" (func $grow))
    (import "m" "size" (func $size (result i32)))
    (func (export "run") (result i32) (call $grow) (call $size)))`,
);
install(main, caller);

/** What the program sees, a line each. */
const script = `
import { readFileSync } from 'node:fs';
const [file, way, caller] = process.argv.slice(1);
const W = way === 'v8' ? WebAssembly : await import('insitu/wasm');
if (way !== 'v8') W.setPolicy({ fallback: false });
const seen = [];
const see = (label, act) => {
  let text;
  try { const value = act(); text = typeof value === 'bigint' ? value + 'n' : Object.is(value, -0) ? '-0' : String(value); }
  catch (error) { text = 'throws ' + error; }
  seen.push(label + ': ' + text);
};
let hook = (value) => value;
const through = (value) => hook(value);
const imports = {
  m: { i32: through, i64: through, f32: through, f64: through, any: through, none: () => hook() },
  'größe': { '😀': through },
};
const start = (imports) => new W.Instance(new W.Module(readFileSync(file)), imports).exports;
const e = start(imports);
see('grown for another instance', () => {
  const of = start(imports);
  const m = { grow: () => { of.memory.grow(3); }, size: of.size };
  return new W.Instance(new W.Module(readFileSync(caller)), { m }).exports.run();
});
const odd = [0, 1, -1, 2 ** 31, 2 ** 32 + 5, 1.9, -0, NaN, Infinity, 1e300, '7', ' 0x10 ', '', null, undefined, true, [], {},
  { valueOf: () => 9 }, Symbol.iterator, 5n, { valueOf() { throw new Error('no number') } }];
for (const name of ['i32', 'i64', 'f32', 'f64', 'any']) {
  odd.forEach((value, index) => see(name + ' of ' + index, () => e[name](value)));
  for (const value of odd) { hook = () => value; see(name + ' returns ' + odd.indexOf(value), () => e[name](name === 'i64' ? 1n : 1)); }
  hook = (value) => value;
}
see('bigints', () => [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n + 3n].map((value) => e.i64(value)).join());
see('no arguments', () => e.add());
see('too many', () => e.add(1, 2, 3));
see('order', () => { const order = []; const at = (n) => ({ valueOf: () => { order.push(n); return n; } }); e.add(at(1), at(2)); return order; });
see('a conversion that calls', () => e.add({ valueOf: () => e.add(3, 4) }, 5));
see('two results', () => e.two());
see('many', () => e.many(...Array.from({ length: 17 }, (_, i) => i)));
see('no result', () => e.none());
see('unicode', () => e['ünïcode 😀'](3));
see('keys', () => Object.keys(e));
see('frozen', () => [Object.isFrozen(e), Object.getPrototypeOf(e)]);
for (const name of ['add', 'two', 'many', 'imported']) {
  see(name, () => [typeof e[name], e[name].name, e[name].length, Object.hasOwn(e[name], 'prototype')]);
  see(name + ' as a class', () => new e[name]());
}
see('one function', () => [e.add === e.plus, e.table.get(1) === e.add, e.table.get(2) === e.table.get(2), e.table.get(0) === null]);
see('of the table', () => [e.table.get(1)(2, 3), e.table.get(2)(4), e.table.get(2).name]);
see('imported', () => e.imported(4));
see('size', () => e.size());
see('grown by JavaScript', () => { e.memory.grow(2); return [e.size(), e.memory.buffer.byteLength]; });
see('filled where it grew', () => { e.fill(3 * 65536 - 4); return new Uint8Array(e.memory.buffer)[3 * 65536 - 1]; });
hook = () => e.memory.grow(1);
see('grown within a call', () => { e.none(); return e.size(); });
see('behind its end', () => e.fill(9 * 65536));
hook = () => { throw new TypeError('of a program'); };
for (const name of ['none', 'i32', 'any']) see(name + ' throws', () => e[name](1));
hook = () => { throw undefined; };
see('undefined is thrown', () => e.none());
see('trap', () => e.trap());
hook = () => e.trap();
see('trap within', () => e.none());
let depth = 0;
hook = (value) => (depth++ < 50 ? e.i32(value + 1) : value);
see('in and out again', () => e.i32(0));
hook = () => e.none();
see('without end', () => e.none());
hook = (value) => value;
see('works on', () => e.i32(6));
for (const [label, given] of Object.entries({
  'an exported one': start(imports).i32, 'its own': e.i32, 'one of the table': e.table.get(2), 'a bound one': through.bind(null),
  'a built-in': Math.abs, 'a proxy': new Proxy(through, {}), 'a method': { through(value) { return value + 1; } }.through,
  'a class': class {}, 'of another type': e.f64, 'none': undefined, 'an object': {}, 'code of a string': new Function('a', 'return a * 3'),
})) see('imports ' + label, () => start({ ...imports, m: { ...imports.m, i32: given } }).i32(5));
see('reads', () => { const order = []; const of = (object, at) => new Proxy(object, { get: (target, key) => { order.push(String(key)); return at ? of(target[key]) : target[key]; } });
  start(of({ m: { ...imports.m }, 'größe': imports['größe'] }, true)); return order; });
see('no imports', () => start());
see('a getter throws', () => start({ get m() { throw new Error('got'); } }));
if (way !== 'v8') {
  const instances = [];
  for (let i = 0; i < 30; i++) instances.push(start(imports));
  see('one of many', () => instances[17].add(1, 2));
  const kept = instances[3].add;
  instances.length = 0;
  globalThis.gc();
  await new Promise((resolve) => setTimeout(resolve, 20));
  globalThis.gc();
  see('a function outlives what it came from', () => kept(20, 22));
} else seen.push('one of many: 3', 'a function outlives what it came from: 42');
process.stdout.write(seen.join('\\n'));`;

function seen(way: 'v8' | 'accelerator' | 'node-api'): string[] {
  const args = ['--expose-gc', '--input-type=module', '-e', script, main, way, caller];
  const environment = { ...env, INSITU_ACCELERATOR: way === 'node-api' ? '0' : '1' };
  const options = { cwd: root, env: environment, encoding: 'utf8', timeout: 60_000 } as const;
  return execFileSync(process.execPath, args, options).split('\n');
}

const ours = seen('node-api');

test('through Node-API a program sees what it sees in V8', () => {
  assert.ok(ours.length > 250, `${ours.length} sights`);
  assert.equal(ours, seen('v8'));
});

const isThere = existsSync(prebuilt(`insitu-v8-${process.versions.modules}.node`));
const whereThere = isThere ? test : test.skip;

whereThere('it is used where it is, and can be turned off', () => {
  const code = `import 'insitu/wasm'; import { readFileSync } from 'node:fs';
    process.stdout.write(String(readFileSync('/proc/self/maps', 'latin1').includes('/insitu-v8-')));`;
  for (const [setting, told] of [
    ['1', 'true'],
    ['0', 'false'],
  ] as const) {
    const options = { cwd: root, env: { ...env, INSITU_ACCELERATOR: setting }, encoding: 'utf8' } as const;
    assert.is(execFileSync(process.execPath, ['--input-type=module', '-e', code], options), told);
  }
});

whereThere('with it a program sees the same', () => assert.equal(seen('accelerator'), ours));

test.run();
