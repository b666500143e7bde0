import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { five, plain } from './modules.ts';
import { hook, run, script } from './stage.ts';

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
