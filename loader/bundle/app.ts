// An app as it lies in a region, seen through a mapping of it: nothing is read but what is asked for. What a damaged one
// says is checked when it is used.
import { LoadError } from '../error.ts';
import {
  ASCII,
  decodeHeader,
  FORMATS,
  type Header,
  hashOf,
  IMAGE,
  KINDS,
  type Kind,
  type ModuleFormat,
  OWN_ENTRY,
  RECORD,
} from './layout.ts';

export interface FileRecord {
  readonly number: number;
  /** From the app's root; '' is that itself. */
  readonly path: string;
  readonly kind: Kind;
  readonly format: ModuleFormat;
  /** All of it is ASCII. */
  readonly isAscii: boolean;
  /** It is mapped by itself: `offset` counts from the start of the region. */
  readonly hasOwnEntry: boolean;
  readonly mode: number;
  /** Bytes. */
  readonly offset: number;
  readonly size: number;
  readonly mtimeMs: number;
  /** Of a directory its children; of a shared object those that it needs. */
  readonly first: number;
  readonly count: number;
}

export interface AppImage {
  /** Of the module, in hexadecimal. */
  readonly sha256: string;
  /** In the region, bytes. */
  readonly offset: number;
  readonly size: number;
  /** Record of the module. */
  readonly module: number;
}

const MOST_LINKS = 40; // as the kernel follows (path_resolution(7))

export class App {
  readonly path: string;
  readonly header: Header;
  readonly #bytes: Buffer;
  readonly #view: DataView;

  /**
   * @param bytes of the entry; not copied
   * @param path of the region, for errors
   * @throws LoadError ERR_FORMAT
   */
  constructor(bytes: Buffer, path: string) {
    this.path = path;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.header = decodeHeader(bytes, path);
  }

  get entry(): FileRecord {
    return this.record(this.header.entry);
  }

  /** Links are not followed. @param path as it is recorded */
  find(path: string): FileRecord | undefined {
    const { slots, hashAt } = this.header;
    for (let slot = hashOf(path) & (slots - 1), tried = 0; tried < slots; tried++) {
      const number = this.#view.getUint32(hashAt + 4 * slot, true);
      if (number === 0) return undefined;
      if (this.#pathOf(number - 1) === path) return this.record(number - 1);
      slot = (slot + 1) & (slots - 1);
    }
    return undefined;
  }

  /** Links are followed, those of the last part too unless `followLast` is false. */
  resolve(path: string, followLast = true): FileRecord | undefined {
    const found = this.find(path);
    if (found !== undefined && (found.kind !== 'link' || !followLast)) return found;
    return this.#walk(path, followLast, MOST_LINKS);
  }

  #walk(path: string, followLast: boolean, left: number): FileRecord | undefined {
    let at = this.find('');
    const parts = path.split('/').filter((part) => part !== '');
    for (const [i, part] of parts.entries()) {
      if (at?.kind !== 'directory') return undefined;
      const next = this.find(at.path === '' ? part : `${at.path}/${part}`);
      if (next?.kind === 'link' && (followLast || i < parts.length - 1)) {
        if (left === 0) return undefined;
        const target = this.#bytesOf(next).toString('utf8');
        const rest = [target, ...parts.slice(i + 1)].join('/');
        return this.#walk(rest, followLast, left - 1);
      }
      at = next;
    }
    return at;
  }

  children({ path, first, count }: FileRecord): FileRecord[] {
    if (first + count > this.header.records)
      throw this.#damaged(`${path} has children behind its records`, 0);
    return Array.from({ length: count }, (_, i) => this.record(first + i));
  }

  needed({ path, first, count }: FileRecord): FileRecord[] {
    const { neededAt } = this.header;
    if (neededAt + 4 * (first + count) > this.#bytes.length)
      throw this.#damaged(`${path} needs what is behind its end`, neededAt);
    return Array.from({ length: count }, (_, i) =>
      this.record(this.#view.getUint32(neededAt + 4 * (first + i), true)),
    );
  }

  /** What is in the app itself, not copied: not to be handed on, as writing to it ends the process. */
  view(record: FileRecord): Buffer {
    if (!record.hasOwnEntry) return this.#bytesOf(record);
    throw new LoadError('ERR_STATE', this.path, `${record.path} is mapped by itself`);
  }

  #bytesOf({ offset, size, path }: FileRecord): Buffer {
    if (offset + size <= this.#bytes.length) return this.#bytes.subarray(offset, offset + size);
    throw this.#damaged(`${path} at ${offset} + ${size} ends behind it`, offset);
  }

  /** Those of a module of this sample (images/layout.ts). */
  imagesOf(sample: bigint): AppImage[] {
    const { images, imagesAt } = this.header;
    const found: AppImage[] = [];
    for (let at = imagesAt; at < imagesAt + IMAGE * images; at += IMAGE)
      if (this.#view.getBigUint64(at + 56, true) === sample) found.push(this.#image(at));
    return found;
  }

  #image(at: number): AppImage {
    return {
      sha256: this.#bytes.toString('hex', at, at + 32),
      offset: this.#view.getFloat64(at + 32, true),
      size: this.#view.getFloat64(at + 40, true),
      module: this.#view.getUint32(at + 48, true),
    };
  }

  record(number: number): FileRecord {
    const { records, recordsAt } = this.header;
    if (number >= records) throw this.#damaged(`has no record ${number} of ${records}`, 0);
    const at = recordsAt + RECORD * number;
    const [kind, format] = [KINDS[this.#bytes[at] as number], FORMATS[this.#bytes[at + 1] as number]];
    if (kind === undefined || format === undefined)
      throw this.#damaged(`record ${number} is of no known kind`, at);
    const flags = this.#bytes[at + 2] as number;
    const word = (place: number) => this.#view.getUint32(at + place, true);
    const wide = (place: number) => this.#view.getFloat64(at + place, true);
    const [offset, size] = [wide(16), wide(24)];
    if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(size) && offset >= 0 && size >= 0))
      throw this.#damaged(`record ${number} has content at ${offset} + ${size}`, at);
    return {
      ...{ number, path: this.#pathOf(number), kind, format, mode: word(4), offset, size, mtimeMs: wide(32) },
      ...{ isAscii: (flags & ASCII) !== 0, hasOwnEntry: (flags & OWN_ENTRY) !== 0 },
      ...{ first: word(40), count: word(44) },
    };
  }

  #pathOf(number: number): string {
    const { records, recordsAt } = this.header;
    if (number >= records) throw this.#damaged(`has no record ${number} of ${records}`, 0);
    const at = recordsAt + RECORD * number;
    const start = this.#view.getUint32(at + 8, true);
    return this.#bytes.toString('utf8', start, start + this.#view.getUint32(at + 12, true));
  }

  #damaged(text: string, at: number): LoadError {
    return new LoadError('ERR_FORMAT', this.path, `app ${text}; want what insitu bundle wrote`, at);
  }
}
