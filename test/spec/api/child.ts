// Runs the scripts of one area on one way, in a process of its own.
import process from 'node:process';
import { namespaceOf } from '../engine.ts';
import type { Compiled, Way } from '../ways.ts';
import { areas } from './areas.ts';
import { type Loose, runScript } from './trial.ts';

export interface ApiJob {
  area: string;
  way: Way;
  modules: { name: string; bytes: Uint8Array; compiled: Compiled | undefined }[];
}
/** The lines of each script. */
export type Seen = Record<string, string[]>;

async function run({ area: name, way, modules }: ApiJob): Promise<Seen> {
  const area = areas.find((known) => known.name === name);
  if (!area) throw new Error(`no area ${name}`);
  const compiled = (bytes: Uint8Array) =>
    modules.find((module) => Buffer.compare(module.bytes, bytes) === 0)?.compiled;
  const W = (await namespaceOf(way, compiled)) as unknown as Loose;
  const bytes = (wanted: string) => {
    const module = modules.find((known) => known.name === wanted);
    if (!module) throw new Error(`no module ${wanted}`);
    return Uint8Array.from(module.bytes);
  };
  const seen: Seen = {};
  for (const [label, script] of Object.entries(area.scripts)) seen[label] = await runScript(script, W, bytes);
  return seen;
}

process.on('message', (job: ApiJob) => {
  run(job).then(
    (seen) => process.send?.({ seen }),
    (error: Error) => process.send?.({ failed: String(error.stack) }),
  );
});
