// Bytes of the entry that holds V8's code cache of an app's scripts. Little-endian.
//
//   0  magic 'INSITU\x1aV'  u64        Piece, one for each record of the app
//   8  number of pieces     u32          0  offset in the entry   u32
//  12  reserved             u32          4  bytes, 0 for none;    u32
//                                          top bit: it may import
//  16  identity of the app  16           8  CRC-32C               u32
//  32  pieces, then their bytes
import { native } from '../native.ts';

const HEADER = 32;
const PIECE = 12;
const MAY_IMPORT = 0x80000000;
const MAGIC = Buffer.from('INSITU\x1aV', 'latin1');

/** The name of the entry for a V8 and its flags (v8.cachedDataVersionTag). */
export const codeName = (tag: number): string => `code-${tag.toString(16).padStart(8, '0')}`;

/** Of a script. */
export interface Piece {
  data: Buffer;
  /** There may be an import() in it. */
  mayImport: boolean;
}

/** @param app its identity; `pieces` by number of the record */
export function encodeCode(app: string, records: number, pieces: ReadonlyMap<number, Piece>): Buffer {
  const head = Buffer.alloc(HEADER + PIECE * records);
  MAGIC.copy(head);
  head.writeUInt32LE(records, 8);
  head.write(app, 16, 'hex');
  let offset = head.length;
  for (const [number, { data, mayImport }] of pieces) {
    const at = HEADER + PIECE * number;
    head.writeUInt32LE(offset, at);
    head.writeUInt32LE((data.length | (mayImport ? MAY_IMPORT : 0)) >>> 0, at + 4);
    head.writeUInt32LE(native.crc32c(data), at + 8);
    offset += data.length;
  }
  return Buffer.concat([head, ...[...pieces.values()].map(({ data }) => data)]);
}

/** V8 checks only what it was made by, and a changed text of the same length would be taken for the old one. */
export const isCodeOf = (code: Buffer, app: string): boolean =>
  code.length >= HEADER && code.subarray(0, 8).equals(MAGIC) && code.toString('hex', 16, HEADER) === app;

/** What there is of a record; undefined where that is nothing, or not what was written. */
export function pieceOf(code: Buffer, record: number): Piece | undefined {
  const at = HEADER + PIECE * record;
  if (at + PIECE > code.length) return undefined;
  const [offset, word] = [code.readUInt32LE(at), code.readUInt32LE(at + 4)];
  const length = word & ~MAY_IMPORT;
  if (length === 0 || offset + length > code.length) return undefined;
  const data = code.subarray(offset, offset + length);
  const mayImport = (word & MAY_IMPORT) !== 0;
  return native.crc32c(data) === code.readUInt32LE(at + 8) ? { data, mayImport } : undefined;
}
