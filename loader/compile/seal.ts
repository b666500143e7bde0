// Writes the checksum into a linked image: of everything that a load believes without looking at the code
// (native/wasm/image.cc reads the same parts in the same order).
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { LoadError } from '../error.ts';
import { native } from '../native.ts';

const PT_DYNAMIC = 2;
const PT_NOTE = 4;
const EHDR_BYTES = 64;
const PHDR_BYTES = 56;
/** Header of a note, and "insitu" with its padding. */
const NOTE_HEAD = 20;
const NOTE_BYTES = 16;
const CHECKSUM_AT = 12;

interface ProgramHeader {
  type: number;
  offset: number;
  vaddr: number;
  size: number;
}

class ImageFile {
  private readonly path: string;
  private readonly fd: number;

  constructor(path: string) {
    this.path = path;
    this.fd = openSync(path, 'r+');
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }

  read(offset: number, size: number): Buffer {
    const bytes = Buffer.alloc(size);
    if (readSync(this.fd, bytes, 0, size, offset) !== size)
      throw new LoadError('ERR_TRUNCATED', this.path, `has ${fstatSync(this.fd).size} bytes`, offset);
    return bytes;
  }

  write(offset: number, bytes: Buffer): void {
    writeSync(this.fd, bytes, 0, bytes.length, offset);
  }
}

function programHeaders(bytes: Buffer): ProgramHeader[] {
  return Array.from({ length: bytes.length / PHDR_BYTES }, (_, index) => {
    const at = index * PHDR_BYTES;
    return {
      type: bytes.readUInt32LE(at),
      offset: Number(bytes.readBigUInt64LE(at + 8)),
      vaddr: Number(bytes.readBigUInt64LE(at + 16)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
    };
  });
}

/** @throws LoadError ERR_IMAGE where it has no description */
export function seal(path: string): void {
  using image = new ImageFile(path);
  const head = image.read(0, EHDR_BYTES);
  const table = image.read(Number(head.readBigUInt64LE(32)), head.readUInt16LE(56) * PHDR_BYTES);
  const headers = programHeaders(table);
  const note = headers.find(
    ({ type, offset, size }) =>
      type === PT_NOTE &&
      size >= NOTE_HEAD + NOTE_BYTES &&
      image.read(offset + 12, 7).toString('latin1') === 'insitu\0',
  );
  const dynamic = headers.find(({ type }) => type === PT_DYNAMIC);
  if (note === undefined || dynamic === undefined)
    throw new LoadError('ERR_IMAGE', path, 'has no note of insitu; want an image of a WebAssembly module');
  const descriptor = image.read(note.offset + NOTE_HEAD, NOTE_BYTES);
  descriptor.writeUInt32LE(0, CHECKSUM_AT);
  // It lies in the same segment as the note.
  const description = image.read(
    note.offset + NOTE_HEAD + 4 + descriptor.readInt32LE(4),
    descriptor.readUInt32LE(8),
  );
  const parts = [head, table, image.read(dynamic.offset, dynamic.size), descriptor, description];
  const sums = Buffer.alloc(4 * parts.length);
  parts.forEach((part, index) => {
    sums.writeUInt32LE(native.crc32c(part), 4 * index);
  });
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(native.crc32c(sums));
  image.write(note.offset + NOTE_HEAD + CHECKSUM_AT, checksum);
}
