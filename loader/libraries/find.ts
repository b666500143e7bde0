// From a shared object to its copy in a store, at load: as of modules (../images/find.ts), a file is known again by device,
// inode, size and times, or by a sample of its bytes and then all of them. So is each file that it needs from where it lies:
// one that was replaced since, and the set is not taken.
import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { isSource, linkTarget, MOMENT_NS, readAt, rootsNow, setLink } from '../images/find.ts';
import { type FileStatus, fileKey, MOST_ALIKE, sampleKey } from '../images/layout.ts';
import {
  filePath,
  knownPath,
  type Listed,
  libraryIndex,
  listPath,
  parseList,
  parseTarget,
} from './layout.ts';

export interface StoredLibrary {
  readonly root: string;
  /** Of its set. */
  readonly sha256: string;
  /** The stored file. */
  readonly path: string;
}

/**
 * The copy of a shared object in a store. What is found by comparing is remembered, where the store can be written.
 * @returns undefined where there is none
 * @throws Error of the system call when the file can't be read
 */
export function libraryOfFile(
  path: string,
  roots: readonly string[] = rootsNow(),
): StoredLibrary | undefined {
  for (const root of roots) {
    if (statSync(libraryIndex(root), { throwIfNoEntry: false }) === undefined) continue;
    const found = libraryIn(root, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function libraryIn(root: string, path: string): StoredLibrary | undefined {
  const status = statSync(path, { bigint: true });
  if (!status.isFile()) return undefined; // a FIFO would be waited for
  const known = parseTarget(linkTarget(`${libraryIndex(root)}/${fileKey(status)}`) ?? '');
  if (known !== undefined && isWhole(root, known, path, Number(status.size))) return stored(root, known);
  const found = bySample(root, path);
  return found !== undefined && isWhole(root, found, path, Number(status.size))
    ? stored(root, found)
    : undefined;
}

const stored = (root: string, { sha256, file }: Listed): StoredLibrary => ({
  root,
  sha256,
  path: filePath(root, sha256, file),
});

function bySample(root: string, path: string): Listed | undefined {
  const fd = openSync(path, 'r');
  try {
    const status = fstatSync(fd, { bigint: true });
    const [size, began] = [Number(status.size), BigInt(Date.now()) * 1_000_000n];
    const read = (at: number, length: number) => readAt(fd, at, length);
    const key = sampleKey(size, read);
    for (let i = 0; i < MOST_ALIKE; i++) {
      const target = linkTarget(`${libraryIndex(root)}/${key}-${i}`);
      if (target === undefined) return undefined;
      const found = parseTarget(target);
      if (found === undefined || !isSource(filePath(root, found.sha256, found.file), size, read)) continue;
      rememberFile(libraryIndex(root), status, target, began);
      return found;
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** It is there, of this size, and so is the rest of its set, as it lies around `path`. */
function isWhole(root: string, { sha256, file }: Listed, path: string, size: number): boolean {
  if (statSync(filePath(root, sha256, file), { throwIfNoEntry: false })?.size !== size) return false;
  try {
    const list = parseList(readFileSync(listPath(root, sha256), 'utf8'));
    if (list === undefined || list[0].file !== file) return false;
    const beside = (needed: string) => resolve(dirname(path), relative(dirname(file), needed));
    return list.slice(1).every((needed) => isSame(root, sha256, needed.file, beside(needed.file)));
  } catch {
    return false;
  }
}

function isSame(root: string, sha256: string, file: string, original: string): boolean {
  const fd = openSync(original, 'r');
  try {
    const status = fstatSync(fd, { bigint: true });
    const [size, began] = [Number(status.size), BigInt(Date.now()) * 1_000_000n];
    const copy = filePath(root, sha256, file);
    if (linkTarget(`${knownPath(root, sha256)}/${fileKey(status)}`) === file)
      return statSync(copy, { throwIfNoEntry: false })?.size === size;
    if (!isSource(copy, size, (at, length) => readAt(fd, at, length))) return false;
    rememberFile(knownPath(root, sha256), status, file, began);
    return true;
  } finally {
    closeSync(fd);
  }
}

/** Unless it may have changed since it was read. */
export function rememberFile(directory: string, status: FileStatus, target: string, readNs: bigint): boolean {
  return readNs - status.ctimeNs >= MOMENT_NS && setLink(directory, fileKey(status), target);
}
