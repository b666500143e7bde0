// Programs of JavaScript: Node itself is the program that starts in place, with the hook preloaded.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APP } from '../../loader/bundle/layout.ts';
import { moduleFile } from '../../loader/root.ts';
import { locate, readyFor } from '../../loader/store/locate.ts';
import { openApp } from '../bundle/open.ts';
import { readReportsIfAny } from '../hook/read.ts';
import { prepare, type RunOptions, replaceProcess } from '../program/index.ts';
import { supervise } from '../program/supervise.ts';
import { UsageError } from './outcome.ts';
import type { Deliver } from './run.ts';

/** As runScript, of an app that insitu bundle has put into a region. @throws LoadError ERR_NO_ENTRY of any other region */
export async function runApp(
  region: string,
  args: readonly string[],
  options: RunOptions,
  deliver: Deliver,
): Promise<number> {
  const path = realpathSync(region);
  const name = `region:${path}/${APP}`;
  await readyFor(name);
  using located = locate(name);
  const reference = `${path}@0x${located.start.toString(16)}+0x${(located.size ?? 0).toString(16)}`;
  const { entry } = openApp(reference).app;
  process.env.INSITU_BUNDLE = reference;
  return runScript([`${path}/${entry.path}`, ...args], options, deliver);
}

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
