// Runs the scripts of the JavaScript interface on V8 and on another way, and compares what they saw.
import { fork } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compileMany } from '../engine.ts';
import { TextReaders } from '../text.ts';
import { areas } from './areas.ts';
import type { ApiJob, Seen } from './child.ts';
import type { Area, Sight } from './trial.ts';

const TIMEOUT_MS = 60_000;
const childScript = fileURLToPath(new URL('./child.ts', import.meta.url));

/** What the area's scripts saw on a way; a process that dies or hangs is an Error with its last words. */
export function observe(job: ApiJob): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const child = fork(childScript, {
      execArgv: process.execArgv,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let errors = '';
    child.stderr?.on('data', (chunk) => {
      errors = (errors + chunk).slice(-800);
    });
    child.on('message', (answer: { seen: Seen } | { failed: string }) => {
      if ('seen' in answer) resolve(answer.seen);
      else reject(new Error(`${job.way}, ${job.area}: ${answer.failed}`));
      child.kill();
    });
    child.on('close', (code, signal) =>
      reject(new Error(`${job.way}, ${job.area}: ended by ${signal ?? `exit code ${code}`} ${errors}`)),
    );
    child.send(job);
  });
}

/** The areas' modules as binaries, and as images where any way but V8 is wanted. */
export async function prepare(
  ahead: boolean,
  directory: string,
  only = '',
): Promise<Map<Area, ApiJob['modules']>> {
  const readers = new TextReaders(1);
  try {
    const prepared = new Map<Area, ApiJob['modules']>();
    for (const area of areas.filter(({ name }) => name.includes(only))) {
      const entries = Object.entries(area.modules).map(async ([name, text]) => {
        const parsed = await readers.parse(Buffer.from(text), ['wasm-tools', 'wabt']);
        if ('rejected' in parsed) throw new Error(`${area.name}, ${name}: ${parsed.rejected}`);
        return { name, bytes: parsed.binary, compiled: undefined };
      });
      prepared.set(area, await Promise.all(entries));
    }
    if (!ahead) return prepared;
    const all = [...prepared.values()].flat();
    const compiled = await compileMany(
      all.map((module) => module.bytes),
      directory,
    );
    for (const [index, module] of all.entries()) Object.assign(module, { compiled: compiled[index] });
    return prepared;
  } finally {
    readers.close();
  }
}

export interface Unlike {
  script: string;
  label: string;
  v8: string;
  found: string;
}

const byLabel = (sights: Sight[] = []): Map<string, string> =>
  new Map(sights.map(({ label, text }) => [label, text]));

/** What is not the same, or not there on both sides. */
export function compareSeen(v8: Seen, found: Seen): Unlike[] {
  return Object.keys({ ...v8, ...found }).flatMap((script) => {
    const [reference, own] = [byLabel(v8[script]), byLabel(found[script])];
    return [...new Map([...reference, ...own]).keys()]
      .map((label) => ({
        script,
        label,
        v8: reference.get(label) ?? 'nothing',
        found: own.get(label) ?? 'nothing',
      }))
      .filter((sight) => sight.v8 !== sight.found);
  });
}
