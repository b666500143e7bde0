// Where things are, and a directory of this run's own.
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
const { resolve } = createRequire(import.meta.url);

/** A file of an installed package. */
export const inPackage = (name: string): string => resolve(name);

export const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export const cli = join(root, 'dist/runtime/cli/main.cjs');
/** The preload of the build. */
export const hook = join(root, 'dist/runtime/hook/register.cjs');

/** On a RAM file system where there is one; removed when the process ends. */
export function temporaryDirectory(prefix: string): string {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const made = realpathSync(mkdtempSync(join(parent, prefix)));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
  return made;
}
