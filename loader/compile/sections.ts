// The little of ELF that building an image wants to know of what compiler and linker have made.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { LoadError } from '../error.ts';

export interface Section {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
}

export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly fileSize: number;
}

const LITTLE_64 = 0x0102; // ELFCLASS64, ELFDATA2LSB

/** Headers of an ELF64 little-endian file as its maker wrote them; bytes are read as they are asked for. */
export class ElfFile implements Disposable {
  readonly path: string;
  readonly sections: readonly Section[];
  readonly segments: readonly ProgramHeader[];
  readonly #fd: number;
  readonly #size: number;

  /** @throws LoadError ERR_FORMAT, ERR_TRUNCATED; Error of the system call */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, 'r');
    try {
      this.#size = fstatSync(this.#fd).size;
      const header = this.bytes(0, 64);
      if (header.readUInt32BE(0) !== 0x7f454c46 || header.readUInt16LE(4) !== LITTLE_64)
        throw new LoadError('ERR_FORMAT', path, 'is no ELF64 little-endian file');
      this.segments = this.#table(header, 32, 54, 56, 56).map((row) => ({
        ...{ type: row.readUInt32LE(0), flags: row.readUInt32LE(4) },
        ...{ offset: Number(row.readBigUInt64LE(8)), fileSize: Number(row.readBigUInt64LE(32)) },
      }));
      this.sections = this.#table(header, 40, 58, 60, 64).map((row) => ({
        ...{ type: row.readUInt32LE(4), flags: Number(row.readBigUInt64LE(8)) },
        ...{ offset: Number(row.readBigUInt64LE(24)), size: Number(row.readBigUInt64LE(32)) },
      }));
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  bytes(offset: number, size: number): Buffer {
    if (offset + size > this.#size)
      throw new LoadError(
        'ERR_TRUNCATED',
        this.path,
        `has ${this.#size} bytes; want ${offset + size}`,
        offset,
      );
    const bytes = Buffer.alloc(size);
    for (let got = 0; got < size; ) {
      const more = readSync(this.#fd, bytes, got, size - got, offset + got);
      if (more === 0) throw new LoadError('ERR_TRUNCATED', this.path, 'shrank while it was read', offset);
      got += more;
    }
    return bytes;
  }

  /** Rows of the table whose offset, row size and count are at these places of the ELF header. */
  #table(header: Buffer, offsetAt: number, sizeAt: number, countAt: number, atLeast: number): Buffer[] {
    const [size, count] = [header.readUInt16LE(sizeAt), header.readUInt16LE(countAt)];
    if (count === 0 || size < atLeast) return [];
    const table = this.bytes(Number(header.readBigUInt64LE(offsetAt)), size * count);
    return Array.from({ length: count }, (_, i) => table.subarray(i * size, (i + 1) * size));
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

const SHF_EXECINSTR = 4;

/** Bytes of text in an object file. */
export function textSize(path: string): number {
  using file = new ElfFile(path);
  return file.sections.filter(({ flags }) => flags & SHF_EXECINSTR).reduce((sum, { size }) => sum + size, 0);
}
