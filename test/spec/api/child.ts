// Runs the scripts of one area on one way, in a process of its own.
import process from 'node:process';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { allowFallback, leftToV8, namespaceOf } from '../engine.ts';
import type { Way } from '../ways.ts';
import { areas } from './areas.ts';
import { compiledOf, type PreparedModule } from './compiled.ts';
import { type Loose, runScript, type Sight, type Surroundings } from './trial.ts';
import type { WorkerData } from './worker.ts';

export interface ApiJob {
  area: string;
  way: Way;
  modules: PreparedModule[];
}
/** By script. */
export type Seen = Record<string, Sight[]>;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

// Node 20 does not run the preloads of the process in a worker's loader.
const bootstrap = `
  const { register } = require(${JSON.stringify(fileURLToPath(import.meta.resolve('tsx/esm/api')))});
  register();
  import(${JSON.stringify(new URL('./worker.ts', import.meta.url))});`;

async function collect(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    gc();
    await setImmediate();
  }
}

async function run({ area: name, way, modules }: ApiJob): Promise<Seen> {
  const area = areas.find((known) => known.name === name);
  if (!area) throw new Error(`no area ${name}`);
  const W = (await namespaceOf(way, compiledOf(modules))) as unknown as Loose;
  const bytes = (wanted: string) => {
    const module = modules.find((known) => known.name === wanted);
    if (!module) throw new Error(`no module ${wanted}`);
    return Uint8Array.from(module.bytes);
  };
  if (way !== 'v8') await allowFallback();
  const inWorker = (task: string, data: unknown) =>
    new Promise((resolve, reject) => {
      const workerData: WorkerData = { task, data, way, modules };
      const worker = new Worker(bootstrap, { eval: true, workerData });
      worker.on('message', resolve);
      worker.on('error', reject);
      worker.on('exit', (code) => reject(new Error(`the worker ended with ${code}`)));
    });
  const surroundings: Surroundings = { W, bytes, collect, inWorker };
  const seen: Seen = {};
  for (const [label, script] of Object.entries(area.scripts))
    seen[label] = await runScript(script, surroundings);
  const left = way === 'v8' ? [] : await leftToV8();
  if (left.length > 0) seen['left to V8'] = left.map((text, index) => ({ label: String(index), text }));
  return seen;
}

process.on('message', (job: ApiJob) => {
  run(job).then(
    (seen) => process.send?.({ seen }),
    (error: Error) => process.send?.({ failed: String(error.stack) }),
  );
});
