// The NVM interface: the 2012 "NVM Mapping API" brought to user space, with its names, argument order and errors.
import { constants, ftruncateSync, readSync, writeSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { Backing } from './backing.ts';
import { checkName, inFile, LoadError } from './error.ts';
import { native, slots } from './native.ts';
import { type Promised, promiseOf } from './promise.ts';

export type { Promised };

/** Page protections, as in mmap(2). WRITE and EXEC together are refused everywhere. */
export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;

export interface OpenOptions {
  /** Open for writing too. Default false. */
  write?: boolean;
  /** Make the file if it is not there (implies write). */
  create?: boolean;
  /** Permission bits of a file that is made. Default 0o600. */
  mode?: number;
}

const forgotten = new FinalizationRegistry<number>((fd) => native.close(fd));

/** An open region: a file, a file of a RAM file system, or a device-dax node. Mappings of it outlive it. */
export class Region implements Disposable {
  readonly path: string;
  readonly writable: boolean;
  readonly backing: Backing;
  #fd: number;

  constructor(path: string, options: OpenOptions = {}) {
    this.path = path;
    this.writable = Boolean(options.write || options.create);
    const flags =
      (this.writable ? constants.O_RDWR : constants.O_RDONLY) | (options.create ? constants.O_CREAT : 0);
    try {
      this.#fd = native.openRegion(checkName(path), flags, options.mode ?? 0o600);
    } catch (error) {
      throw inFile(path, error);
    }
    try {
      native.sense(this.#fd, slots);
      this.backing = new Backing(path);
    } catch (error) {
      native.close(this.#fd);
      throw inFile(path, error);
    }
    forgotten.register(this, this.#fd, this);
  }

  /** @throws LoadError ERR_CLOSED */
  get fd(): number {
    if (this.#fd < 0) throw new LoadError('ERR_CLOSED', this.path, 'region is closed; want it open');
    return this.#fd;
  }

  /** Idempotent. */
  close(): void {
    if (this.#fd < 0) return;
    forgotten.unregister(this);
    native.close(this.#fd);
    this.#fd = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** @throws LoadError with open(2)'s codes, or ERR_NOT_MAPPABLE for what is no file and no device-dax node. */
export function open(name: string, options: OpenOptions = {}): Region {
  return new Region(name, options);
}

/** A value that is no Region would reach the kernel as a descriptor, or not at all. */
function regionOf(value: Region): Region {
  if (!(value instanceof Region)) throw new TypeError('argument is not a region that open gave');
  return value;
}

/** Node takes a negative position for "where the last call ended" and a negative size for 0; the system calls do not. */
function bytesAt(region: Region, value: number, what: string, syscall: string): number {
  if (typeof value !== 'number') throw new TypeError(`${what} is not a number`);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  const text = `EINVAL: ${what} is ${value}; want a whole number of bytes, ${syscall}`;
  throw new LoadError('EINVAL', region.path, text, 0, { errno: -osConstants.errno.EINVAL, syscall });
}

/**
 * Maps `length` bytes of a region from byte `start`, shared with the file; under MAP_SYNC where it is granted.
 * Unit of both: a page, 2 MiB on most device-dax. The mapping stays until `unmap`.
 * @returns its address
 * @throws LoadError EINVAL (alignment, length 0), ENODEV (not mappable), EACCES (writable and executable, or the
 *   region is not open for writing), EPERM (executable from a noexec mount)
 */
export function map(region: Region, start: number, length: number, protection: number): bigint {
  const { fd, path, backing } = regionOf(region);
  bytesAt(region, start, 'start', 'mmap');
  bytesAt(region, length, 'length', 'mmap');
  try {
    return native.mapRegion(fd, start, length, protection, backing.granule, path, slots);
  } catch (error) {
    throw inFile(path, error);
  }
}

/** Unmaps what `map` gave. @throws LoadError EINVAL on any other address */
export function unmap(address: bigint): void {
  atAddress(address, () => native.unmapRegion(address));
}

/**
 * New protection for whole pages; they need not be all of a mapping.
 * @throws LoadError EINVAL (unaligned, or not inside one mapping), EACCES (writable and executable, or refused)
 */
export function protect(address: bigint, length: number, protection: number): void {
  atAddress(address, () => native.protectRegion(address, length, protection));
}

/**
 * Makes what was stored through a mapping durable: by cache-line write-back and fence under MAP_SYNC, else by
 * msync(2). On a RAM file system there is nothing to be durable on, and it succeeds.
 * @returns 0 or -errno
 */
export function sync(region: Region, address: bigint, length: number): number {
  return native.syncRegion(address, length, regionOf(region).fd);
}

/** What `sync` promises of this region when it returns 0, and why. */
export function promise(region: Region): Promised {
  return promiseOf(regionOf(region).backing);
}

/** Copies from a region to DRAM, as pread(2). @returns bytes read, fewer only at the end */
export function read(region: Region, to: Uint8Array, position: number): number {
  bytesAt(regionOf(region), position, 'position', 'pread');
  if (region.backing.medium !== 'devdax') return readSync(region.fd, to, 0, to.byteLength, position);
  return throughMapping(region, position, to.byteLength, PROT_READ, (address) =>
    native.loadRegion(address, to),
  );
}

/** Copies from DRAM to a region, as pwrite(2). @returns bytes written */
export function write(region: Region, from: Uint8Array, position: number): number {
  bytesAt(regionOf(region), position, 'position', 'pwrite');
  if (region.backing.medium !== 'devdax') return writeSync(region.fd, from, 0, from.byteLength, position);
  return throughMapping(region, position, from.byteLength, PROT_READ | PROT_WRITE, (address) => {
    native.storeRegion(address, from);
    native.syncRegion(address, from.byteLength, region.fd);
  });
}

/**
 * Resizes a region, as ftruncate(2). Pages of a mapping that are cut off are lost to it.
 * @throws LoadError EFBIG, EINVAL (not open for writing, or a device) …
 */
export function truncate(region: Region, length: number): void {
  const { fd, path } = regionOf(region);
  try {
    ftruncateSync(fd, bytesAt(region, length, 'length', 'ftruncate'));
  } catch (error) {
    throw inFile(path, error);
  }
}

/**
 * Copies bytes out of a mapping. Mappings are never handed out raw: a store from JavaScript into a read-only page
 * would end the process.
 * @throws LoadError EFAULT (not inside one mapping), EACCES (not readable), EIO (the file has lost the page)
 */
export function load(address: bigint, length: number): Buffer {
  const to = Buffer.alloc(length);
  atAddress(address, () => native.loadRegion(address, to));
  return to;
}

/** Copies bytes into a mapping; `sync` makes them durable. @throws LoadError EFAULT, EACCES, EIO as load */
export function store(address: bigint, from: Uint8Array): void {
  atAddress(address, () => native.storeRegion(address, from));
}

/** The instruction that `sync` writes cache lines back with on this processor. */
export function writeBackInstruction(): string {
  return native.writeBackInstruction();
}

function atAddress(address: bigint, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw inFile(typeof address === 'bigint' ? `0x${address.toString(16)}` : String(address), error);
  }
}

/** device-dax has no read(2) or write(2): its pages are mapped for the moment. */
function throughMapping(
  region: Region,
  position: number,
  length: number,
  protection: number,
  copy: (address: bigint) => void,
): number {
  const { granule } = region.backing;
  const start = position - (position % granule);
  const span = Math.ceil((position + length - start) / granule) * granule;
  const address = map(region, start, span, protection);
  try {
    copy(address + BigInt(position - start));
  } finally {
    unmap(address);
  }
  return length;
}
