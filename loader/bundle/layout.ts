// Bytes of an app in a region: the entry APP of the catalog holds every file but those that are mapped by themselves, and says
// where all of them are. Little-endian throughout; offsets count from the start of the entry unless said otherwise.
//
//   Header                                     Record of a file, directory or link
//     0  magic 'INSITU\x1aB'     u64             0  kind                       u8
//     8  version                 u32             1  format of a module         u8
//    12  number of records       u32             2  flags                      u8
//    16  slots of the hash table u32             4  mode bits                  u32
//    20  record of the entry     u32             8  path: offset, UTF-8        u32
//    24  number of images        u32            12        bytes                u32
//    28  records: offset         u32            16  content: offset            f64
//    32  hash table: offset      u32            24           bytes             f64
//    36  images: offset          u32            32  time of last change, ms    f64
//    40  needed: offset          u32            40  first child, or needed     u32
//    44  identity: of all else     16             44  number of them             u32
//    64  records, hash table, images,
//        needed, paths, contents             Hash table: numbers of records + 1, 0 where free; linear probing
//
//                                            Image of a WebAssembly module
//                                                0  SHA-256 of the module      32
//                                               32  image: offset in region    f64
//                                               40         bytes               f64
//                                               48  record of the module       u32
//                                               52  reserved                   u32
//                                               56  sample (images/layout.ts)  u64
//
// The children of a directory are records beside each other, by name. Offsets of contents with the flag OWN_ENTRY are in the
// region. What a shared object needs of the others is a row of numbers of records.
import { LoadError } from '../error.ts';

/** Of the region's entry. */
export const APP = 'app';

export const KINDS = ['file', 'directory', 'link'] as const;
export const FORMATS = ['none', 'commonjs', 'module', 'json', 'wasm', 'addon', 'shared'] as const;
export type Kind = (typeof KINDS)[number];
export type ModuleFormat = (typeof FORMATS)[number];

export const ASCII = 1;
export const OWN_ENTRY = 2;

export const HEADER = 64;
export const RECORD = 48;
export const IMAGE = 64;
/** Where the header has it, and its bytes. */
export const [IDENTITY, IDENTITY_BYTES] = [44, 16];
const MAGIC = Buffer.from('INSITU\x1aB', 'latin1');
const VERSION = 1;

export interface Header {
  records: number;
  slots: number;
  /** Record of the file that is run. */
  entry: number;
  images: number;
  recordsAt: number;
  hashAt: number;
  imagesAt: number;
  neededAt: number;
  /** Another one for any other app, in hexadecimal. */
  identity: string;
}

export function encodeHeader(header: Header): Buffer {
  const bytes = Buffer.alloc(HEADER);
  MAGIC.copy(bytes);
  const { records, slots, entry, images, recordsAt, hashAt, imagesAt, neededAt } = header;
  for (const [i, value] of [
    VERSION,
    records,
    slots,
    entry,
    images,
    recordsAt,
    hashAt,
    imagesAt,
    neededAt,
  ].entries())
    bytes.writeUInt32LE(value, 8 + 4 * i);
  bytes.write(header.identity, IDENTITY, 'hex');
  return bytes;
}

/** @throws LoadError ERR_FORMAT where tables of it are outside of its bytes */
export function decodeHeader(bytes: Buffer, path: string): Header {
  const wrong = (text: string, at: number) => new LoadError('ERR_FORMAT', path, `app ${text}`, at);
  if (bytes.length < HEADER || !bytes.subarray(0, 8).equals(MAGIC))
    throw wrong('has no header of a bundle; want what insitu bundle wrote', 0);
  const word = (at: number) => bytes.readUInt32LE(at);
  if (word(8) !== VERSION) throw wrong(`is of version ${word(8)}; want ${VERSION}`, 8);
  const header: Header = {
    ...{ records: word(12), slots: word(16), entry: word(20), images: word(24) },
    ...{ recordsAt: word(28), hashAt: word(32), imagesAt: word(36), neededAt: word(40) },
    identity: bytes.toString('hex', IDENTITY, IDENTITY + IDENTITY_BYTES),
  };
  const { records, slots, images, recordsAt, hashAt, imagesAt, neededAt } = header;
  const ends = [
    recordsAt + RECORD * records,
    hashAt + 4 * slots,
    imagesAt + IMAGE * images,
    neededAt,
    header.entry * RECORD,
  ];
  if (ends.some((end) => end > bytes.length)) throw wrong('has tables that end behind it', 28);
  if (slots === 0 || (slots & (slots - 1)) !== 0 || slots <= records || header.entry >= records)
    throw wrong(`has ${records} records in ${slots} slots; want a power of two that is more`, 12);
  return header;
}

/** FNV-1a over UTF-16 units: what a lookup has at hand. */
export function hashOf(path: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
