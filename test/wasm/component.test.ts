// Components: installed, loaded, run as programs; in child processes, as they run mapped code.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { componentNew } from '@bytecodealliance/jco-transpile/wasm-tools';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { insitu } from '../cli/insitu.ts';
import { directory, env, install, sample, store, wasmFile } from './stage.ts';

const modules = '../../node_modules/@bytecodealliance';

/** A program of preview 1 as one of preview 2, by the adapter that comes with jco. */
async function asCommand(path: string, name: string): Promise<string> {
  const adapter = readFileSync(
    new URL(`${modules}/jco/lib/wasi_snapshot_preview1.command.wasm`, import.meta.url),
  );
  const made = join(directory, name);
  writeFileSync(
    made,
    await componentNew(readFileSync(path), [['wasi_snapshot_preview1', new Uint8Array(adapter)]]),
  );
  return made;
}

const component = suite('components');
const greet = await sample('greet');
const tasks = await asCommand(await sample('tasks'), 'command.wasm');
const installed = install(greet, tasks);
const { sha256 } = installed.components[0] as { sha256: string };

component('their core modules are compiled, each once, and listed', () => {
  const counts = installed.components.map(({ from, modules }: { from: string; modules: string[] }) => [
    from,
    modules.length,
  ]);
  assert.equal(counts, [
    [greet, 2],
    [tasks, 4],
  ]);
  const listed = insitu(['ls', '--json'], { env }).stdout;
  for (const { modules } of installed.components)
    for (const hash of modules) assert.ok(listed.includes(hash));
  const again = install(greet);
  assert.ok(again.installed.every(({ status }: { status: string }) => status === 'present'));
  const kept = readdirSync(join(store, 'components', sha256)).sort();
  assert.equal(kept, ['component.1.mjs', 'core-0.wasm', 'core-1.wasm', 'installed-from']);
  const [one] = JSON.parse(insitu(['ls', '--json'], { env }).stdout).components.filter(
    (stored: { sha256: string }) => stored.sha256 === sha256,
  );
  assert.equal([one.from, one.facts.size, one.damage], [[greet], readFileSync(greet).length, []]);
});

/** The value of a script, as JSON. */
function told(script: string) {
  const code = `import { load } from 'insitu';
    const failure = (act) => { try { act(); } catch (error) { return [error.name, error.code, error.message]; } };
    const refusal = (promise) => promise.then(() => null, (error) => [error.name, error.code, error.message]);
    const greet = ${JSON.stringify(greet)};
    const tell = async () => { ${script} };
    const json = (_, value) => (typeof value === 'bigint' ? String(value) : value);
    process.stdout.write(JSON.stringify(await tell(), json));`;
  const args = ['--input-type=module', '-e', code];
  return JSON.parse(execFileSync(process.execPath, args, { env, encoding: 'utf8', timeout: 60_000 }));
}

for (const place of ['in-place', 'copy'])
  component(`${place}: load() gives what it exports, over what the host gives`, () => {
    const { facts, results, logs, trap, report } = told(`
      const loaded = await load(greet, { place: '${place}' });
      const logs = [];
      const host = { log: (text) => void logs.push(text) };
      const one = loaded.instantiate({ host });
      const results = [one.greet('wörld'), one.divide(7, 2), loaded.instantiate({ host }).greet('')];
      const trap = failure(() => one.divide(1, 0));
      return {
        facts: [loaded.format, loaded.place, loaded.imports, [...loaded.exports].sort()],
        results, logs, trap: trap[2], report: loaded.report,
      };`);
    assert.equal(facts, ['wasm-component', place, ['host'], ['divide', 'greet']]);
    assert.equal(results, ['hello wörld', 3, 'hello ']);
    assert.equal(logs, ['wörld', '']);
    assert.match(trap, /divide by zero/);
    assert.is(report.modules.length, 2);
    for (const { report: image, why } of report.modules)
      assert.equal([image.place, image.tier, why], [place, 'quick', '']);
    assert.is(report.bytesInPlace > 0, place === 'in-place');
    assert.is(report.bytesCopied > 0, place === 'copy');
    assert.equal(
      report.phases.map(({ name }: { name: string }) => name),
      ['read', 'load', 'instantiate'],
    );
  });

component('imports that are missing, a closed one, and one that is not installed are refused', async () => {
  const other = await wasmFile('other-component.wasm', '(component (core module))');
  const [missing, closed, absent] = told(`
    const loaded = await load(greet);
    const missing = failure(() => loaded.instantiate({}));
    loaded.close();
    loaded.close();
    return [missing, failure(() => loaded.instantiate({})), await refusal(load(${JSON.stringify(other)}))];`);
  assert.is(missing[0], 'TypeError');
  assert.equal(closed, ['LoadError', 'ERR_CLOSED', `${greet}: component is closed; want it open`]);
  assert.equal(absent, [
    'LoadError',
    'ERR_NO_IMAGE',
    `${other}: has no image in a store; want it installed (insitu install ${other})`,
  ]);
});

component('a command runs: arguments, environment, streams, exit code, traps', () => {
  const go = (args: string[], options = {}) => insitu(['run', tasks, ...args], { env, ...options });
  const plain = go(['a', 'zwei Wörter'], { env: { ...env, GREETING: 'hällo' } });
  assert.equal([plain.status, plain.stderr], [0, '']);
  const [own, ...rest] = plain.stdout.split('\0');
  assert.equal([own, ...rest.slice(0, 2)], [tasks, 'a', 'zwei Wörter']);
  assert.ok(rest.includes('GREETING=hällo'));
  const input = 'x'.repeat(100_000);
  assert.ok(go(['c'], { input }).stdout === input);
  assert.is(go(['e']).status, 1, 'preview 2 knows that it failed, and no code');
  const trap = go(['t']);
  assert.is(trap.status, 134);
  assert.match(trap.stderr, /^insitu: \S+command\.wasm: trap: [^\n]*unreachable/);
  const written = insitu(['run', tasks, 'w'], { env, maxBuffer: 1 << 22 });
  assert.is(written.stdout.length, 1 << 20);
});

component('directories are those that --dir says', () => {
  writeFileSync(join(directory, 'note.txt'), 'noted\n');
  const open = (...dirs: string[]) => insitu(['run', ...dirs, tasks, 'f', 'note.txt'], { env });
  assert.is(open(`--dir=${directory}::/`).stdout, 'noted\n');
  const none = open();
  assert.equal([none.status, none.stdout], [1, '']);
});

component('the report names every core module', () => {
  const path = join(directory, 'report.json');
  const report = (...args: string[]) => {
    insitu(['run', `--report-file=${path}`, tasks, ...args], { env });
    return JSON.parse(readFileSync(path, 'utf8'));
  };
  const { format, way, exitCode, bytesInPlace, bytesCopied, evidence, why } = report();
  assert.equal([format, way, exitCode, bytesCopied], ['wasm-component', 'image', 0, 0]);
  assert.is(why, '4 of 4 core modules have images');
  assert.ok(bytesInPlace > 0);
  assert.is(evidence.files.length, 4);
  assert.is(report('e').exitCode, 1, 'of one that ends by exit, too');
});

component('one that is no program is refused', () => {
  const { status, stderr } = insitu(['run', greet], { env });
  assert.is(status, 126);
  assert.match(stderr, /exports no wasi:cli\/run; want a program/);
});

component(
  'a core module whose image is gone runs in V8, which is said; not where that would not be in place',
  () => {
    const [{ modules }] = installed.components.slice(1) as [{ modules: string[] }];
    rmSync(join(store, 'entries', modules[0] as string), { recursive: true });
    const { status, stderr } = insitu(['run', '--copy', tasks], { env });
    assert.is(status, 126);
    assert.match(stderr, /has no image in a store/);
    const said = insitu(['run', tasks, 'e'], { env });
    assert.match(said.stderr, /core-0\.wasm runs in V8: it has no image in a store; want it installed/);
    install(tasks);
    assert.equal([insitu(['run', '--copy', tasks, 'a'], { env }).status], [0]);
  },
);

component('damage is found, and made whole by installing again; taken out, nothing is left', () => {
  const kept = join(store, 'components', sha256);
  const verified = () => {
    const { status, stdout } = insitu(['verify', '--json'], { env });
    const { components } = JSON.parse(stdout) as { components: { damage: { path: string }[] }[] };
    return { status, damaged: components.flatMap(({ damage }) => damage.map(({ path }) => path)) };
  };
  assert.equal(verified(), { status: 0, damaged: [] });
  for (const name of ['component.1.mjs', 'core-1.wasm']) {
    const path = join(kept, name);
    const bytes = readFileSync(path);
    bytes[20] = (bytes[20] as number) ^ 1;
    rmSync(path); // a core module is its entry's source by another name
    writeFileSync(path, bytes);
    assert.equal(verified(), { status: 1, damaged: [path] });
    install(greet);
    assert.equal(verified(), { status: 0, damaged: [] });
  }
  assert.is(insitu(['rm', greet], { env }).status, 0);
  const { modules, components } = JSON.parse(insitu(['ls', '--json'], { env }).stdout);
  assert.equal(components.length, 1);
  assert.equal(
    modules.map(({ sha256: hash }: { sha256: string }) => hash).sort(),
    [...installed.components[1].modules].sort(),
  );
  assert.is(insitu(['rm', 'greet.wasm'], { env }).status, 127);
});

component.run();
