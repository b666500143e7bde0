// Custom sections are not in an image: they are read from the source that the store keeps, when asked for.
import type { CompiledImage } from './image.ts';

class Sections {
  private at = 8;
  private readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  private u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  *[Symbol.iterator](): Generator<{ name: string; bytes: Uint8Array }> {
    while (this.at < this.bytes.length) {
      const id = this.bytes[this.at++];
      const end = this.u32() + this.at;
      if (id === 0) {
        const nameEnd = this.u32() + this.at;
        const name = new TextDecoder().decode(this.bytes.subarray(this.at, nameEnd));
        yield { name, bytes: this.bytes.subarray(nameEnd, end) };
      }
      this.at = end;
    }
  }
}

/** Copies, in order. */
export function customSections(image: CompiledImage, name: string): ArrayBuffer[] {
  const found: ArrayBuffer[] = [];
  for (const section of new Sections(image.source()))
    if (section.name === name) found.push(new Uint8Array(section.bytes).buffer);
  return found;
}
