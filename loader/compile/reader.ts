// Reads the primitives of the binary format (core specification 5.2) from a piece of a module's bytes.
import { ModuleError } from './module.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads [at, end) of `bytes` forwards. @throws ModuleError with the text of the specification's own tests */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  fail(text: string, at = this.at): never {
    throw new ModuleError(text, at);
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  u8(): number {
    if (this.at >= this.end) this.fail('unexpected end');
    return this.bytes[this.at++] as number;
  }

  /** Passes over `length` bytes and gives the place where they begin. */
  skip(length: number, text = 'unexpected end'): number {
    const start = this.at;
    if (length > this.end - start) this.fail(text);
    this.at = start + length;
    return start;
  }

  /** Unsigned LEB128, at most 5 bytes. */
  u32(): number {
    const first = this.at < this.end ? (this.bytes[this.at] as number) : 0x80;
    if (first < 0x80) {
      this.at++;
      return first;
    }
    return this.u32Long();
  }

  private u32Long(): number {
    const start = this.at;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.u8();
    if (last >= 0x80) this.fail('integer representation too long', start);
    if (last > 0x0f) this.fail('integer too large', start);
    return (value | (last << 28)) >>> 0;
  }

  /** Signed LEB128 of 32 bits. */
  s32(): number {
    const start = this.at;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value << (25 - shift)) >> (25 - shift);
    }
    const last = this.u8();
    if (last >= 0x80) this.fail('integer representation too long', start);
    // Bits 3 to 6 all say the sign.
    if (last > 0x07 && last < 0x78) this.fail('integer too large', start);
    return value | (last << 28);
  }

  /** Signed LEB128 of 33 bits, as in block types and heap types: a number, exactly. */
  s33(): number {
    const start = this.at;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value << (25 - shift)) >> (25 - shift);
    }
    const last = this.u8();
    if (last >= 0x80) this.fail('integer representation too long', start);
    if (last > 0x0f && last < 0x70) this.fail('integer too large', start);
    const low = (value | (last << 28)) >>> 0;
    return last & 0x10 ? low - 2 ** 32 : low;
  }

  /** Unsigned LEB128 of 64 bits. */
  u64(): bigint {
    const start = this.at;
    const length = this.longLength();
    if (length === 10 && (this.bytes[start + 9] as number) > 1) this.fail('integer too large', start);
    return this.sevens(start, length);
  }

  /** Unsigned LEB128 of 64 bits as a number, exact up to 2 ** 53. */
  u64Rounded(): number {
    const start = this.at;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.at = start;
    return Number(this.u64());
  }

  /** Signed LEB128 of 64 bits. */
  s64(): bigint {
    const start = this.at;
    const length = this.longLength();
    const last = this.bytes[start + length - 1] as number;
    // The tenth byte has one bit of the value; the others repeat the sign.
    if (length === 10 && last !== 0 && last !== 0x7f) this.fail('integer too large', start);
    return BigInt.asIntN(Math.min(7 * length, 64), this.sevens(start, length));
  }

  /** Passes over a LEB128 number of at most 10 bytes. */
  private longLength(): number {
    const start = this.at;
    while (this.u8() >= 0x80) {
      if (this.at - start === 10) this.fail('integer representation too long', start);
    }
    return this.at - start;
  }

  /** The bits of a LEB128 number, by fours of its bytes: a bigint a byte would be slow. */
  private sevens(start: number, length: number): bigint {
    let value = 0n;
    for (let from = 0; from < length; from += 4) {
      let part = 0;
      for (let i = Math.min(from + 4, length) - 1; i >= from; i--) {
        part = (part << 7) | ((this.bytes[start + i] as number) & 0x7f);
      }
      value = from === 0 ? BigInt(part) : value | (BigInt(part) << BigInt(7 * from));
    }
    return value;
  }

  /** The four bytes of an f32 as an unsigned number: a NaN's bits do not survive as a number of their own. */
  f32Bits(): number {
    const at = this.skip(4);
    const b = this.bytes;
    return (
      ((b[at] as number) |
        ((b[at + 1] as number) << 8) |
        ((b[at + 2] as number) << 16) |
        ((b[at + 3] as number) << 24)) >>>
      0
    );
  }

  /** The eight bytes of an f64 as an unsigned bigint. */
  f64Bits(): bigint {
    const low = this.f32Bits();
    return BigInt(low) | (BigInt(this.f32Bits()) << 32n);
  }

  /** A vector of bytes that is UTF-8; a byte order mark is a character like others. */
  name(): string {
    const length = this.u32();
    const at = this.skip(length, 'length out of bounds');
    try {
      return utf8.decode(this.bytes.subarray(at, at + length));
    } catch {
      this.fail('malformed UTF-8 encoding', at);
    }
  }
}
