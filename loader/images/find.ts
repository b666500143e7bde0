// From the bytes of a module to its image, at load: by a sample of them, then a comparison with the source that the store
// keeps. Nothing is hashed, and nothing native is loaded.
//
// The index holds symbolic links that are read and never followed. A name is what is cheap to know of a module, a target
// says which image that was. Whatever is not of that shape is passed over, and a sample is never believed: the bytes are
// compared.
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { startEnvironment } from '../start-environment.ts';
import {
  archNow,
  entryPath,
  type FileStatus,
  fileKey,
  type ImageArch,
  imageName,
  indexPath,
  isSha256,
  MOST_ALIKE,
  parseImageName,
  type ReadPiece,
  SHA256_DIGITS,
  SOURCE,
  sampleKey,
} from './layout.ts';
import { rootsToRead } from './roots.ts';

/** Where an image is. It may vanish before it is opened: ENOENT then means that there is none. */
export interface Found {
  readonly root: string;
  /** Of the source, in hexadecimal; '' where nothing says it. */
  readonly sha256: string;
  readonly image: string;
  /** For a CPU that the image was not made for; the same one if it is for any. It may not be there. */
  readonly baseline: string;
  /** The kept bytes of the module. */
  readonly source: string;
}

export interface FindOptions {
  /** Stores to look in, in order. */
  roots?: readonly string[];
}

let found: readonly string[] | undefined;

/** Asked once: the environment of the start counts. */
export function rootsNow(): readonly string[] {
  const { whole: _, ...environment } = startEnvironment;
  found ??= rootsToRead(environment).map(({ path }) => path);
  return found;
}

export function foundAt(root: string, target: string, arch: ImageArch): Found {
  const sha256 = target.slice(0, SHA256_DIGITS);
  const entry = entryPath(root, sha256);
  const image = entry + target.slice(SHA256_DIGITS);
  return { root, sha256, image, baseline: `${entry}/${imageName(arch)}`, source: `${entry}/${SOURCE}` };
}

/** The image of a module that is at hand as bytes; undefined where there is none. */
export function imageOfBytes(bytes: Uint8Array, { roots = rootsNow() }: FindOptions = {}): Found | undefined {
  const arch = archNow();
  if (arch === undefined) return undefined;
  return bySample(roots, arch, bytes.length, (at, length) => bytes.subarray(at, at + length));
}

export function bySample(
  roots: readonly string[],
  arch: ImageArch,
  size: number,
  read: ReadPiece,
): Found | undefined {
  let key: string | undefined;
  for (const root of roots) {
    key ??= sampleKey(size, read);
    for (let i = 0; i < MOST_ALIKE; i++) {
      const target = linkTarget(`${indexPath(root, arch)}/${key}-${i}`);
      if (target === undefined) break;
      const image = existing(root, target);
      if (image && isSource(image.source, size, read)) return image;
    }
  }
  return undefined;
}

export function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // ENOENT above all, and whatever else is no link of ours
  }
}

/** Only what has the shape of a target, and leads to a file. */
function existing(root: string, target: string): Found | undefined {
  const [sha256, name, more] = target.split('/');
  if (sha256 === undefined || name === undefined || more !== undefined || !isSha256(sha256)) return undefined;
  const parsed = parseImageName(name);
  if (parsed === undefined) return undefined;
  const image = `${entryPath(root, sha256)}/${name}`;
  const isThere = statSync(image, { throwIfNoEntry: false }) !== undefined;
  return isThere ? foundAt(root, target, parsed.arch) : undefined;
}

const CHUNK = 256 << 10; // stays in the processor's cache

/** Whether these are the bytes of a kept source. */
export function isSource(source: string, size: number, read: ReadPiece): boolean {
  let fd: number;
  try {
    fd = openSync(source, 'r');
  } catch {
    return false;
  }
  try {
    if (fstatSync(fd).size !== size) return false;
    for (let at = 0; at < size; at += CHUNK) {
      const length = Math.min(CHUNK, size - at);
      const kept = readAt(fd, at, length);
      const given = read(at, length);
      if (kept.length !== length || given.length !== length || kept.compare(given) !== 0) return false;
    }
    return true;
  } catch {
    return false;
  } finally {
    closeSync(fd);
  }
}

export function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let got = 0;
  for (let more = -1; more !== 0 && got < length; got += more)
    more = readSync(fd, bytes, got, length - got, at + got);
  return bytes.subarray(0, got);
}

/** What a file system takes for one moment at most (2 s of FAT). A write within it would not show in the times. */
export const MOMENT_NS = 2_000_000_000n;

/**
 * That a file of this status has this image, unless it may have changed since it was read.
 * @param readNs when reading it began, by the real-time clock
 * @returns whether it is remembered
 */
export function remember(
  { root, sha256, image }: Pick<Found, 'root' | 'sha256' | 'image'>,
  arch: ImageArch,
  status: FileStatus,
  readNs: bigint,
): boolean {
  if (readNs - status.ctimeNs < MOMENT_NS) return false;
  const target = `${sha256}/${image.slice(image.lastIndexOf('/') + 1)}`;
  return setLink(indexPath(root, arch), fileKey(status), target);
}

/** Makes a link or replaces it, at once: nobody sees it missing. @returns false where that can't be done */
export function setLink(directory: string, name: string, target: string): boolean {
  const path = `${directory}/${name}`;
  if (linkTarget(path) === target) return true;
  const unfinished = `${directory}/.${process.pid}-${process.hrtime.bigint().toString(36)}`;
  try {
    mkdirSync(directory, { recursive: true });
    symlinkSync(target, unfinished);
    renameSync(unfinished, path);
    return true;
  } catch {
    rmSync(unfinished, { force: true });
    return false; // a store that is read-only, full, or somebody else's
  }
}
