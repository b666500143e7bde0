// Mapped code runs in child processes only: a crash is then an answer, and loses nothing else.
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Stage } from './stage.ts';

const stage = fileURLToPath(new URL('./stage.ts', import.meta.url));

/** What a function that runs in the child may be: it sees its arguments and the stage, nothing of its file; no `using`. */
export type Act<A extends unknown[], R> = (stage: Stage, ...args: A) => R | Promise<R>;

type Json = { [key: string]: Json } | Json[] | string | number | boolean | null;

function commandLine(act: unknown, args: unknown[], way: string[]): [string, string[]] {
  const node = ['--expose-gc', '--import', 'tsx', stage, String(act), JSON.stringify(args as Json)];
  const [command, ...rest] = [...way, process.execPath, ...node];
  return [command as string, rest];
}

/** Runs a function in a fresh Node and waits, by way of another command where there is one. */
export function runBy<A extends unknown[], R>(
  way: string[],
  act: Act<A, R>,
  ...args: A
): SpawnSyncReturns<string> {
  const [command, argv] = commandLine(act, args, way);
  return spawnSync(command, argv, { encoding: 'utf8', timeout: 30_000, maxBuffer: 1 << 26 });
}

export function run<A extends unknown[], R>(act: Act<A, R>, ...args: A): SpawnSyncReturns<string> {
  return runBy([], act, ...args);
}

/** What the function returned, from the last line of stdout; a bigint arrives as a string. The child must have ended well. */
export function answerOf<R>({ status, signal, stdout, stderr }: SpawnSyncReturns<string>): R {
  if (status !== 0) throw new Error(`child ended with ${signal ?? status}: ${stderr}${stdout}`);
  const answer = stdout.trimEnd().split('\n').at(-1);
  return (answer === 'undefined' ? undefined : JSON.parse(answer as string)) as R;
}

export function inChild<A extends unknown[], R>(act: Act<A, R>, ...args: A): Awaited<R> {
  return answerOf(run(act, ...args));
}

/** A child that goes on beside the test. */
export function startChild<A extends unknown[], R>(act: Act<A, R>, ...args: A) {
  const [command, argv] = commandLine(act, args, []);
  return spawn(command, argv, { stdio: ['pipe', 'pipe', 'pipe'] });
}
