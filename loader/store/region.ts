// An open region: its superblock, its catalog's part mapped, and the lock that writers take. Device-dax node or
// ordinary file: everything goes through the NVM interface.
import { fstatSync, statSync } from 'node:fs';
import { inFile, LoadError } from '../error.ts';
import { native, slot, slots } from '../native.ts';
import * as nvm from '../nvm.ts';
import type { Range } from './allocate.ts';
import { decodeSuperblock, METADATA, type Superblock } from './layout.ts';

const SHARED = 1;
const EXCLUSIVE = 2;

export interface OpenRegionOptions {
  /** To change it. Default false. */
  write?: boolean;
  /** Open already, for the right to change it (lockedRegion); closed with the store. */
  region?: nvm.Region;
}

/** Of a backing that is open: what fstat(2) says now of a file, which may have grown since. */
export function sizeOf(region: nvm.Region): number {
  return region.backing.medium === 'devdax' ? region.backing.size : fstatSync(region.fd).size;
}

/**
 * Storage for a part of a region in an ordinary file, which may be sparse: no space is an error here, and not a signal
 * at a store. @throws LoadError ENOSPC …
 */
export function allocate(region: nvm.Region, start: number, length: number): void {
  if (region.backing.medium === 'devdax') return;
  try {
    native.allocateRange(region.fd, start, length);
  } catch (error) {
    throw inFile(region.path, error);
  }
}

/**
 * Bytes [0, length) of a region, mapped; `using` unmaps them. A page that the file has lost is an error, no signal.
 */
export class MappedPart implements Disposable {
  readonly #region: nvm.Region;
  readonly #start: number;
  readonly #address: bigint;
  #mapped = true;

  constructor(region: nvm.Region, start: number, length: number, writable = false) {
    const protection = writable ? nvm.PROT_READ | nvm.PROT_WRITE : nvm.PROT_READ;
    this.#region = region;
    this.#start = start;
    this.#address = nvm.map(region, start, length, protection);
  }

  /** Copies bytes out; `offset` counts from the start of the region. */
  load(offset: number, length: number): Buffer {
    return this.#inRegion(offset, () => nvm.load(this.#at(offset), length));
  }

  store(offset: number, bytes: Uint8Array): void {
    this.#inRegion(offset, () => nvm.store(this.#at(offset), bytes));
  }

  /** Returns when they are durable. @throws LoadError with sync's code */
  sync(offset: number, length: number): void {
    const error = nvm.sync(this.#region, this.#at(offset), length);
    if (error === 0) return;
    const text = `${length} bytes at 0x${offset.toString(16)} could not be made durable (errno ${-error})`;
    throw new LoadError('EIO', this.#region.path, text, offset, { errno: error, syscall: 'msync' });
  }

  [Symbol.dispose](): void {
    if (this.#mapped) nvm.unmap(this.#address);
    this.#mapped = false;
  }

  #at(offset: number): bigint {
    return this.#address + BigInt(offset - this.#start);
  }

  #inRegion<T>(offset: number, action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof LoadError) || error.code !== 'EIO') throw error;
      const text = 'region lost pages while it was mapped; want one that does not shrink';
      throw new LoadError('ERR_CATALOG', this.#region.path, text, offset);
    }
  }
}

/** A region that has a catalog. `using` closes it; mappings that programs and libraries have of it stay. */
export class Store implements Disposable {
  readonly path: string;
  readonly region: nvm.Region;
  readonly superblock: Superblock;
  readonly metadata: MappedPart;

  /**
   * @throws LoadError with open(2)'s codes; ERR_REGION when it is none, or of another version; ERR_CATALOG when its
   *   superblock is damaged, or its file shorter than it
   */
  constructor(path: string, options: OpenRegionOptions = {}) {
    this.path = path;
    this.region = options.region ?? nvm.open(path, { write: Boolean(options.write) });
    try {
      this.superblock = superblockOf(this.region);
      if (options.write && this.superblock.readOnly) {
        const text = 'region has features that this version may only read; want a later insitu';
        throw new LoadError('ERR_REGION', path, text, 40);
      }
      this.metadata = new MappedPart(this.region, 0, this.superblock.dataStart, Boolean(options.write));
    } catch (error) {
      this.region.close();
      throw error;
    }
  }

  /** What mappings of it are a multiple of here, in bytes: more than it was made for, where it was copied to a device. */
  get granule(): number {
    return Math.max(this.superblock.granule, this.region.backing.granule);
  }

  [Symbol.dispose](): void {
    this.metadata[Symbol.dispose]();
    this.region.close();
  }
}

function superblockOf(region: nvm.Region): Superblock {
  const { path, backing } = region;
  const size = sizeOf(region);
  const wanted = Math.max(METADATA, backing.granule);
  if (size < wanted) {
    const text = `has ${size} bytes; want a region, of more than ${wanted}`;
    throw new LoadError(size === 0 ? 'ERR_REGION' : 'ERR_TRUNCATED', path, text);
  }
  using start = new MappedPart(region, 0, backing.granule);
  const superblock = decodeSuperblock(start.load(0, native.pageSize), path);
  if (superblock.size <= size) return superblock;
  const text = `has ${size} bytes; want the ${superblock.size} of its superblock: the region was cut off`;
  throw new LoadError('ERR_TRUNCATED', path, text, 16);
}

/**
 * The right to change a region, until it is closed: one process at a time. Waits for it as long as it takes; a signal
 * that does not end the process ends the waiting (EINTR). `onWait` is told when there is somebody to wait for.
 */
export function lockForWriting(region: nvm.Region, onWait?: () => void): void {
  try {
    if (native.lockRange(region.fd, 0, 1, EXCLUSIVE, false)) return;
    onWait?.();
    native.lockRange(region.fd, 0, 1, EXCLUSIVE, true);
  } catch (error) {
    throw inFile(region.path, error);
  }
}

/**
 * A region opened and locked for writing, and still what its path names: one that was replaced while its lock was
 * waited for is not the one that is meant.
 */
export function lockedRegion(path: string, onWait?: () => void): nvm.Region {
  for (;;) {
    const region = nvm.open(path, { write: true });
    try {
      lockForWriting(region, onWait);
      if (isNamed(region)) return region;
    } catch (error) {
      region.close();
      throw error;
    }
    region.close();
  }
}

/** @throws LoadError ERR_CHANGED when what is open is not what its path names any more */
export function checkSameFile(region: nvm.Region): void {
  if (isNamed(region)) return;
  throw new LoadError('ERR_CHANGED', region.path, 'was removed or replaced meanwhile; want it to stay');
}

function isNamed(region: nvm.Region): boolean {
  const [held, named] = [fstatSync(region.fd), statSync(region.path, { throwIfNoEntry: false })];
  return held.ino === named?.ino && held.dev === named.dev;
}

/** Says that these bytes are in use, until the region is closed. A file system without locks is left to mapped.ts. */
export function lockInUse(region: nvm.Region, { start, end }: Range): void {
  try {
    native.lockRange(region.fd, start, end - start, SHARED, true);
  } catch {
    // Nothing to be had here: what is mapped is found in /proc.
  }
}

/** Ranges of `all` that anybody has locked as being in use. */
export function lockedRanges(region: nvm.Region, all: Range): Range[] {
  const found: Range[] = [];
  const unasked = [all];
  for (let range = unasked.pop(); range !== undefined; range = unasked.pop()) {
    const { start, end } = range;
    if (start >= end || !native.lockedRange(region.fd, start, end - start, slots)) continue;
    // The kernel tells of one lock, and not of the lowest.
    const lock = { start: Math.max(start, slot(0)), end: Math.min(end, slot(1)) };
    found.push(lock);
    unasked.push({ start, end: lock.start }, { start: lock.end, end });
  }
  return found;
}
