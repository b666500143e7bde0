// Taking modules out of a store. What runs from their images goes on.
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { inFile, LoadError } from '../error.ts';
import { linkTarget } from './find.ts';
import { entryPath } from './layout.ts';
import { listStore, namesIn, type StoredModule } from './list.ts';
import { type LockOptions, locked } from './lock.ts';

const SHORTEST = 6; // digits of a hash

/**
 * The module that a name, the beginning of a hash, or a file means.
 * @throws LoadError ERR_NO_ENTRY, ERR_REFERENCE when it means several
 */
export function findModule(root: string, wanted: string): StoredModule {
  const all = listStore(root);
  const found = all.filter((module) => isMeant(module, wanted));
  const byContent = found.length === 1 ? undefined : contentOf(wanted);
  const same = all.find(({ sha256 }) => sha256 === byContent);
  if (same) return same;
  if (found.length === 1) return found[0] as StoredModule;
  if (found.length === 0) throw new LoadError('ERR_NO_ENTRY', root, `has no module ${wanted} (insitu ls)`);
  const several = found.map((module) => `${module.sha256.slice(0, 12)} ${module.from[0] ?? ''}`.trim());
  throw new LoadError('ERR_REFERENCE', wanted, `could be any of ${several.join(', ')}; want one hash`);
}

function isMeant(module: StoredModule, wanted: string): boolean {
  const { sha256, from } = module;
  const isHash = wanted.length >= SHORTEST && /^[0-9a-f]+$/.test(wanted) && sha256.startsWith(wanted);
  return isHash || from.some((path) => path === wanted || basename(path) === wanted);
}

function contentOf(path: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return undefined; // no file
  }
}

/** Takes a module out, all its images at once. @throws LoadError EACCES, EROFS …; the signal's reason */
export async function removeModule(root: string, sha256: string, options: LockOptions = {}): Promise<void> {
  try {
    await locked(join(root, 'locks', sha256), options, async () => {
      const entry = entryPath(root, sha256);
      const going = `${entry}.${process.pid}.removed`; // one step for whoever looks
      if (statSync(entry, { throwIfNoEntry: false })) {
        renameSync(entry, going);
        rmSync(going, { recursive: true });
      }
      sweepIndex(root, (target) => target.startsWith(`${sha256}/`));
    });
  } catch (error) {
    throw inFile(root, error);
  }
}

/** Removes what of the index leads somewhere that is not wanted. @returns how many */
export function sweepIndex(root: string, isUnwanted: (target: string) => boolean): number {
  let removed = 0;
  for (const directory of namesIn(join(root, 'index')).map((name) => join(root, 'index', name)))
    for (const name of namesIn(directory)) {
      const target = linkTarget(join(directory, name));
      if (target !== undefined && !isUnwanted(target)) continue;
      rmSync(join(directory, name), { recursive: true, force: true });
      removed++;
    }
  return removed;
}
