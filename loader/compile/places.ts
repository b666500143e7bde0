// Writes a description: numbers in order, code by name, and pieces that come later and are referred to by their place.
// The result is assembler text for one read-only section and the note that leads to it.

import { IMAGE_FORMAT } from '../images/layout.ts';

interface Deferred {
  /** Where the piece's place is to be written. */
  from: number;
  align: number;
  write: () => void;
}

interface Labelled {
  name: string;
  align: number;
  bytes: Uint8Array;
}

export class Places {
  private bytes = new Uint8Array(4096);
  private view = new DataView(this.bytes.buffer);
  private at = 0;
  private sizeAt = 0;
  private readonly symbols: { at: number; text: string }[] = [];
  private readonly deferred: Deferred[] = [];
  private readonly behind: Deferred[] = [];
  private readonly strings = new Map<string, number[]>();
  private readonly labelledBytes: Labelled[] = [];

  private room(size: number): void {
    if (this.at + size <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.at + size));
    grown.set(this.bytes);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  u32(...values: number[]): void {
    this.words(values);
  }

  /** As u32, of a list that may be long. */
  words(values: readonly number[]): void {
    for (const value of values) {
      this.room(4);
      this.view.setUint32(this.at, value >>> 0, true);
      this.at += 4;
    }
  }

  u64(value: bigint): void {
    this.room(8);
    this.view.setBigUint64(this.at, BigInt.asUintN(64, value), true);
    this.at += 8;
  }

  raw(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** A number that the assembler knows. */
  symbol(text: string): void {
    this.symbols.push({ at: this.at, text });
    this.u32(0);
  }

  /** The distance of a piece of code or data from the description; 0 for null. */
  distance(name: string | null): void {
    if (name === null) this.u32(0);
    else this.symbol(`${name} - insitu_description`);
  }

  /** The size of what is read at load. */
  size(): void {
    this.sizeAt = this.at;
    this.u32(0);
  }

  private defer(queue: Deferred[], align: number, write: () => void): void {
    queue.push({ from: this.at, align, write });
    this.u32(0);
  }

  /** The place of what `write` writes; it may refer to further pieces. */
  place(align: number, write: () => void): void {
    this.defer(this.deferred, align, write);
  }

  /** The place of a byte string. Equal ones are kept once. */
  string(bytes: Uint8Array): void {
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    const users = this.strings.get(key);
    if (users !== undefined) {
      users.push(this.at);
      this.u32(0);
      return;
    }
    const mine: number[] = [];
    this.strings.set(key, mine);
    this.place(4, () => {
      for (const user of mine) this.view.setUint32(user, this.at, true);
      this.strings.delete(key);
      this.raw(bytes);
    });
  }

  list(count: number, align: number, write: () => void): void {
    this.place(align, write);
    this.u32(count);
  }

  /** As list, behind everything that is read at load. */
  listBehind(count: number, align: number, write: () => void): void {
    this.defer(this.behind, align, write);
    this.u32(count);
  }

  /** Bytes of their own, behind everything else. */
  labelled(name: string, align: number, bytes: Uint8Array): void {
    this.labelledBytes.push({ name, align, bytes });
  }

  private write(queue: Deferred[]): void {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      while (this.at % next.align !== 0) this.raw(new Uint8Array(1));
      this.view.setUint32(next.from, this.at, true);
      next.write();
    }
  }

  assemble(opening: string): string {
    this.write(this.deferred);
    while (this.at % 8 !== 0) this.raw(new Uint8Array(1));
    this.view.setUint32(this.sizeAt, this.at, true);
    const size = this.at;
    this.write(this.behind);
    const lines = [
      opening,
      note(size),
      '\t.section .rodata.insitu,"a"',
      '\t.balign 64',
      'insitu_description:',
    ];
    let from = 0;
    for (const { at, text } of [...this.symbols].sort((a, b) => a.at - b.at)) {
      data(lines, this.bytes.subarray(from, at));
      lines.push(`\t.long ${text}`);
      from = at + 4;
    }
    data(lines, this.bytes.subarray(from, this.at));
    for (const { name, align, bytes } of this.labelledBytes) {
      lines.push(`\t.balign ${align}`, `${name}:`);
      data(lines, bytes);
      if (align > 8) lines.push(`\t.balign ${align}`);
    }
    lines.push('\t.section .note.GNU-stack,"",%progbits', '');
    return lines.join('\n');
  }
}

/** native/wasm/description.h: struct Note. The checksum is written into the linked file (seal.ts). */
function note(size: number): string {
  return `\t.section .note.insitu,"a",%note
\t.balign 4
\t.long 7, 16, 1
\t.asciz "insitu"
\t.balign 4
\t.long ${IMAGE_FORMAT}
\t.long insitu_description - .
\t.long ${size}
\t.long 0`;
}

const LINE_BYTES = 64;

/** Runs of zeros as such: a memory image is full of them. */
function data(lines: string[], bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let zeros = 0;
  for (let at = 0; at < bytes.length; at += LINE_BYTES) {
    const end = Math.min(at + LINE_BYTES, bytes.length);
    if (isZero(bytes, at, end)) {
      zeros += end - at;
      continue;
    }
    if (zeros > 0) lines.push(`\t.zero ${zeros}`);
    zeros = 0;
    const whole = at + ((end - at) & ~7);
    const words: string[] = [];
    for (let i = at; i < whole; i += 8) words.push(`0x${view.getBigUint64(i, true).toString(16)}`);
    if (words.length > 0) lines.push(`\t.quad ${words.join(',')}`);
    if (whole < end) lines.push(`\t.byte ${[...bytes.subarray(whole, end)].join(',')}`);
  }
  if (zeros > 0) lines.push(`\t.zero ${zeros}`);
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}
