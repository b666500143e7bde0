// Programs of JavaScript: Node itself is the program that starts in place, with the hook preloaded.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { moduleFile } from '../../loader/root.ts';
import { readReportsIfAny } from '../hook/read.ts';
import { prepare, type RunOptions, replaceProcess } from '../program/index.ts';
import { supervise } from '../program/supervise.ts';
import { UsageError } from './outcome.ts';
import type { Deliver } from './run.ts';

/** Replaces this process, unless a report is wanted. @returns the exit code */
export function runScript(
  command: readonly string[],
  { place, requireInPlace }: RunOptions,
  deliver: Deliver,
): number {
  if (requireInPlace) throw new UsageError('--require-in-place is for programs; of a script see --report');
  const argv = [...process.execArgv, '--require', moduleFile('runtime/hook/register'), ...command];
  if (place === 'copy') process.env.INSITU = 'copy';
  if (deliver === undefined) replaceProcess(prepare(process.execPath, argv, {}));
  const directory = mkdtempSync(join(tmpdir(), 'insitu-run-'));
  try {
    const file = join(directory, 'report');
    process.env.INSITU_REPORT = file;
    const { exitCode, signal } = supervise(prepare(process.execPath, argv, {}));
    const reports = readReportsIfAny(file);
    deliver({ processes: reports });
    return signal === null ? (exitCode ?? 1) : 128 + signal;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
