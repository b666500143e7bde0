// What an image says of itself behind its last byte: what it was made of and how, and a checksum of everything before
// it. It comes and goes with the image in one rename, and no loader reads it.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { LoadError } from '../error.ts';
import type { ImageArch } from './layout.ts';

export interface Record {
  format: number;
  /** Of the source, in hexadecimal. */
  sha256: string;
  /** Of the source, in bytes. */
  size: number;
  arch: ImageArch;
  cpu: string;
  tier: 'quick' | 'best';
  /** Family and version. */
  compiler: string;
}

const MAGIC = ' insitu-record\n';
const TAIL = 65 + 8 + MAGIC.length; // checksum and its line's end, length of the record in hexadecimal, magic
const MOST = 64 << 10;

/** The record as it follows an image. @param hash what the image's bytes went through */
export function encodeRecord(record: Record, hash: ReturnType<typeof createHash>): Buffer {
  const text = `\n${JSON.stringify(record)}\n`;
  const sum = hash.update(text).digest('hex');
  const length = Buffer.byteLength(text).toString(16).padStart(8, '0');
  return Buffer.from(`${text}${sum}\n${length}${MAGIC}`);
}

/** @throws LoadError ERR_CONTENT where there is none that can be understood; Error of the system call */
export function readRecord(path: string): Record {
  const fd = openSync(path, 'r');
  try {
    return recordOf(fd, path).record;
  } finally {
    closeSync(fd);
  }
}

/** Reads all of it. @returns what is wrong with an image; undefined when it is as it was written */
export function damageOf(path: string): string | undefined {
  const fd = openSync(path, 'r');
  try {
    const { sum, end } = recordOf(fd, path);
    return hashOf(fd, end) === sum ? undefined : 'its bytes are not those that were written';
  } catch (error) {
    if (error instanceof LoadError) return error.message;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Reads all of it. @returns what is wrong with a file that is to have this SHA-256; undefined when nothing is */
export function contentDamage(path: string, sha256: string): string | undefined {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return 'is gone';
  try {
    const fd = openSync(path, 'r');
    try {
      return hashOf(fd) === sha256 ? undefined : 'its bytes are not those that were installed';
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return (error as Error).message;
  }
}

/** SHA-256 of a file's first bytes, or all, in hexadecimal. */
function hashOf(fd: number, end = Number.POSITIVE_INFINITY): string {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(1 << 20);
  for (let at = 0; at < end; ) {
    const got = readSync(fd, chunk, 0, Math.min(chunk.length, end - at), at);
    if (got === 0) break;
    hash.update(chunk.subarray(0, got));
    at += got;
  }
  return hash.digest('hex');
}

/** `end` = where what the checksum is of ends. */
function recordOf(fd: number, path: string): { record: Record; sum: string; end: number } {
  const damaged = (found: string) =>
    new LoadError('ERR_CONTENT', path, `${found}; want the record of an image at its end`);
  const { size } = fstatSync(fd);
  const tail = read(fd, Math.max(0, size - TAIL), Math.min(size, TAIL)).toString('latin1');
  const match = /^([0-9a-f]{64})\n([0-9a-f]{8}) insitu-record\n$/.exec(tail);
  const length = Number.parseInt(match?.[2] ?? '', 16);
  const end = size - TAIL;
  if (match === null || length > MOST || length > end) throw damaged(`ends without a record (${size} bytes)`);
  try {
    const record = JSON.parse(read(fd, end - length, length).toString('utf8')) as Record;
    if (!isRecord(record)) throw damaged('has a record that means nothing');
    return { record, sum: match[1] as string, end };
  } catch (error) {
    throw error instanceof SyntaxError ? damaged('has a record that is damaged') : error;
  }
}

function isRecord(value: Partial<Record> | null): value is Record {
  if (typeof value !== 'object' || value === null) return false;
  const numbers = [value.format, value.size].every((n) => Number.isSafeInteger(n));
  return (
    numbers &&
    [value.sha256, value.arch, value.cpu, value.tier, value.compiler].every((t) => typeof t === 'string')
  );
}

function read(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let got = 0;
  for (let more = -1; more !== 0 && got < length; got += more)
    more = readSync(fd, bytes, got, length - got, at + got);
  return bytes.subarray(0, got);
}
