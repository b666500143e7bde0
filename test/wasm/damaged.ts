// The parts of an image that a load believes, where they lie in the file (native/wasm/description.h, elf(5)).
import { readFileSync, writeFileSync } from 'node:fs';

const PT_DYNAMIC = 2;
const PT_NOTE = 4;
const EHDR_BYTES = 64;
const PHDR_BYTES = 56;
const NOTE_HEAD = 20;
const NOTE_BYTES = 16;

export interface Part {
  name: string;
  start: number;
  end: number;
}

/** @throws Error for a file that has no note of insitu */
export function partsOf(image: Buffer): Part[] {
  const table = Number(image.readBigUInt64LE(32));
  const count = image.readUInt16LE(56);
  const headers = Array.from({ length: count }, (_, index) => {
    const at = table + index * PHDR_BYTES;
    return {
      type: image.readUInt32LE(at),
      offset: Number(image.readBigUInt64LE(at + 8)),
      size: Number(image.readBigUInt64LE(at + 32)),
    };
  });
  const dynamic = headers.find(({ type }) => type === PT_DYNAMIC);
  const note = headers.find(
    ({ type, offset }) => type === PT_NOTE && image.toString('latin1', offset + 12, offset + 18) === 'insitu',
  );
  if (dynamic === undefined || note === undefined) throw new Error('no image of a WebAssembly module');
  const descriptor = note.offset + NOTE_HEAD;
  const description = descriptor + 4 + image.readInt32LE(descriptor + 4);
  return [
    { name: 'ELF header', start: 0, end: EHDR_BYTES },
    { name: 'program headers', start: table, end: table + count * PHDR_BYTES },
    { name: 'dynamic section', start: dynamic.offset, end: dynamic.offset + dynamic.size },
    { name: 'note', start: note.offset, end: descriptor + NOTE_BYTES },
    { name: 'description', start: description, end: description + image.readUInt32LE(descriptor + 8) },
  ];
}

/** One byte is another, or the file ends there. */
export interface Damage {
  at: number;
  /** What is flipped in the byte; without it, the file ends at `at`. */
  flip?: number;
}

/** Writes a damaged copy. */
export function damage(image: string, { at, flip }: Damage, to: string): void {
  const bytes = readFileSync(image);
  if (flip === undefined) writeFileSync(to, bytes.subarray(0, at));
  else {
    bytes[at] = (bytes[at] ?? 0) ^ flip;
    writeFileSync(to, bytes);
  }
}

export const everyByte = (parts: readonly Part[], flips: readonly number[]): Damage[] =>
  parts.flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, index) =>
      flips.map((flip) => ({ at: start + index, flip })),
    ).flat(),
  );
