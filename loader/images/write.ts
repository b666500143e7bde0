// Files of a store on their way in: read-only when they get their name.

import { createHash } from 'node:crypto';
import { closeSync, fchmodSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { sense } from '../backing.ts';
import { setAside } from '../store/lay-out.ts';
import type { Temporary } from '../store/temporary.ts';
import { encodeRecord, type Record } from './record.ts';

const READ_ONLY = 0o444;
const CHUNK = 4 << 20;

/** @throws Error of the system call */
export function writeWhole({ fd }: Temporary, bytes: Uint8Array, mode = READ_ONLY): void {
  writeAt(fd, bytes, 0);
  fchmodSync(fd, mode);
}

/** An image with its record behind it, laid out for huge pages where that can be had. @throws Error of the system call */
export function writeImage({ fd, path }: Temporary, image: string, record: Record): void {
  const from = openSync(image, 'r');
  try {
    const { size } = fstatSync(from);
    const { medium } = sense(path);
    if (medium === 'dax') setAside(path, fd, size, true);
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK, size));
    let at = 0;
    for (let got = -1; got !== 0; at += got) {
      got = readSync(from, chunk, 0, chunk.length, at);
      const bytes = chunk.subarray(0, got);
      hash.update(bytes);
      writeAt(fd, bytes, at);
    }
    writeAt(fd, encodeRecord(record, hash), at);
    fchmodSync(fd, READ_ONLY);
  } finally {
    closeSync(from);
  }
}

function writeAt(fd: number, bytes: Uint8Array, at: number): void {
  for (let put = 0; put < bytes.length; ) put += writeSync(fd, bytes, put, bytes.length - put, at + put);
}
