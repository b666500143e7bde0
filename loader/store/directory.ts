// Putting a file into a directory so that it can be run from there in place, by huge pages where the file system lets
// it: storage first, then the content, then a look at what page faults say, and the name last.
import { fchmodSync, fstatSync, readSync, statSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Backing, OpenFile } from '../backing.ts';
import { inFile, LoadError } from '../error.ts';
import { detect } from '../format.ts';
import { faults, type HugePages, hugePages, type StoredText, textOf } from '../huge-pages.ts';
import { read } from '../image.ts';
import { native } from '../native.ts';
import { setAside } from './lay-out.ts';
import { removeLeftBehind, Temporary } from './temporary.ts';

const CHUNK = 4 << 20;
const PERMISSIONS = 0o777; // not set-user-ID or set-group-ID: owner and group may be others here

/** A file as it was placed. */
export interface Placed {
  path: string;
  backing: Backing;
  /** Whether huge pages can map its text (all of it, where it is no ELF image), and what to run where not. */
  hugePages: HugePages;
  /** Page faults that it took to touch that text, one for each page that the kernel could map. Null for no DAX file. */
  faults: { pages: number; faults: number } | null;
  /** What killed ones had left behind in the directory, and is gone now. */
  removed: string[];
}

/**
 * Places a copy of a file in a directory: content and permissions, neither owner nor set-user-ID bits nor attributes.
 * What is there under the same name is replaced by rename; programs that run from it keep it. Killed at any moment, it
 * leaves the old file or the new one, and at most one `.insitu-place-*`, which the next one there removes.
 * On a file system without DAX it is a plain copy, and says so.
 * @param name in the directory; the file's own if not said
 * @throws LoadError ENOSPC, EROFS … as the system calls; ERR_CHANGED when the file changed while it was read;
 *   ERR_NOT_MAPPABLE for what is no regular file; nothing is left behind then
 */
export function placeInDirectory(path: string, directory: string, name = basename(path)): Placed {
  if (name === '' || name === '.' || name === '..' || name.includes('/'))
    throw new LoadError(
      'ERR_NAME',
      path,
      `cannot be called ${JSON.stringify(name)}; want the name of a file`,
    );
  using source = new OpenFile(path);
  if (source.backing.medium === 'devdax')
    throw new LoadError('ERR_NOT_MAPPABLE', path, 'is a device-dax node; want a file to place');
  const target = join(directory, name);
  try {
    if (statSync(target, { throwIfNoEntry: false })?.isDirectory())
      throw new LoadError('EISDIR', target, 'is a directory; want a file, or nothing, to be replaced');
    const removed = removeLeftBehind(directory);
    using temporary = new Temporary(directory);
    fill(temporary, source);
    const { backing, ...measured } = measure(temporary.path);
    temporary.publish(target);
    return { path: target, backing, ...measured, removed };
  } catch (error) {
    throw inFile(target, error);
  }
}

function fill({ fd, path }: Temporary, source: OpenFile): void {
  const { size, mode } = fstatSync(source.fd);
  using own = new OpenFile(path);
  setAside(path, fd, size, own.backing.medium === 'dax');
  const chunk = Buffer.allocUnsafe(CHUNK);
  let done = 0;
  for (let got = -1; got !== 0; done += got) {
    got = readSome(source, chunk, done);
    if (done + got > size) throw changed(source.path, size, 'grew');
    for (let put = 0; put < got; ) put += writeSync(fd, chunk, put, got - put, done + put);
  }
  if (done !== size) throw changed(source.path, size, 'shrank');
  fchmodSync(fd, mode & PERMISSIONS);
}

function readSome(file: OpenFile, to: Buffer, position: number): number {
  try {
    return readSync(file.fd, to, 0, to.length, position);
  } catch (error) {
    throw inFile(file.path, error);
  }
}

/** A new file has DAX or not by its file system and directory; only the file itself tells. */
function measure(path: string): Pick<Placed, 'backing' | 'hugePages' | 'faults'> {
  using file = new OpenFile(path);
  const text = partToRun(file);
  const pages = withAdvice(hugePages(file, text), file.backing);
  const counted = file.backing.medium === 'dax' && text.size > 0 ? faults(file, text) : null;
  return { backing: file.backing, hugePages: pages, faults: counted };
}

/** The text of an ELF image, else everything. */
function partToRun(file: OpenFile): StoredText {
  const all = { offset: 0, size: file.size };
  if (detect(file.head) !== 'elf') return all;
  try {
    const image = read(file);
    native.closeImage(image.handle);
    return textOf(image, 0) ?? all;
  } catch {
    return all; // ELF for another machine, or damaged: content all the same
  }
}

/** Placing has been tried, so the file system itself has to be another. */
function withAdvice(pages: HugePages, { fileSystem, mount }: Backing): HugePages {
  if (pages.obstacle !== 'file' || pages.blocks === 0) return pages;
  const device = mount?.source ?? 'DEVICE';
  const commands: Record<string, string> = {
    ext4: `mkfs.ext4 -O bigalloc -C 2M ${device}   # erases it`,
    xfs: `mkfs.xfs -d su=2m,sw=1 ${device}   # erases it`,
  };
  return { ...pages, command: commands[fileSystem] ?? null };
}

const changed = (path: string, size: number, how: string) =>
  new LoadError('ERR_CHANGED', path, `${how} while it was read; want the ${size} bytes that it had`);
