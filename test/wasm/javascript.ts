// A component of JavaScript: script.mjs by componentize-js, which comes with jco, with an engine of 12 MB around it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root } from './packages/places.ts';

const script = join(root, 'test/wasm/script.mjs');
const world = `package local:demo;
  world demo {
    export sum: func(values: list<f64>) -> f64;
    export shout: func(text: string) -> string;
    export checked: func(text: string) -> result<string, string>;
    export work: func(seed: u32) -> string;
  }`;

function run(node: string, code: string, args: readonly string[], env: NodeJS.ProcessEnv): string {
  const options = { cwd: root, env, encoding: 'utf8', timeout: 120_000 } as const;
  return execFileSync(node, ['--input-type=module', '-e', code, ...args], options);
}

export function buildScript(path: string, env: NodeJS.ProcessEnv): void {
  const code = `
    import { writeFileSync } from 'node:fs';
    import { componentize } from '@bytecodealliance/componentize-js';
    const disableFeatures = ['stdio', 'http', 'fetch-event'];
    const [script, world, path] = process.argv.slice(1);
    writeFileSync(path, (await componentize(script, world, { disableFeatures })).component);`;
  run(process.execPath, code, [readFileSync(script, 'utf8'), world, path], env);
}

const ask = `
  function thrown(act) {
    try { return act(); } catch (error) { return ['threw', error.payload ?? error]; }
  }
  const told = ({ sum, shout, checked, work }) => JSON.stringify([
    sum([1, 2.5, 3]), shout('grüße'), checked('größe'), thrown(() => checked('a b')), work(1), work(123456789)]);`;

/** What Node answers, asked the same. */
export function askNode(env: NodeJS.ProcessEnv): string {
  return run(process.execPath, `${ask} console.log(told(await import(process.argv[1])));`, [script], env);
}

/** @throws Error when it fails, or a core module has no image */
export function askComponent(node: string, component: string, place: string, env: NodeJS.ProcessEnv): string {
  const code = `${ask}
    import { load } from 'insitu';
    import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation';
    const [component, place] = process.argv.slice(1);
    const loaded = await load(component, { place });
    for (const { module, report, why } of loaded.modules)
      if (report?.place !== place) throw new Error(module + ': ' + (why || report.place) + '; want ' + place);
    console.log(told(loaded.instantiate(new WASIShim().getImportObject())));`;
  return run(node, code, [component, place], env);
}
