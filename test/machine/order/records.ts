// A log of records, which stands for whatever a program keeps through nvm.store and nvm.sync: its reader is what a power cut
// is answered with. Pure: bytes in, bytes out.
//
// Record: sequence number u32 (1, 2, 3 …), length of the payload u32, payload, zeros to a multiple of 8, and the first 8 bytes
// of SHA-256 over all before. Little-endian. The log ends before the first record that is not whole.
import { createHash } from 'node:crypto';

const HEAD = 8;
const CHECKSUM = 8;
export const LOG_SIZE = 64 << 10;

/** Few words, so that every subset of them can be tried; and some of several lines and pages. */
export const payloadSizes: readonly number[] = [
  8, 1, 40, 56, 72, 0, 88, 24, 64, 300, 3, 80, 1500, 48, 16, 200, 33, 5000, 60, 8,
];

const padded = (length: number) => Math.ceil(length / 8) * 8;
const checksum = (bytes: Buffer) => createHash('sha256').update(bytes).digest().subarray(0, CHECKSUM);

/** The payload that record `sequence` has, no byte of which is zero. */
export function payload(sequence: number): Buffer {
  const size = payloadSizes[(sequence - 1) % payloadSizes.length] ?? 0;
  return Buffer.from(Array.from({ length: size }, (_, i) => 1 + ((sequence * 31 + i * 7) % 255)));
}

export function encodeRecord(sequence: number, content: Buffer): Buffer {
  const head = Buffer.alloc(HEAD + padded(content.length));
  head.writeUInt32LE(sequence, 0);
  head.writeUInt32LE(content.length, 4);
  content.copy(head, HEAD);
  return Buffer.concat([head, checksum(head)]);
}

/** Reads a log through `read`, and so tells what it looks at. @returns the payloads of its records, in order */
export function readLog(read: (at: number, size: number) => Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + HEAD + CHECKSUM <= LOG_SIZE; ) {
    const head = read(at, HEAD);
    const length = head.readUInt32LE(4);
    const size = HEAD + padded(length) + CHECKSUM;
    if (head.readUInt32LE(0) !== found.length + 1 || at + size > LOG_SIZE) break;
    const record = read(at, size);
    if (!record.subarray(size - CHECKSUM).equals(checksum(record.subarray(0, size - CHECKSUM)))) break;
    found.push(record.subarray(HEAD, HEAD + length));
    at += size;
  }
  return found;
}

/** What is wrong with a log of which the first `synced` records were synced, and no more than `begun` were begun. */
export function judgeLog(records: readonly Buffer[], synced: number, begun: number): string {
  if (records.length < synced) return `record ${records.length + 1} of ${synced} that were synced is lost`;
  if (records.length > begun) return `record ${begun + 1} is there and was never written`;
  const torn = records.findIndex((record, i) => !record.equals(payload(i + 1)));
  return torn === -1 ? '' : `record ${torn + 1} was accepted and is torn`;
}
