// Reading and writing the numbers of the binary format (core specification 5.2), for the runner's own small modules.

export class Cursor {
  at = 0;
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  u8(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new RangeError('the module ends early');
    return byte;
  }

  /** An unsigned or signed LEB128 number whose value does not matter. */
  skipNumber(): void {
    while (this.u8() & 0x80);
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (!(byte & 0x80)) return value;
    }
  }

  name(): string {
    const length = this.u32();
    const start = this.at;
    this.at += length;
    return Buffer.from(this.bytes.subarray(start, this.at)).toString();
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.u32() }, read);
  }
}

export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

export const vector = (items: number[][]): number[] => [...unsigned(items.length), ...items.flat()];
export const section = (id: number, body: number[]): number[] => [id, ...unsigned(body.length), ...body];
export const name = (text: string): number[] => [...unsigned(Buffer.byteLength(text)), ...Buffer.from(text)];
export const preamble = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
