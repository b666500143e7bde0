// Putting a shared object into a store, with what it needs from where it lies: copied byte by byte, laid out for huge pages.
// Nothing is relocated ahead: ld.so maps the copies as it would map the originals.
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { sense } from '../backing.ts';
import { inFile, LoadError } from '../error.ts';
import { openStore } from '../images/choose.ts';
import { isSource, linkTarget, MOMENT_NS, readAt, setLink } from '../images/find.ts';
import { INSTALLED_FROM, MOST_ALIKE, sampleKey } from '../images/layout.ts';
import { namesIn, origins } from '../images/list.ts';
import { type LockOptions, locked } from '../images/lock.ts';
import { setAside } from '../store/lay-out.ts';
import { rememberFile } from './find.ts';
import { type Gathered, gather } from './gather.ts';
import {
  encodeList,
  filePath,
  knownPath,
  type Listed,
  librariesPath,
  libraryIndex,
  listPath,
  parseTarget,
  setPath,
} from './layout.ts';

export interface InstalledLibrary {
  path: string;
  /** Of its set. */
  sha256: string;
  /** Of the set, the file itself first. */
  files: string[];
  status: 'copied' | 'present';
  /** Bytes of all files. */
  size: number;
  elapsedNs: number;
}

export interface InstallLibraryOptions extends LockOptions {
  /** Of the store; the chosen one if not said. */
  root?: string;
}

/** A file as it was when it was read. */
interface Original extends Listed {
  path: string;
  status: BigIntStats;
  /** Before the first byte was read, by the real-time clock. */
  readNs: bigint;
}

/**
 * @throws LoadError ERR_FORMAT of what is no shared object for this machine, ERR_CHANGED of a file that was written to
 *   meanwhile, ENOSPC, EROFS … of the store; the signal's reason. The store is as it was then.
 */
export async function installLibrary(
  path: string,
  options: InstallLibraryOptions = {},
): Promise<InstalledLibrary> {
  const began = process.hrtime.bigint();
  const gathered = gather(path);
  const root = openStore(options.root);
  const unfinished = join(librariesPath(root), `.${process.pid}-${began.toString(36)}.unfinished`);
  try {
    const originals = await copyAll(gathered, unfinished, options.signal);
    const list = encodeList(originals);
    const sha256 = createHash('sha256').update(list).digest('hex');
    const publish = async () => publishSet(root, sha256, unfinished, list);
    const status = await locked(join(root, 'locks', sha256), options, publish);
    noteOrigin(root, sha256, path);
    pointTo(root, sha256, originals);
    const size = originals.reduce((sum, original) => sum + Number(original.status.size), 0);
    const files = originals.map(({ file }) => file);
    return { path, sha256, files, status, size, elapsedNs: Number(process.hrtime.bigint() - began) };
  } catch (error) {
    throw inFile(path, error);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** A file system does not tell two writes within a moment apart: what is younger is waited for, once. */
async function settled(paths: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const momentMs = Number(MOMENT_NS / 1_000_000n);
  const least = Math.min(...paths.map((path) => Date.now() - statSync(path).ctimeMs));
  if (least >= 0 && least < momentMs) await pause(momentMs - least + 1, undefined, signal ? { signal } : {});
}

async function copyAll(
  { directory, files }: Gathered,
  to: string,
  signal: AbortSignal | undefined,
): Promise<Original[]> {
  await settled(
    files.map((file) => join(directory, file)),
    signal,
  );
  return files.map((file) => {
    signal?.throwIfAborted();
    const path = join(directory, file);
    const copy = join(to, 'files', file);
    mkdirSync(dirname(copy), { recursive: true });
    return { ...copyFile(path, copy), file, path };
  });
}

const CHUNK = 4 << 20;

function copyFile(path: string, to: string): Pick<Original, 'sha256' | 'status' | 'readNs'> {
  const [readNs, from] = [BigInt(Date.now()) * 1_000_000n, openSync(path, 'r')];
  const fd = openSync(to, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    const status = fstatSync(from, { bigint: true });
    const size = Number(status.size);
    if (sense(to).medium === 'dax') setAside(to, fd, size, true);
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK, size)));
    let at = 0;
    for (let got = -1; got !== 0; at += got) {
      got = readSync(from, chunk, 0, chunk.length, at);
      hash.update(chunk.subarray(0, got));
      for (let put = 0; put < got; ) put += writeSync(fd, chunk, put, got - put, at + put);
    }
    const after = fstatSync(from, { bigint: true });
    if (at !== size || after.ctimeNs !== status.ctimeNs)
      throw new LoadError('ERR_CHANGED', path, 'changed while it was read; want it to stay');
    fchmodSync(fd, 0o555);
    fsyncSync(fd);
    return { sha256: hash.digest('hex'), status, readNs };
  } finally {
    closeSync(fd);
    closeSync(from);
  }
}

/** Under the set's lock. */
function publishSet(
  root: string,
  sha256: string,
  unfinished: string,
  list: string,
): InstalledLibrary['status'] {
  removeUnfinished(root);
  const path = setPath(root, sha256);
  if (statSync(listPath(root, sha256), { throwIfNoEntry: false }) !== undefined) return 'present';
  writeFileSync(join(unfinished, 'list'), list, { mode: 0o444, flush: true });
  rmSync(path, { recursive: true, force: true }); // without a list it is nothing
  renameSync(unfinished, path);
  return 'copied';
}

/** What processes that are gone have left behind. */
export function removeUnfinished(root: string): void {
  for (const name of namesIn(librariesPath(root))) {
    const [, pid] = /^\.(\d+)-.*\.(?:unfinished|removed)$/.exec(name) ?? [];
    if (pid === undefined || Number(pid) === process.pid) continue;
    if (statSync(`/proc/${pid}`, { throwIfNoEntry: false }) !== undefined) continue;
    rmSync(join(librariesPath(root), name), { recursive: true, force: true });
  }
}

/** Where it was installed from, besides what is known already. */
function noteOrigin(root: string, sha256: string, path: string): void {
  const known = origins(setPath(root, sha256));
  if (known.includes(path) || path.includes('\n')) return;
  const file = join(setPath(root, sha256), INSTALLED_FROM);
  writeFileSync(`${file}.${process.pid}`, [...known, path, ''].join('\n'));
  renameSync(`${file}.${process.pid}`, file);
}

function pointTo(root: string, sha256: string, originals: readonly Original[]): void {
  const [first, ...needed] = originals as [Original, ...Original[]];
  const target = `${sha256}/${first.file}`;
  const fd = openSync(filePath(root, sha256, first.file), 'r');
  try {
    const size = Number(first.status.size);
    const key = sampleKey(size, (at, length) => readAt(fd, at, length));
    setLink(libraryIndex(root), `${key}-${placeFor(root, key, size, target, fd)}`, target);
  } finally {
    closeSync(fd);
  }
  rememberFile(libraryIndex(root), first.status, target, first.readNs);
  for (const { file, status, readNs } of needed) rememberFile(knownPath(root, sha256), status, file, readNs);
}

/** The first number that no other file has: the same file in another set makes place for this one. */
function placeFor(root: string, key: string, size: number, target: string, fd: number): number {
  for (let i = 0; i < MOST_ALIKE - 1; i++) {
    const other = linkTarget(`${libraryIndex(root)}/${key}-${i}`);
    const found = other === undefined || other === target ? undefined : parseTarget(other);
    if (found === undefined) return i;
    const path = filePath(root, found.sha256, found.file);
    if (isSource(path, size, (at, length) => readAt(fd, at, length))) return i;
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return i;
  }
  return MOST_ALIKE - 1;
}
