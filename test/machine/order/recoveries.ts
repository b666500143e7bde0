// What is done after a power cut, made to tell what it reads: the log's reader, and insitu's own reading of a region.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { LoadError } from '../../../loader/error.ts';
import { native } from '../../../loader/native.ts';
import { readCatalog } from '../../../loader/store/catalog.ts';
import { MappedPart, Store } from '../../../loader/store/region.ts';
import { verifyRegion } from '../../../loader/store/verify.ts';
import { judgeCatalog } from './commits.ts';
import type { Outcome, Read, Recovery } from './explore.ts';
import { judgeLog, readLog } from './records.ts';

/** How far the program was: what it had been told is durable, and what it had begun. */
export interface Progress {
  done: number;
  begun: number;
}

/** Of the word before a number: 'append-3', 'committed-2'. */
export function progressed(progress: Progress, mark: string): void {
  const [word = '', number = ''] = mark.split('-');
  if (word === 'append' || word === 'commit') progress.begun = Number(number);
  else progress.done = Number(number);
}

/** A recovery that judges by a progress which the checker moves on. */
export interface JudgedRecovery extends Recovery, Disposable {
  progress: Progress;
  /** Everything: the region begins anew. */
  reset(image: Buffer): void;
}

export class LogRecovery implements JudgedRecovery {
  progress: Progress = { done: 0, begun: 0 };
  #bytes = Buffer.alloc(0);

  reset(image: Buffer): void {
    this.#bytes = Buffer.from(image);
  }

  write(at: number, bytes: Buffer): void {
    bytes.copy(this.#bytes, at);
  }

  run(): Outcome {
    const reads: Read[] = [];
    const records = readLog((at, size) => {
      reads.push({ at, size });
      return this.#bytes.subarray(at, at + size);
    });
    return { reads, violation: judgeLog(records, this.progress.done, this.progress.begun) };
  }

  [Symbol.dispose](): void {}
}

/** Of the addon, what is watched, and what reads no region. Anything else that recovery calls is refused. */
const known = ['mapRegion', 'unmapRegion', 'loadRegion', 'openRegion', 'close', 'sense', 'crc32c'];

/**
 * Opens the region as insitu does: superblock, catalog, and the content of every entry against its hash. The state lies in
 * a file; the region's own size is that of the file, as if the device had been cut to what was watched.
 */
export class RegionRecovery implements JudgedRecovery {
  progress: Progress = { done: 0, begun: 0 };
  readonly #path: string;
  readonly #fd: number;
  readonly #watch = new Watch();

  /** @param path of a file that is made, and removed in the end; on a RAM file system, for speed. */
  constructor(path: string) {
    this.#path = path;
    this.#fd = fs.openSync(path, 'w+');
  }

  reset(image: Buffer): void {
    fs.ftruncateSync(this.#fd, 0);
    const size = Number(image.readBigUInt64LE(16)); // of the superblock: a device is larger than what was watched of it
    fs.ftruncateSync(this.#fd, Math.max(size, image.length));
    fs.writeSync(this.#fd, image, 0, image.length, 0);
  }

  write(at: number, bytes: Buffer): void {
    fs.writeSync(this.#fd, bytes, 0, bytes.length, at);
  }

  run(): Outcome {
    const reads: Read[] = [];
    return { reads, violation: this.#watch.during(reads, () => this.#judge()) };
  }

  #judge(): string {
    try {
      const entries = verifyRegion(this.#path);
      const broken = entries.find(({ intact }) => !intact);
      if (broken !== undefined) return `entry ${broken.name} is not what was placed`;
      const unclean = uncleanEntry(this.#path);
      if (unclean !== '') return `entry ${unclean} has something behind its end; want zeros`;
      const found = new Map(entries.map(({ name, sha256 }) => [name, sha256]));
      return judgeCatalog(found, this.progress.done, this.progress.begun);
    } catch (error) {
      if (error instanceof LoadError)
        return `it can't be read: ${error.message.replace(this.#path, 'region')}`;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    fs.closeSync(this.#fd);
    fs.rmSync(this.#path, { force: true });
  }
}

/** The first entry whose extent is not zero behind its content, which Entry.span promises; '' if all are. */
function uncleanEntry(path: string): string {
  using store = new Store(path);
  const unclean = readCatalog(store).entries.find(({ offset, size, span }) => {
    using extent = new MappedPart(store.region, offset, span);
    return extent.load(offset + size, span - size).some((byte) => byte !== 0);
  });
  return unclean?.name ?? '';
}

/** Notes which parts of mappings are loaded while `during` runs. One at a time in a process. */
class Watch implements Disposable {
  #reads: Read[] | undefined;
  readonly #original = { ...native };
  readonly #readSync = fs.readSync;
  readonly #starts = new Map<bigint, { start: number; length: number }>();

  constructor() {
    const open = native as unknown as Record<string, unknown>;
    for (const [name, value] of Object.entries(this.#original))
      if (typeof value === 'function' && !known.includes(name))
        open[name] = this.#refusing(`native.${name}`, value as (...args: unknown[]) => unknown);
    open.mapRegion = (...args: Parameters<typeof native.mapRegion>) => {
      const address = this.#original.mapRegion(...args);
      this.#starts.set(address, { start: args[1], length: args[2] });
      return address;
    };
    open.unmapRegion = (address: bigint) => {
      this.#starts.delete(address);
      this.#original.unmapRegion(address);
    };
    open.loadRegion = (address: bigint, to: Uint8Array) => {
      this.#note(address, to.byteLength);
      this.#original.loadRegion(address, to);
    };
    fs.readSync = this.#refusing('fs.readSync', fs.readSync as () => number) as typeof fs.readSync;
    syncBuiltinESMExports();
  }

  during<T>(reads: Read[], action: () => T): T {
    this.#reads = reads;
    try {
      return action();
    } finally {
      this.#reads = undefined;
    }
  }

  [Symbol.dispose](): void {
    Object.assign(native, this.#original);
    fs.readSync = this.#readSync;
    syncBuiltinESMExports();
  }

  #refusing<T>(name: string, original: (...args: unknown[]) => T): (...args: unknown[]) => T {
    return (...args) => {
      if (this.#reads === undefined) return original(...args);
      throw new Error(`recovery called ${name}, which could read a region unseen; want it watched here`);
    };
  }

  #note(address: bigint, size: number): void {
    for (const [from, { start, length }] of this.#starts)
      if (address >= from && address < from + BigInt(length))
        this.#reads?.push({ at: start + Number(address - from), size });
  }
}
