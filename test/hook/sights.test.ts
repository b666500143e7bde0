// The hook: what a program sees of it, and what is reported.
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packageRoot } from '../../loader/root.ts';
import { insitu } from '../cli/insitu.ts';
import { directory, env } from '../wasm/stage.ts';
import { adder, five, importer, other, plain } from './modules.ts';
import { run, script } from './stage.ts';

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
  assert.equal([killed.status, killed.stderr], [137, 'no WebAssembly was compiled, and no addon opened\n']);
  for (const line of ['{}', '[]', 'x', '{"modules":[{}],"images":[null],"argv":[1]}']) {
    writeFileSync(file, `${line}\n`);
    const wrong = insitu(['report', file], { env });
    assert.equal([wrong.status, /line 1 is no report/.test(wrong.stderr)], [126, true], line);
  }
  const hostile = { pid: 1, thread: 0, node: '\x1b]0;t\x07', argv: ['\x1b[31m', '\u202e'], images: [] };
  const module = { image: null, reason: '\x9b1m\nforged', size: 1, readyMs: null };
  const counts = { size: 1, readyMs: 1, faults: 1 };
  const library = { path: '\x1b[2J', stored: null, reason: '\x9b1m', ...counts, mapped: [] };
  writeFileSync(file, `${JSON.stringify({ ...hostile, modules: [module], libraries: [library] })}\n`);
  const shown = insitu(['report', file], { env }).stdout;
  assert.match(shown, /^\?\[31m \? /);
  assert.not.match(shown.replaceAll('\n', ''), /[\p{Cc}\u202e]/u);
  assert.is(shown.split('\n').length, 6);
});

seen.run();
