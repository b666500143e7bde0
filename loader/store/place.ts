// Putting files into a region: data first, then one commit for all of them.
import { createHash } from 'node:crypto';
import { fstatSync, readSync } from 'node:fs';
import { OpenFile } from '../backing.ts';
import { inFile, LoadError } from '../error.ts';
import { detect } from '../format.ts';
import { read } from '../image.ts';
import { native } from '../native.ts';
import { firstFit, freeRanges, largest, type Range, roundUp, unitOf } from './allocate.ts';
import { commit, find, readForWriting } from './catalog.ts';
import { rangesInUse } from './mapped.ts';
import { allocate, checkSameFile, lockedRegion, MappedPart, Store } from './region.ts';
import { type Catalog, type Entry, type Kind, nameObstacle } from './slot.ts';

const CHUNK = 1 << 20;

export interface ToPlace {
  path: string;
  /** Of the entry. */
  name: string;
}

export interface PlaceOptions {
  /** Told when another process is changing the region, and this one waits. */
  onWait?: () => void;
}

/**
 * Places files in a region, all of them or none: what is there under the same names is replaced. Programs that run from
 * what was there keep it; its space is used again once nobody has it mapped.
 * @returns the new entries, in the order of `files`
 * @throws LoadError ERR_NAME, ERR_FULL, ERR_CHANGED (a file changed while it was read), ENOSPC, and what opening a
 *   region and a file throws; the region is as it was then
 */
export function placeInRegion(files: readonly ToPlace[], path: string, options: PlaceOptions = {}): Entry[] {
  checkNames(files);
  using store = new Store(path, { write: true, region: lockedRegion(path, options.onWait) });
  const before = readForWriting(store);
  const space = new Space(store, before);
  const placed = files.map((file) => placeFile(store, space, file));
  const kept = before.entries.filter((entry) => !placed.some(({ name }) => name === entry.name));
  commit(store, before, [...kept, ...placed], space.cursor);
  checkSameFile(store.region);
  return placed;
}

/** Takes an entry out. What runs from it goes on. @throws LoadError ERR_NO_ENTRY */
export function removeEntry(path: string, name: string, options: PlaceOptions = {}): Entry {
  using store = new Store(path, { write: true, region: lockedRegion(path, options.onWait) });
  const before = readForWriting(store);
  const entry = find(before, name, path);
  const rest = before.entries.filter((candidate) => candidate !== entry);
  commit(store, before, rest);
  checkSameFile(store.region);
  return entry;
}

function checkNames(files: readonly ToPlace[]): void {
  for (const [i, { path, name }] of files.entries()) {
    const obstacle = nameObstacle(name);
    if (obstacle !== '')
      throw new LoadError(
        'ERR_NAME',
        path,
        `entry name ${JSON.stringify(name)} ${obstacle}; want another (--name)`,
      );
    const twin = files.findIndex((other) => other.name === name);
    if (twin !== i)
      throw new LoadError(
        'ERR_NAME',
        path,
        `has the name of ${files[twin]?.path}, ${name}; want each name once`,
      );
  }
}

/** What of a region is free. Entries that are about to be replaced are not: they stand until the commit. */
class Space {
  cursor: number;
  readonly #store: Store;
  readonly #all: Range;
  readonly #taken: Range[];
  readonly #unseen: number;
  readonly #inUse: number;

  constructor(store: Store, catalog: Catalog) {
    const { size, dataStart } = store.superblock;
    this.#store = store;
    this.#all = { start: dataStart, end: size };
    this.cursor = catalog.cursor;
    const entries = catalog.entries.map(({ offset, span }) => ({ start: offset, end: offset + span }));
    const { ranges, unseen } = rangesInUse(store.region, this.#all);
    this.#unseen = unseen;
    this.#taken = [...entries, ...ranges];
    const free = total(freeRanges(this.#all, entries));
    this.#inUse = free - total(freeRanges(this.#all, this.#taken));
    // Who can't be seen can only run from what was used before.
    if (unseen > 0) this.#taken.push({ start: dataStart, end: catalog.reached });
  }

  /** @throws LoadError ERR_FULL */
  take(path: string, span: number, unit: number): number {
    const free = freeRanges(this.#all, this.#taken);
    const at = firstFit(free, this.cursor, span, unit);
    if (at === undefined) throw this.#full(path, span, largest(free, unit));
    this.cursor = at + span;
    this.#taken.push({ start: at, end: at + span });
    return at;
  }

  #full(file: string, span: number, most: number): LoadError {
    const reasons = [
      this.#inUse > 0 ? `${this.#inUse} bytes more are free once what runs from them has ended` : '',
      this.#unseen > 0
        ? `what was freed is not used again, as ${this.#unseen} processes of others could not be looked at (root may)`
        : '',
    ].filter(Boolean);
    const why = reasons.length > 0 ? ` (${reasons.join('; ')})` : '';
    const text = `has no room for ${file}: wanted ${span} bytes in one piece, the largest free one has ${most}${why}`;
    return new LoadError('ERR_FULL', this.#store.path, text);
  }
}

const total = (ranges: readonly Range[]): number => ranges.reduce((n, { start, end }) => n + end - start, 0);

function placeFile(store: Store, space: Space, { path, name }: ToPlace): Entry {
  using file = new OpenFile(path);
  const status = fstatSync(file.fd);
  checkSource(store, file, status.dev, status.ino);
  const { size } = status;
  const unit = unitOf(size, store.granule);
  const span = roundUp(Math.max(size, 1), unit);
  const offset = space.take(path, span, unit);
  const kind = kindOf(file);
  const sha256 = writeExtent(store, file, { offset, size, span });
  return { name, kind, offset, size, span, mode: status.mode & 0o7777, placed: new Date(), sha256 };
}

function checkSource(store: Store, file: OpenFile, dev: number, ino: number): void {
  if (file.backing.medium === 'devdax')
    throw new LoadError('ERR_NOT_MAPPABLE', file.path, 'is a device-dax node; want a file to place');
  const region = fstatSync(store.region.fd);
  if (region.dev === dev && region.ino === ino)
    throw new LoadError('ERR_NAME', file.path, 'is the region itself; want another file to place');
}

/** What no loader here could use is data, ELF for other machines among it. */
function kindOf(file: OpenFile): Kind {
  const family = detect(file.head);
  if (family === 'unknown' || family === 'region') return 'data';
  if (family !== 'elf') return family;
  try {
    const image = read(file);
    native.closeImage(image.handle);
    const { format } = image;
    return format === 'unknown' || format === 'region' ? 'data' : format;
  } catch {
    return 'data';
  }
}

interface Extent {
  offset: number;
  size: number;
  span: number;
}

/** Copies a file into its extent, zeros behind it; durable when it returns. @returns SHA-256 of the content */
function writeExtent(store: Store, file: OpenFile, { offset, size, span }: Extent): string {
  allocate(store.region, offset, span);
  using extent = new MappedPart(store.region, offset, span, true);
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK);
  let done = 0;
  for (let got = -1; got !== 0; done += got) {
    got = readSome(file, chunk, done);
    if (done + got > size) throw changed(file.path, size, 'grew');
    const bytes = chunk.subarray(0, got);
    if (got > 0) extent.store(offset + done, bytes);
    hash.update(bytes);
  }
  if (done !== size) throw changed(file.path, size, 'shrank');
  const zeros = Buffer.alloc(Math.min(CHUNK, span - done));
  for (; done < span; done += zeros.length)
    extent.store(offset + done, zeros.subarray(0, Math.min(zeros.length, span - done)));
  extent.sync(offset, span);
  return hash.digest('hex');
}

function readSome(file: OpenFile, to: Buffer, position: number): number {
  try {
    return readSync(file.fd, to, 0, to.length, position);
  } catch (error) {
    throw inFile(file.path, error);
  }
}

const changed = (path: string, size: number, how: string) =>
  new LoadError('ERR_CHANGED', path, `${how} while it was read; want the ${size} bytes that it had`);
