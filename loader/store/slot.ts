// A catalog slot and its entries (layout.ts has the table of their bytes): encoding, decoding, checking.
import type { LoadError } from '../error.ts';
import type { Format } from '../format.ts';
import { native } from '../native.ts';
import { type Active, damaged, hex, type Superblock, wide } from './layout.ts';

const MAX_NAME = 255;
const SLOT_HEADER = 64;
const ENTRY_HEADER = 96;
const MAGIC_SLOT = Buffer.from('INSITU\x1aC', 'latin1');

/** As stored: the number of a kind is its place here. */
const kinds = [
  'data',
  'elf-program',
  'elf-shared',
  'node-addon',
  'wasm-module',
  'wasm-component',
  'script',
] as const satisfies readonly (Format | 'data')[];
export type Kind = (typeof kinds)[number];

export interface Entry {
  readonly name: string;
  readonly kind: Kind;
  /** Of its first byte in the region. */
  readonly offset: number;
  readonly size: number;
  /** Bytes of its extent; behind `size` they are zero. */
  readonly span: number;
  /** Permission bits of the file that was placed. */
  readonly mode: number;
  readonly placed: Date;
  /** Of the content, hexadecimal. */
  readonly sha256: string;
}

export interface Catalog {
  readonly generation: number;
  /** The slot it lies in. */
  readonly slot: 0 | 1;
  /** Where the next search for space begins: see allocate.ts. */
  readonly cursor: number;
  /** From here on nothing has ever been used. */
  readonly reached: number;
  readonly committed: Date;
  /** Sorted by the bytes of their names. */
  readonly entries: readonly Entry[];
}

/** Bytes of a slot that holds these entries, to be compared with the slot's size. */
export function encodeSlot(catalog: Omit<Catalog, 'slot'>): Buffer {
  const head = Buffer.alloc(SLOT_HEADER);
  const bytes = Buffer.concat([head, ...catalog.entries.map(encodeEntry)]);
  MAGIC_SLOT.copy(bytes);
  bytes.writeBigUInt64LE(BigInt(catalog.generation), 8);
  bytes.writeUInt32LE(catalog.entries.length, 16);
  bytes.writeBigUInt64LE(BigInt(bytes.length), 24);
  bytes.writeBigUInt64LE(BigInt(catalog.cursor), 32);
  bytes.writeBigUInt64LE(BigInt(catalog.committed.getTime()), 40);
  bytes.writeBigUInt64LE(BigInt(catalog.reached), 48);
  bytes.writeUInt32LE(native.crc32c(bytes), 20);
  return bytes;
}

function encodeEntry(entry: Entry): Buffer {
  const name = Buffer.from(entry.name);
  const length = Math.ceil((ENTRY_HEADER + name.length) / 8) * 8;
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt16LE(kinds.indexOf(entry.kind), 4);
  bytes.writeUInt16LE(name.length, 6);
  bytes.writeBigUInt64LE(BigInt(entry.offset), 8);
  bytes.writeBigUInt64LE(BigInt(entry.size), 16);
  bytes.writeBigUInt64LE(BigInt(entry.span), 24);
  bytes.writeUInt32LE(entry.mode, 32);
  bytes.writeBigUInt64LE(BigInt(entry.placed.getTime()), 40);
  Buffer.from(entry.sha256, 'hex').copy(bytes, 48);
  name.copy(bytes, ENTRY_HEADER);
  return bytes;
}

/** How many bytes of a slot are in use, by its header; 0 where that can't be. */
export function usedBytes(head: Buffer, slotSize: number): number {
  if (!head.subarray(0, 8).equals(MAGIC_SLOT)) return 0;
  const used = head.readBigUInt64LE(24);
  return used >= SLOT_HEADER && used <= BigInt(slotSize) ? Number(used) : 0;
}

/** Whether these are the bytes of a slot of this generation, whole: nothing else of it is looked at. */
export function isWhole(bytes: Buffer, generation: number): boolean {
  if (bytes.length < SLOT_HEADER || usedBytes(bytes, bytes.length) !== bytes.length) return false;
  if (bytes.readBigUInt64LE(8) !== BigInt(generation)) return false;
  const unchecked = Buffer.from(bytes);
  unchecked.writeUInt32LE(0, 20);
  return native.crc32c(unchecked) === bytes.readUInt32LE(20);
}

/**
 * @param bytes the used bytes of a slot that isWhole
 * @throws LoadError ERR_CATALOG naming the first entry that can't be
 */
export function decodeSlot(bytes: Buffer, active: Active, superblock: Superblock, path: string): Catalog {
  const base = superblock.slots[active.slot];
  const entries = [...storedEntries(bytes, path, base)].map(({ stored, at }) =>
    decodeEntry(stored, path, base + at),
  );
  checkEntries(entries, superblock, path, base);
  return {
    ...active,
    cursor: wide(bytes, 32, 'cursor', path, base),
    committed: new Date(wide(bytes, 40, 'time committed', path, base)),
    reached: wide(bytes, 48, 'end of what was used', path, base),
    entries,
  };
}

/**
 * The entry of this name; only it is decoded and checked.
 * @param bytes as decodeSlot
 * @throws LoadError ERR_CATALOG when it, or the row of entries, can't be
 */
export function findInSlot(
  bytes: Buffer,
  active: Active,
  superblock: Superblock,
  path: string,
  name: string,
): Entry | undefined {
  const base = superblock.slots[active.slot];
  const wanted = Buffer.from(name);
  for (const { stored, at } of storedEntries(bytes, path, base)) {
    const end = ENTRY_HEADER + wanted.length;
    if (stored.readUInt16LE(6) !== wanted.length || end > stored.length) continue;
    if (wanted.compare(stored, ENTRY_HEADER, end) !== 0) continue;
    const entry = decodeEntry(stored, path, base + at);
    checkExtent(entry, superblock, path);
    checkAlone(entry, bytes, path, base);
    return entry;
  }
  return undefined;
}

/** No other entry's extent, as it is stored, is over this one's. */
function checkAlone(entry: Entry, bytes: Buffer, path: string, base: number): void {
  const end = entry.offset + entry.span;
  for (const { stored } of storedEntries(bytes, path, base)) {
    const offset = stored.readUInt32LE(8) + stored.readUInt32LE(12) * 2 ** 32;
    const span = stored.readUInt32LE(24) + stored.readUInt32LE(28) * 2 ** 32;
    if (offset >= end || offset + span <= entry.offset) continue;
    const other = decodeEntry(stored, path, base);
    if (other.name !== entry.name) throw overlap(entry, other, path);
  }
}

function overlap(a: Entry, b: Entry, path: string): LoadError {
  const at = Math.max(a.offset, b.offset);
  return damaged(path, `entries ${a.name} and ${b.name} overlap at ${hex(at)}`, at);
}

/** Each entry's bytes, and where they begin in the slot. */
function* storedEntries(
  bytes: Buffer,
  path: string,
  base: number,
): Generator<{ stored: Buffer; at: number }> {
  const count = bytes.readUInt32LE(16);
  let at = SLOT_HEADER;
  for (let i = 0; i < count; i++) {
    const length = at + ENTRY_HEADER <= bytes.length ? bytes.readUInt32LE(at) : 0;
    if (length < ENTRY_HEADER || length % 8 !== 0 || length > bytes.length - at) {
      const text = `catalog ends inside entry ${i} of ${count}; want entries of whole words within ${bytes.length} bytes`;
      throw damaged(path, text, base + at);
    }
    yield { stored: bytes.subarray(at, at + length), at };
    at += length;
  }
  if (at === bytes.length) return;
  const text = `catalog has ${bytes.length - at} bytes behind its ${count} entries; want none`;
  throw damaged(path, text, base + at);
}

function decodeEntry(bytes: Buffer, path: string, base: number): Entry {
  const nameLength = bytes.readUInt16LE(6);
  if (ENTRY_HEADER + nameLength > bytes.length)
    throw damaged(path, `name of ${nameLength} bytes ends behind its entry of ${bytes.length}`, base + 6);
  const stored = bytes.subarray(ENTRY_HEADER, ENTRY_HEADER + nameLength);
  const name = stored.toString('utf8');
  const obstacle = Buffer.from(name).equals(stored) ? nameObstacle(name) : 'is no UTF-8';
  if (obstacle !== '')
    throw damaged(path, `name of an entry, ${JSON.stringify(name)}, ${obstacle}`, base + ENTRY_HEADER);
  const kind = kinds[bytes.readUInt16LE(4)];
  if (kind === undefined) {
    const text = `entry ${name} is of kind ${bytes.readUInt16LE(4)}; want 0 to ${kinds.length - 1}`;
    throw damaged(path, text, base + 4);
  }
  const number = (at: number, what: string) => wide(bytes, at, `${what} of ${name}`, path, base);
  return {
    name,
    kind,
    offset: number(8, 'offset'),
    size: number(16, 'size'),
    span: number(24, 'span'),
    mode: bytes.readUInt32LE(32),
    placed: new Date(number(40, 'time')),
    sha256: bytes.subarray(48, 80).toString('hex'),
  };
}

/** Of whole granules, in the data part, and long enough. */
function checkExtent({ name, offset, size, span }: Entry, s: Superblock, path: string): void {
  if (offset % s.granule !== 0 || span % s.granule !== 0 || span === 0)
    throw damaged(path, `entry ${name} at ${hex(offset)} + ${hex(span)} is not of whole granules`, offset);
  if (size > span) throw damaged(path, `entry ${name} has ${size} bytes in an extent of ${span}`, offset);
  if (offset < s.dataStart || span > s.size - s.dataStart || offset > s.size - span) {
    const text = `entry ${name} at ${hex(offset)} + ${hex(span)} is outside of the data, ${hex(s.dataStart)} to ${hex(s.size)}`;
    throw damaged(path, text, offset);
  }
}

/** Names in order and once each, and no extent over another. */
function checkEntries(entries: readonly Entry[], s: Superblock, path: string, base: number): void {
  for (const [i, entry] of entries.entries()) {
    const { name } = entry;
    const before = entries[i - 1];
    if (before !== undefined && compareNames(before.name, name) >= 0)
      throw damaged(path, `entry ${name} follows ${before.name}; want names in order, each once`, base);
    checkExtent(entry, s, path);
  }
  const ordered = [...entries].sort((a, b) => a.offset - b.offset);
  for (const [i, entry] of ordered.entries()) {
    const next = ordered[i + 1];
    if (next !== undefined && next.offset < entry.offset + entry.span) throw overlap(entry, next, path);
  }
}

/** As the bytes of their UTF-8, which is not the order of UTF-16. */
export const compareNames = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Why a name can't be an entry's; none if it can. */
export function nameObstacle(name: string): string {
  if (name === '' || name === '.' || name === '..') return 'is no name';
  if (name.includes('/')) return "has a '/' in it";
  if (/\p{Cc}/u.test(name)) return 'has a control character in it';
  // U+FFFD is what Node makes of bytes that are no UTF-8: different names would become one.
  if (/[\p{Cs}\ufffd]/u.test(name)) return 'is no well-formed Unicode';
  if (/\p{Bidi_Control}/u.test(name)) return 'has a control of text direction in it';
  return Buffer.byteLength(name) > MAX_NAME ? `is longer than ${MAX_NAME} bytes` : '';
}
