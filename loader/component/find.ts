// From a component's file to what was made of it, at load: by device, inode, size and times where it was seen before, else
// by its hash. Transpiled code that takes milliseconds to load follows, so hashing is no matter here.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { linkTarget, setLink } from '../images/find.ts';
import { type FileStatus, fileKey, isSha256 } from '../images/layout.ts';
import { rootsToRead } from '../images/roots.ts';
import { bindingPath, componentIndex } from './layout.ts';

export interface FoundComponent {
  root: string;
  sha256: string;
  /** The ES module that instantiates it. */
  binding: string;
}

/** @returns undefined where it is not installed @throws Error of the system call when the file can't be read */
export function componentOfFile(path: string): FoundComponent | undefined {
  const roots = rootsToRead().map((root) => root.path);
  const status = statSync(path, { bigint: true });
  if (!status.isFile()) return undefined;
  const key = fileKey(status);
  for (const root of roots) {
    const sha256 = linkTarget(`${componentIndex(root)}/${key}`);
    const known = sha256 === undefined ? undefined : installed(root, sha256);
    if (known !== undefined) return known;
  }
  return byHash(path, roots);
}

function byHash(path: string, roots: readonly string[]): FoundComponent | undefined {
  const fd = openSync(path, 'r');
  try {
    const began = BigInt(Date.now()) * 1_000_000n;
    const sha256 = hashOf(fd);
    const status = fstatSync(fd, { bigint: true });
    const found = roots.map((root) => installed(root, sha256)).find((known) => known !== undefined);
    if (found !== undefined) rememberComponent(found.root, sha256, status, began);
    return found;
  } finally {
    closeSync(fd);
  }
}

function hashOf(fd: number): string {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(1 << 20);
  for (let got = -1; got !== 0; ) {
    got = readSync(fd, chunk);
    hash.update(chunk.subarray(0, got));
  }
  return hash.digest('hex');
}

function installed(root: string, sha256: string): FoundComponent | undefined {
  if (!isSha256(sha256)) return undefined;
  const binding = bindingPath(root, sha256);
  return statSync(binding, { throwIfNoEntry: false }) === undefined ? undefined : { root, sha256, binding };
}

/** What a file system takes for one moment at most: a write within it would not show in the times. */
const MOMENT_NS = 2_000_000_000n;

/** That a file of this status is this component, unless it may have changed since it was read. */
export function rememberComponent(root: string, sha256: string, status: FileStatus, readNs: bigint): void {
  if (readNs - status.ctimeNs < MOMENT_NS) return;
  setLink(componentIndex(root), fileKey(status), sha256);
}
