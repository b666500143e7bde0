// Programs of JavaScript: Node itself is the program that starts in place, with the hook preloaded.
import { mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import { codeName } from '../../loader/bundle/code.ts';
import { APP } from '../../loader/bundle/layout.ts';
import type { LoadError } from '../../loader/error.ts';
import { moduleFile } from '../../loader/root.ts';
import { type Located, locate, readyFor } from '../../loader/store/locate.ts';
import { encodeReference, openApp } from '../bundle/open.ts';
import { makeCode } from '../hook/make-code.ts';
import { readReportsIfAny } from '../hook/read.ts';
import { prepare, type RunOptions, replaceProcess, type Start } from '../program/index.ts';
import { supervise } from '../program/supervise.ts';
import { messageOf, UsageError } from './outcome.ts';
import type { Deliver } from './run.ts';

/** As runScript, of an app that insitu bundle has put into a region. @throws LoadError ERR_NO_ENTRY of any other region */
export async function runApp(
  region: string,
  args: readonly string[],
  options: RunOptions & { warm: boolean },
  deliver: Deliver,
): Promise<number> {
  const path = realpathSync(region);
  await readyFor(`region:${path}/${APP}`);
  using app = locate(`region:${path}/${APP}`);
  using code = options.warm ? undefined : codeIn(path);
  const reference = encodeReference(path, extentOf(app), code && extentOf(code));
  const command = [`${path}/${openApp(reference).app.entry.path}`, ...args];
  process.env.INSITU_BUNDLE = reference;
  return options.warm ? runWarm(path, command, options, deliver) : runScript(command, options, deliver);
}

/** Of an entry, whose size is known. */
const extentOf = ({ start, size = 0 }: Located) => ({ start, size });

/** Of this Node; undefined where there is none. */
function codeIn(path: string): Located | undefined {
  try {
    return locate(`region:${path}/${codeName(cachedDataVersionTag())}`);
  } catch (error) {
    if ((error as LoadError).code === 'ERR_NO_ENTRY') return undefined;
    throw error;
  }
}

/** What V8 makes of the scripts meanwhile goes into the region, also where the program ends with an error. */
async function runWarm(
  region: string,
  command: readonly string[],
  options: RunOptions,
  deliver: Deliver,
): Promise<number> {
  const { placeInRegion } = await import('../../loader/store/place.ts');
  const directory = mkdtempSync(join(tmpdir(), 'insitu-warm-'));
  try {
    const file = join(directory, 'code');
    process.env.INSITU_BUNDLE_CODE = file;
    const status = deliver ? runScript(command, options, deliver) : statusOf(startOf(command, options));
    await makeCode(); // what attaches the app is read from V8's code cache, too
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) return status;
    try {
      placeInRegion([{ path: file, name: codeName(cachedDataVersionTag()) }], region);
    } catch (error) {
      process.stderr.write(`insitu: V8's code cache was not kept: ${messageOf(error)}\n`);
    }
    return status;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Replaces this process, unless a report is wanted. @returns the exit code */
export function runScript(command: readonly string[], options: RunOptions, deliver: Deliver): number {
  if (deliver === undefined) replaceProcess(startOf(command, options));
  const directory = mkdtempSync(join(tmpdir(), 'insitu-run-'));
  try {
    const file = join(directory, 'report');
    process.env.INSITU_REPORT = file;
    const status = statusOf(startOf(command, options));
    deliver({ processes: readReportsIfAny(file) });
    return status;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function startOf(command: readonly string[], { place, requireInPlace }: RunOptions): Start {
  if (requireInPlace) throw new UsageError('--require-in-place is for programs; of a script see --report');
  if (place === 'copy') process.env.INSITU = 'copy';
  const argv = [...process.execArgv, '--require', moduleFile('runtime/hook/register'), ...command];
  return prepare(process.execPath, argv, {});
}

/** When it has ended. */
function statusOf(start: Start): number {
  const { exitCode, signal } = supervise(start);
  return signal === null ? (exitCode ?? 1) : 128 + signal;
}
