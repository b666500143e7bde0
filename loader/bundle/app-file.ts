// The bytes of an app (layout.ts), put together in a file: contents first, then the tables before them, which say where in
// the region the rest has been placed.

import { isAscii } from 'node:buffer';
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { roundUp } from '../store/allocate.ts';
import type { Item } from './collect.ts';
import {
  ASCII,
  encodeHeader,
  FORMATS,
  HEADER,
  hashOf,
  IDENTITY,
  IDENTITY_BYTES,
  IMAGE,
  KINDS,
  OWN_ENTRY,
  RECORD,
} from './layout.ts';

/** Of a WebAssembly module of the app. */
export interface Image {
  /** Of the module, in hexadecimal. */
  sha256: string;
  path: string;
  module: Item;
  /** Of the module (images/layout.ts). */
  sample: bigint;
}

/** Where something lies in the region, bytes. */
interface Placed {
  offset: number;
  size: number;
}

interface Content extends Placed {
  isAscii: boolean;
}

const { O_WRONLY, O_CREAT, O_EXCL } = constants;

export class AppFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Of scripts in CommonJS, bytes. */
  readonly scriptSize: number;
  readonly #items: readonly Item[];
  readonly #images: readonly Image[];
  readonly #entry: Item;
  readonly #contents: readonly Content[];
  readonly #hash = createHash('sha256');

  /** Writes the contents of all items. @throws Error of the system call */
  constructor(path: string, items: readonly Item[], images: readonly Image[], entry: Item) {
    this.path = path;
    this.#items = inOrder(items);
    this.#images = images;
    this.#entry = entry;
    const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL, 0o600);
    try {
      let offset = this.#placesOfTables().end;
      this.#contents = this.#items.map((item) => {
        const bytes = contentOf(item);
        this.#hash.update(bytes);
        for (let put = 0; put < bytes.length; )
          put += writeSync(fd, bytes, put, bytes.length - put, offset + put);
        offset += bytes.length;
        return { offset: offset - bytes.length, size: bytes.length, isAscii: isAscii(bytes) };
      });
      this.size = offset;
      const sizes = this.#items.map(({ format }, i) =>
        format === 'commonjs' ? (this.#contents[i]?.size ?? 0) : 0,
      );
      this.scriptSize = sizes.reduce((sum, size) => sum + size, 0);
    } finally {
      closeSync(fd);
    }
  }

  /** Writes the tables. @param placed what has an entry of its own, by the path that it was placed from */
  finish(placed: ReadonlyMap<string, Placed>): void {
    const tables = this.#tables(placed);
    tables.write(
      this.#hash
        .update(tables)
        .digest('hex')
        .slice(0, 2 * IDENTITY_BYTES),
      IDENTITY,
      'hex',
    );
    const fd = openSync(this.path, O_WRONLY);
    try {
      for (let put = 0; put < tables.length; ) put += writeSync(fd, tables, put, tables.length - put, put);
    } finally {
      closeSync(fd);
    }
  }

  #placesOfTables() {
    const records = this.#items.length;
    const slots = 2 ** Math.ceil(Math.log2(2 * records + 1));
    const needed = this.#items.reduce((sum, item) => sum + item.needed.length, 0);
    const names = this.#items.reduce((sum, { path }) => sum + Buffer.byteLength(path), 0);
    const recordsAt = HEADER;
    const hashAt = recordsAt + RECORD * records;
    const imagesAt = roundUp(hashAt + 4 * slots, 8);
    const neededAt = imagesAt + IMAGE * this.#images.length;
    const namesAt = neededAt + 4 * needed;
    return { records, slots, recordsAt, hashAt, imagesAt, neededAt, namesAt, end: namesAt + names };
  }

  #tables(placed: ReadonlyMap<string, Placed>): Buffer {
    const places = this.#placesOfTables();
    const { slots, recordsAt, hashAt, imagesAt, neededAt, namesAt, end } = places;
    const tables = Buffer.alloc(end);
    const numbers = new Map(this.#items.map(({ path }, number) => [path, number]));
    const numberOf = (path: string) => numbers.get(path) as number;
    encodeHeader({
      ...places,
      identity: '',
      images: this.#images.length,
      entry: numberOf(this.#entry.path),
    }).copy(tables);
    const children = childrenOf(this.#items);
    let [nameAt, neededSoFar] = [namesAt, 0];
    for (const [number, item] of this.#items.entries()) {
      const { path, kind, format, mode, mtimeMs, hasOwnEntry, needed } = item;
      const content = this.#contents[number] as Content;
      const { offset, size } = (hasOwnEntry ? placed.get(item.source as string) : undefined) ?? content;
      const [first, count] = children.get(path) ?? [neededSoFar, needed.length];
      const at = recordsAt + RECORD * number;
      tables.writeUInt8(KINDS.indexOf(kind), at);
      tables.writeUInt8(FORMATS.indexOf(format), at + 1);
      tables.writeUInt8((content.isAscii ? ASCII : 0) | (hasOwnEntry ? OWN_ENTRY : 0), at + 2);
      tables.writeUInt32LE(mode, at + 4);
      tables.writeUInt32LE(nameAt, at + 8);
      tables.writeUInt32LE(Buffer.byteLength(path), at + 12);
      tables.writeDoubleLE(offset, at + 16);
      tables.writeDoubleLE(size, at + 24);
      tables.writeDoubleLE(mtimeMs, at + 32);
      tables.writeUInt32LE(first, at + 40);
      tables.writeUInt32LE(count, at + 44);
      for (const path of needed) tables.writeUInt32LE(numberOf(path), neededAt + 4 * neededSoFar++);
      nameAt += tables.write(path, nameAt);
      let slot = hashOf(path) & (slots - 1);
      while (tables.readUInt32LE(hashAt + 4 * slot) !== 0) slot = (slot + 1) & (slots - 1);
      tables.writeUInt32LE(number + 1, hashAt + 4 * slot);
    }
    for (const [i, { sha256, path, module, sample }] of this.#images.entries()) {
      const at = imagesAt + IMAGE * i;
      const { offset, size } = placed.get(path) as Placed;
      Buffer.from(sha256, 'hex').copy(tables, at);
      tables.writeDoubleLE(offset, at + 32);
      tables.writeDoubleLE(size, at + 40);
      tables.writeUInt32LE(numberOf(module.path), at + 48);
      tables.writeBigUInt64LE(sample, at + 56);
    }
    return tables;
  }
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** A directory's children beside each other, by name. */
function inOrder(items: readonly Item[]): Item[] {
  const depth = ({ path }: Item) => path.split('/').length;
  const root = items.filter(({ path }) => path === '');
  const rest = items.filter(({ path }) => path !== '');
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  rest.sort(
    (a, b) => depth(a) - depth(b) || compare(parentOf(a.path), parentOf(b.path)) || compare(a.path, b.path),
  );
  return [...root, ...rest];
}

/** By path of the directory: number of the first and how many. */
function childrenOf(items: readonly Item[]): Map<string, [first: number, count: number]> {
  const children = new Map<string, [number, number]>();
  for (const [number, { path, kind }] of items.entries()) {
    if (kind === 'directory' && !children.has(path)) children.set(path, [0, 0]);
    if (path === '') continue;
    const [first, count] = children.get(parentOf(path)) ?? [0, 0];
    children.set(parentOf(path), [count === 0 ? number : first, count + 1]);
  }
  return children;
}

/** None of what has an entry of its own. */
function contentOf({ kind, source, hasOwnEntry }: Item): Buffer {
  if (Buffer.isBuffer(source)) return source;
  return kind === 'file' && !hasOwnEntry ? readFileSync(source) : Buffer.alloc(0);
}
