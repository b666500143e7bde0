// Shared objects of a store: which there are, whether they are whole, and taking them out.
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { inFile } from '../error.ts';
import { linkTarget } from '../images/find.ts';
import { isSha256 } from '../images/layout.ts';
import { namesIn, origins } from '../images/list.ts';
import { type LockOptions, locked } from '../images/lock.ts';
import { contentDamage } from '../images/record.ts';
import { removeUnfinished } from './install.ts';
import {
  filePath,
  type Listed,
  librariesPath,
  libraryIndex,
  listPath,
  parseList,
  parseTarget,
  setPath,
} from './layout.ts';

export interface StoredSet {
  sha256: string;
  /** The paths it was installed from. */
  from: string[];
  /** The one that is opened first; none where the list can't be understood. */
  files: Listed[];
  /** Bytes of all files that are there. */
  size: number;
}

export interface VerifiedSet extends StoredSet {
  damage: { path: string; what: string }[];
  repair: 'removed' | null;
}

/** @throws LoadError when the store can't be read; an absent one has none */
export function listLibraries(root: string): StoredSet[] {
  return namesIn(librariesPath(root))
    .filter(isSha256)
    .sort()
    .map((sha256) => {
      const files = listOf(root, sha256);
      const size = files.reduce((sum, { file }) => sum + sizeOf(filePath(root, sha256, file)), 0);
      return { sha256, from: origins(setPath(root, sha256)), files, size };
    });
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

function listOf(root: string, sha256: string): Listed[] {
  try {
    return parseList(readFileSync(listPath(root, sha256), 'utf8')) ?? [];
  } catch {
    return [];
  }
}

/**
 * Reads all of it.
 * @param repair what is damaged is taken out: the originals are used again until it is installed anew
 */
export async function verifyLibraries(
  root: string,
  { repair, ...options }: LockOptions & { repair: boolean },
): Promise<VerifiedSet[]> {
  const verified: VerifiedSet[] = [];
  for (const set of listLibraries(root)) {
    options.signal?.throwIfAborted();
    const damage = damageOf(root, set);
    if (repair && damage.length > 0) await removeLibrary(root, set.sha256, options);
    verified.push({ ...set, damage, repair: repair && damage.length > 0 ? 'removed' : null });
  }
  if (repair) tidy(root);
  return verified;
}

function damageOf(root: string, { sha256, files }: StoredSet): VerifiedSet['damage'] {
  const path = listPath(root, sha256);
  try {
    if (createHash('sha256').update(readFileSync(path)).digest('hex') !== sha256)
      return [{ path, what: 'is not the list that was installed' }];
  } catch (error) {
    return [{ path, what: (error as Error).message }];
  }
  return files.flatMap((listed) => {
    const file = filePath(root, sha256, listed.file);
    const what = contentDamage(file, listed.sha256);
    return what === undefined ? [] : [{ path: file, what }];
  });
}

/** What a name, the beginning of a hash, or the path of a file means. */
export function findLibraries(root: string, wanted: string): StoredSet[] {
  const isHash = wanted.length >= 6 && /^[0-9a-f]+$/.test(wanted);
  return listLibraries(root).filter(
    ({ sha256, from }) =>
      (isHash && sha256.startsWith(wanted)) ||
      from.some((path) => path === wanted || basename(path) === wanted),
  );
}

/** Takes a set out. What runs from it goes on. @throws LoadError EACCES, EROFS …; the signal's reason */
export async function removeLibrary(root: string, sha256: string, options: LockOptions = {}): Promise<void> {
  const path = setPath(root, sha256);
  try {
    await locked(join(root, 'locks', sha256), options, async () => {
      const going = join(librariesPath(root), `.${process.pid}-${sha256}.removed`); // one step for whoever looks
      if (statSync(path, { throwIfNoEntry: false }) !== undefined) {
        renameSync(path, going);
        rmSync(going, { recursive: true });
      }
      tidy(root);
    });
  } catch (error) {
    throw inFile(path, error);
  }
}

/** What leads nowhere, and what killed processes have left. */
function tidy(root: string): void {
  removeUnfinished(root);
  for (const name of namesIn(libraryIndex(root))) {
    const path = join(libraryIndex(root), name);
    const target = parseTarget(linkTarget(path) ?? '');
    const isThere =
      target !== undefined &&
      statSync(filePath(root, target.sha256, target.file), { throwIfNoEntry: false }) !== undefined;
    if (!isThere) rmSync(path, { recursive: true, force: true });
  }
}
