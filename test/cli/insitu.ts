// The command line as users have it: the compiled one, in processes of its own.
import {
  type ChildProcess,
  type SpawnOptions,
  type SpawnSyncOptions,
  type SpawnSyncReturns,
  spawn,
  spawnSync,
} from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const main = fileURLToPath(new URL('../../dist/runtime/cli/main.cjs', import.meta.url));

const { NODE_OPTIONS: _, NODE_EXTRA_CA_CERTS: __, ...inherited } = process.env;
export const environment: NodeJS.ProcessEnv = inherited;

/** `insitu args…` to its end. */
export function insitu(args: string[], options: SpawnSyncOptions = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [main, ...args], {
    timeout: 30_000,
    env: environment,
    ...options,
    encoding: 'utf8',
  });
}

/** `insitu args…`, left running. */
export function start(args: string[], options: SpawnOptions = {}): ChildProcess {
  return spawn(process.execPath, [main, ...args], { env: environment, ...options });
}

/** As a shell's command line sees it: `$INSITU` stands for insitu. */
export function shell(script: string, env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  const INSITU = `${process.execPath} ${main}`;
  return spawnSync('bash', ['-c', script], {
    encoding: 'utf8',
    timeout: 30_000,
    env: { ...environment, INSITU, ...env },
  });
}

const TMPFS = 0x01021994;
let ram: string | undefined;

/** A copy of a file on the RAM file system. */
export function inRam(file: string): string {
  if (ram === undefined) {
    const made = mkdtempSync('/dev/shm/insitu-test-');
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    ram = made;
  }
  const path = join(ram, basename(file));
  copyFileSync(file, path);
  return path;
}

/** Why there is no RAM file system to copy to; none if there is. */
export function ramIsMissing(): string {
  try {
    return statfsSync('/dev/shm').type === TMPFS ? '' : '/dev/shm is no tmpfs';
  } catch (error) {
    return (error as Error).message;
  }
}
