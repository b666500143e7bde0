// Bytes of a region, version 1: pure encoding, decoding and checking, nothing of it does I/O. Little-endian throughout.
//
//   0x000000  superblock      what the region is; written once; and the one word that says which catalog counts
//   0x010000  catalog slot A  448 KiB
//   0x080000  catalog slot B  448 KiB
//   0x0f0000  reserved        zeros; for a journal, signatures and checkpoints of later versions
//   dataStart data            entries, each in an extent of its own; 2 MiB, or one granule where that is larger
//
// Superblock                              Catalog slot                       Entry, padded to 8 bytes
//     0  magic 'INSITU\x1aR'   u64             0  magic 'INSITU\x1aC'  u64       0  bytes of this entry  u32
//     8  version               u32             8  generation           u64       4  kind                 u16
//    12  bytes of the header   u32            16  number of entries    u32       6  bytes of the name    u16
//    16  region size           u64            20  CRC-32C of the used  u32       8  offset               u64
//    24  granule               u64                bytes, this field 0           16  size                 u64
//    32  features: unknown one u64            24  used bytes           u64      24  span of its extent   u64
//        -> do not open                       32  where the next       u64      32  mode bits            u32
//    40  features: unknown one u64                search for space             36  reserved             u32
//        -> do not write                          begins                       40  time placed, ms      u64
//    48  features: unknown one u64            40  time committed, ms   u64      48  SHA-256 of content   32
//        -> no matter                         48  end of what was ever u64      80  reserved             16
//    56  offset of slot A      u64                used                          96  name, UTF-8
//    64  offset of slot B      u64            56  reserved             8
//    72  bytes of a slot       u64            64  entries, by name
//    80  dataStart             u64
//    88  time created, ms      u64
//    96  reserved              156
//   252  CRC-32C of 0 to 251   u32
//   256  active = generation << 1 | slot, u64, in a cache line of its own and under no checksum: it is changed by one
//        8-byte store, and the slot it names has to agree with its generation
import { LoadError } from '../error.ts';
import { native } from '../native.ts';

/** Bytes of a region that belong to the catalog, at the least. */
export const METADATA = 2 << 20;
export const ACTIVE = 256;
export const HEADER = 256;
export const SLOT_OFFSETS = [0x10000, 0x80000] as const;
export const SLOT_SIZE = 0x70000;
const VERSION = 1;
const MAGIC = Buffer.from('INSITU\x1aR', 'latin1');
/** In the place of MAGIC while a region is being made: it may be made anew without asking. */
const MAGIC_UNFINISHED = Buffer.from('INSITU\x1aU', 'latin1');

/** What the superblock says, all in bytes. */
export interface Superblock {
  readonly size: number;
  /** Unit of mapping of the backing that the region was made on. */
  readonly granule: number;
  readonly slots: readonly [number, number];
  readonly slotSize: number;
  readonly dataStart: number;
  readonly created: Date;
  /** It has features of a later version that allow reading only. */
  readonly readOnly: boolean;
}

/** What `active` says: which slot, and the generation that it has to have. */
export interface Active {
  readonly generation: number;
  readonly slot: 0 | 1;
}

export const damaged = (path: string, text: string, offset: number) =>
  new LoadError('ERR_CATALOG', path, text, offset);

export const hex = (value: number): string => `0x${value.toString(16)}`;

/** A u64 that has to be a safe integer. */
export function wide(bytes: Buffer, at: number, what: string, path: string, base: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw damaged(path, `${what} is 0x${value.toString(16)}; want less than 2^53`, base + at);
}

/** What page 0 is: a region, one whose making was interrupted, nothing at all, or somebody else's. */
export function classify(page: Buffer): 'region' | 'unfinished' | 'empty' | 'foreign' {
  const magic = page.subarray(0, 8);
  if (magic.equals(MAGIC)) return 'region';
  if (magic.equals(MAGIC_UNFINISHED)) return 'unfinished';
  return page.every((byte) => byte === 0) ? 'empty' : 'foreign';
}

export const finishedMagic = (): Buffer => Buffer.from(MAGIC);
export const unfinishedMagic = (): Buffer => Buffer.from(MAGIC_UNFINISHED);

/** The header of a new region; its magic is still that of an unfinished one. */
export function encodeSuperblock(size: number, granule: number, created: Date): Buffer {
  const bytes = Buffer.alloc(HEADER);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUInt32LE(HEADER, 12);
  bytes.writeBigUInt64LE(BigInt(size), 16);
  bytes.writeBigUInt64LE(BigInt(granule), 24);
  bytes.writeBigUInt64LE(BigInt(SLOT_OFFSETS[0]), 56);
  bytes.writeBigUInt64LE(BigInt(SLOT_OFFSETS[1]), 64);
  bytes.writeBigUInt64LE(BigInt(SLOT_SIZE), 72);
  bytes.writeBigUInt64LE(BigInt(Math.max(METADATA, granule)), 80);
  bytes.writeBigUInt64LE(BigInt(created.getTime()), 88);
  bytes.writeUInt32LE(native.crc32c(bytes.subarray(0, 252)), 252);
  MAGIC_UNFINISHED.copy(bytes);
  return bytes;
}

const isPowerOfTwo = (value: number) => value > 0 && Number.isInteger(Math.log2(value));

/**
 * @param page the first HEADER bytes of a region, at least
 * @throws LoadError ERR_REGION (no region, another version, a feature that this version must not pass over),
 *   ERR_CATALOG (damaged)
 */
export function decodeSuperblock(page: Buffer, path: string): Superblock {
  const found = classify(page);
  if (found !== 'region') throw new LoadError('ERR_REGION', path, `${refusals[found]}; want a region`);
  const version = page.readUInt32LE(8);
  if (version !== VERSION)
    throw new LoadError('ERR_REGION', path, `region has format version ${version}; want ${VERSION}`, 8);
  const checksum = native.crc32c(page.subarray(0, 252));
  if (checksum !== page.readUInt32LE(252)) {
    const text = `superblock has checksum ${hex(checksum)}; want ${hex(page.readUInt32LE(252))}, which is stored`;
    throw damaged(path, text, 252);
  }
  const incompatible = page.readBigUInt64LE(32);
  if (incompatible !== 0n) {
    const text = `region has features 0x${incompatible.toString(16)} that this version does not know; want a later insitu`;
    throw new LoadError('ERR_REGION', path, text, 32);
  }
  const number = (at: number, what: string) => wide(page, at, what, path, 0);
  const superblock: Superblock = {
    size: number(16, 'region size'),
    granule: number(24, 'granule'),
    slots: [number(56, 'offset of slot A'), number(64, 'offset of slot B')],
    slotSize: number(72, 'slot size'),
    dataStart: number(80, 'start of data'),
    created: new Date(number(88, 'time created')),
    readOnly: page.readBigUInt64LE(40) !== 0n,
  };
  checkGeometry(superblock, path);
  return superblock;
}

const refusals = {
  unfinished: 'is a region whose making was interrupted (insitu region create makes it)',
  empty: 'is empty (insitu region create makes a region of it)',
  foreign: 'is no region: its first bytes are something else',
};

/** A checksum says that somebody wrote it so, not that it makes sense. */
function checkGeometry(s: Superblock, path: string): void {
  const wrong = (what: string, value: number, wanted: string, at: number) =>
    damaged(path, `${what} is ${hex(value)}; want ${wanted}`, at);
  const page = native.pageSize;
  if (!isPowerOfTwo(s.granule) || s.granule < page)
    throw wrong('granule', s.granule, 'a power of two of at least a page', 24);
  if (s.dataStart < METADATA || s.dataStart % s.granule !== 0)
    throw wrong('start of data', s.dataStart, `a multiple of ${hex(s.granule)} from 2 MiB on`, 80);
  if (s.size % s.granule !== 0 || s.size <= s.dataStart)
    throw wrong('region size', s.size, `a multiple of ${hex(s.granule)} above ${hex(s.dataStart)}`, 16);
  const [a, b] = s.slots;
  if (s.slotSize < native.pageSize || s.slotSize > METADATA)
    throw wrong('slot size', s.slotSize, 'a page to 2 MiB', 72);
  for (const [i, slot] of s.slots.entries())
    if (slot < page || slot % page !== 0 || slot + s.slotSize > s.dataStart)
      throw wrong(`offset of slot ${'AB'[i]}`, slot, 'a slot between superblock and data', 56 + 8 * i);
  if (Math.abs(a - b) < s.slotSize) throw wrong('offset of slot B', b, 'slots that do not overlap', 64);
}

export function encodeActive({ generation, slot }: Active): Buffer {
  const word = Buffer.alloc(8);
  word.writeBigUInt64LE((BigInt(generation) << 1n) | BigInt(slot));
  return word;
}

/** @throws LoadError ERR_CATALOG */
export function decodeActive(word: Buffer, path: string): Active {
  const value = word.readBigUInt64LE(0);
  const generation = value >> 1n;
  if (generation === 0n || generation > BigInt(Number.MAX_SAFE_INTEGER))
    throw damaged(path, `active word is 0x${value.toString(16)}; want generation << 1 | slot`, ACTIVE);
  return { generation: Number(generation), slot: (value & 1n) === 0n ? 0 : 1 };
}
