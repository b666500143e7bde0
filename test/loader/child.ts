// Mapped code runs in child processes only: a crash is then an answer, and loses nothing else.
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Stage } from './stage.ts';

const stage = fileURLToPath(new URL('./stage.ts', import.meta.url));

/** What a function that runs in the child may be: it sees its own arguments and the stage, nothing of its file. */
export type Act<A extends unknown[], R> = (stage: Stage, ...args: A) => R | Promise<R>;

function commandLine<A extends unknown[], R>(act: Act<A, R>, args: A): [string, string[]] {
  return [process.execPath, ['--expose-gc', '--import', 'tsx', stage, act.toString(), JSON.stringify(args)]];
}

/** Runs a function in a fresh Node and waits; its result is the last line of stdout. */
export function run<A extends unknown[], R>(act: Act<A, R>, ...args: A): SpawnSyncReturns<string> {
  const [command, argv] = commandLine(act, args);
  return spawnSync(command, argv, { encoding: 'utf8', timeout: 30_000, maxBuffer: 1 << 26 });
}

/** As run, for a child that must end well. @returns what the function returned; a bigint arrives as a string */
export function inChild<A extends unknown[], R>(act: Act<A, R>, ...args: A): R {
  const { status, signal, stdout, stderr } = run(act, ...args);
  if (status !== 0) throw new Error(`child ended with ${signal ?? status}: ${stderr}${stdout}`);
  const answer = stdout.trimEnd().split('\n').at(-1);
  return (answer === 'undefined' ? undefined : JSON.parse(answer as string)) as R;
}

/** A child that goes on beside the test. */
export function startChild<A extends unknown[], R>(act: Act<A, R>, ...args: A) {
  const [command, argv] = commandLine(act, args);
  return spawn(command, argv, { stdio: ['pipe', 'pipe', 'pipe'] });
}
