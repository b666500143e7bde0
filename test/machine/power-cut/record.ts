// A record: a header, a payload that follows from stream and number alone, a checksum over both. Whoever reads one back
// knows by its checksum whether it is whole, and by its payload whether the checksum told the truth.
import { native } from '../../../loader/native.ts';

const MAGIC = 0x7c0_4d17;
export const HEADER = 20; // magic, CRC-32C of what follows it, stream, seq, length of the payload; u32 each

const noise = makeNoise(1 << 16);

function makeNoise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let word = 0x9e3779b9;
  for (let at = 0; at < size; at += 4) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    bytes.writeInt32LE(word, at);
  }
  return bytes;
}

/** Spreads neighbouring numbers (finalizer of a 32-bit hash). */
export function mix(value: number): number {
  let word = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  word = Math.imul(word ^ (word >>> 16), 0x45d9f3b);
  return (word ^ (word >>> 16)) >>> 0;
}

/** Bytes that nobody else's seed gives: `length` of them, at most 32 KiB. */
export function derived(seed: number, length: number): Buffer {
  const at = mix(seed) % (noise.length >> 1);
  return noise.subarray(at, at + length);
}

const seedOf = (stream: number, seq: number) => mix(stream * 0x01000193 + seq);

function lengthOf(stream: number, seq: number, most: number): number {
  return 1 + (mix(seedOf(stream, seq) ^ 0x5bd1e995) % most);
}

/** @param room bytes of its slot */
export function encode(stream: number, seq: number, room: number): Buffer {
  const length = lengthOf(stream, seq, room - HEADER);
  const bytes = Buffer.alloc(HEADER + length);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(stream, 8);
  bytes.writeUInt32LE(seq, 12);
  bytes.writeUInt32LE(length, 16);
  derived(seedOf(stream, seq), length).copy(bytes, HEADER);
  return seal(bytes);
}

/** Makes the checksum hold. */
export function seal(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(native.crc32c(bytes.subarray(8)), 4);
  return bytes;
}

export interface Decoded {
  stream: number;
  seq: number;
  payload: Buffer;
}

/** What a slot holds by its header and checksum alone; null: no whole record. */
export function decode(slot: Buffer): Decoded | null {
  if (slot.length < HEADER || slot.readUInt32LE(0) !== MAGIC) return null;
  const length = slot.readUInt32LE(16);
  if (length > slot.length - HEADER) return null;
  const end = HEADER + length;
  if (native.crc32c(slot.subarray(8, end)) !== slot.readUInt32LE(4)) return null;
  const [stream, seq] = [slot.readUInt32LE(8), slot.readUInt32LE(12)];
  return { stream, seq, payload: slot.subarray(HEADER, end) };
}

/** Whether it is what was written, whatever its checksum says. */
export function isGenuine({ stream, seq, payload }: Decoded, room: number): boolean {
  const length = lengthOf(stream, seq, room - HEADER);
  return payload.length === length && payload.equals(derived(seedOf(stream, seq), length));
}
