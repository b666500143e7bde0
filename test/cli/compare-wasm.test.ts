// insitu compare of a WebAssembly module: compiled and installed once, here.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import wabt from 'wabt';
import { environment, insitu } from './insitu.ts';

const directory = mkdtempSync(join(tmpdir(), 'insitu-compare-wasm-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const store = join(directory, 'store');
const env: NodeJS.ProcessEnv = { ...environment, INSITU_STORE: store };
delete env.INSITU_WASMTIME;

const text = `(module
  (import "env" "log" (func $log (param i32) (result i32)))
  (import "env" "memory" (memory 1 4))
  (import "env" "table" (table 2 funcref))
  (import "env" "base" (global i32))
  (import "env" "big" (global (mut i64)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (func (export "sum") (param i32 i64 f32 f64) (result f64)
    (f64.add (local.get 3) (f64.add (f64.promote_f32 (local.get 2))
      (f64.add (f64.convert_i64_s (local.get 1)) (f64.convert_i32_s (local.get 0))))))
  (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
  (func (export "calls") (param i32) (result i32) (call $log (local.get 0)))
  (func (export "byte") (result i32) (i32.load8_u (i32.const 65535)))
  (func (export "traps") (unreachable))
  (func (export "takes") (param externref))
  (func (export "leaves") (call $exit (i32.const 3)))
  (data (i32.const 65535) "\\2a"))`;

const module = join(directory, 'module.wasm');
const parsed = (await wabt()).parseWat('module.wat', text, { multi_value: true, reference_types: true });
writeFileSync(module, parsed.toBinary({}).buffer);

const run = (args: string[], more: NodeJS.ProcessEnv = {}) =>
  insitu(args, { env: { ...env, ...more }, timeout: 60_000 });

interface Way {
  name: string;
  phases: Record<string, number>;
  bytesInPlace: number;
  bytesCopied: number;
  evidence: Record<string, Record<'pages' | 'resident' | 'private', number>> | null;
  medianNs: number;
  minNs: number;
  p90Ns: number;
}

function comparison(args: string[], more: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = run(['compare', '--json', '--runs=1', ...args], more);
  assert.equal([status, stderr], [0, ''], args.join(' '));
  const found = JSON.parse(stdout);
  const ways = new Map<string, Way>(found.ways.map((way: Way) => [way.name, way]));
  const told = (pattern: RegExp) => found.notes.some((note: string) => pattern.test(note));
  return { found, ways, told };
}

function refused(status: number, message: RegExp, ...args: string[]): void {
  const outcome = run(['compare', '--runs=1', ...args]);
  assert.equal([outcome.status, outcome.stdout], [status, ''], args.join(' '));
  assert.match(outcome.stderr, message);
  assert.match(outcome.stderr, /^insitu: [^\n]*\n$/, 'one line');
}

const compare = suite('insitu compare of a module');

compare('one that is not installed is refused, saying what to run', () => {
  refused(127, /module\.wasm: is in no store; want it installed \(insitu install FILE\)/, module);
  const { status, stderr } = run(['install', '--tier=quick', module]);
  assert.is(status, 0, stderr);
});

compare('five ways from the file to the result of the call, the same JSON as of ELF', () => {
  const { found, ways, told } = comparison([module, '--call', 'sum', '-1', '0x10', '0.5', '1e3']);
  assert.equal(
    Object.keys(found).sort(),
    'backing file format notes ratios runs temperature ways'.split(' '),
  );
  assert.equal([found.file, found.format, found.runs], [module, 'wasm-module', 1]);
  assert.equal([...ways.keys()], ['in-place', 'copy-load', 'v8', 'v8-eager', 'dlopen']);
  const phases = (name: string) => Object.keys(ways.get(name)?.phases ?? {});
  for (const name of ['in-place', 'copy-load'])
    assert.equal(phases(name), ['find', 'load', 'instantiate', 'call']);
  for (const name of ['v8', 'v8-eager'])
    assert.equal(phases(name), ['read', 'compile', 'instantiate', 'call']);
  assert.equal(phases('dlopen'), ['dlopen', 'touch']);
  const keys =
    'name medianNs minNs p90Ns firstMedianNs phases bytesInPlace bytesCopied minorFaults majorFaults privateBytes evidence';
  for (const way of found.ways) {
    assert.equal(Object.keys(way).sort(), keys.split(' ').sort(), way.name);
    for (const [key, value] of Object.entries(way))
      if (!['name', 'phases', 'evidence'].includes(key))
        assert.ok(Number.isFinite(value), `${way.name}.${key}`);
    assert.ok(way.minNs > 0 && way.minNs <= way.medianNs && way.medianNs <= way.p90Ns, way.name);
  }
  assert.ok(told(/^the call returned 1015\.5$/), 'the same value from all of them');
  const ratios = found.ratios.map(({ name }: { name: string }) => name);
  for (const name of ['copy-load', 'v8', 'v8-eager', 'dlopen'])
    assert.ok(ratios.includes(`${name} / in-place`));
});

compare('bytes, and where the pages were in the end', () => {
  const { found, ways } = comparison([module]);
  const [place, copy, v8] = ['in-place', 'copy-load', 'v8'].map((name) => ways.get(name) as Way) as [
    Way,
    Way,
    Way,
  ];
  assert.equal([place.bytesCopied, copy.bytesInPlace, v8.bytesInPlace], [0, 0, 0]);
  assert.ok(place.bytesInPlace > 0 && copy.bytesCopied >= place.bytesInPlace);
  assert.is(v8.bytesCopied, statSync(module).size);
  const text = place.evidence?.text;
  assert.ok(text && text.pages > 0);
  assert.equal([text.resident, text.private], [text.pages, 0]);
  assert.is(copy.evidence?.text?.private, copy.evidence?.text?.pages);
  assert.is(v8.evidence, null);
  assert.ok(!('call' in v8.phases));
  assert.ok(found.notes.some((note: string) => note.startsWith(`image: ${store}/entries/`)));
});

compare('what stands in for imports: memories, tables, globals; functions say their name', () => {
  assert.ok(comparison([module, '--call', 'byte']).told(/^the call returned 42$/));
  assert.ok(comparison([module, '--call', 'two']).told(/^the call returned 1,2$/));
  refused(126, /: the call wants the import env\.log \(--imports FILE\)$/m, module, '--call', 'calls', '7');
  const imports = join(directory, 'imports.mjs');
  writeFileSync(imports, 'export default { env: { log: (value) => value * 3 } };');
  const given = comparison(['--imports', imports, module, '--call', 'calls', '7']);
  assert.ok(given.told(/^the call returned 21$/));
});

compare('WASI is node:wasi; a trap is an ending as another, if it is one in V8', () => {
  assert.ok(comparison([module, '--call', 'traps']).told(/^the call threw RuntimeError: unreachable$/));
  assert.ok(comparison([module, '--call', 'leaves']).told(/^the call threw /));
});

compare('a libwasmtime.so that cannot be used is told of, and the rest compared', () => {
  const { ways, told } = comparison([module], { INSITU_WASMTIME: '/nowhere/libwasmtime.so' });
  assert.ok(told(/^no wasmtime: .*\/nowhere\/libwasmtime\.so/));
  assert.is(ways.size, 5);
});

const { INSITU_WASMTIME: library } = process.env;
const withWasmtime = library ? compare : compare.skip;
withWasmtime(`Wasmtime starts it too${library ? '' : ': INSITU_WASMTIME names none'}`, () => {
  const { ways } = comparison([module, '--call', 'sum', '1', '2', '3', '4'], { INSITU_WASMTIME: library });
  assert.equal(Object.keys(ways.get('wasmtime')?.phases ?? {}), ['load', 'instantiate', 'call']);
});

compare('a table for people', () => {
  const { status, stdout, stderr } = run(['compare', '--runs=1', module, '--call', 'byte']);
  assert.equal([status, stderr], [0, '']);
  for (const name of ['in-place', 'copy-load', 'v8', 'v8-eager', 'dlopen'])
    assert.match(stdout, new RegExp(`^${name} +[\\d.]+ (ns|µs|ms|s) `, 'm'));
  assert.match(stdout, /^ {2}v8-eager \/ in-place: [\d.]+/m);
});

compare('refuses what can not be compared', () => {
  refused(2, /exports no function nothing; want one of sum, two, calls/, module, '--call', 'nothing');
  refused(2, /sum takes 4 arguments; found 1/, module, '--call', 'sum', '1');
  refused(2, /sum: argument 2 is '1\.5'; want i64/, module, '--call', 'sum', '1', '1.5', '0', '0');
  refused(2, /takes takes what is no number/, module, '--call', 'takes', '1');
  refused(2, /--imports wants a WebAssembly module/, '--imports', module, '/bin/true');
  refused(126, /is a module; arguments behind -- want an ELF program/, module, '--', 'x');
});

compare.run();
