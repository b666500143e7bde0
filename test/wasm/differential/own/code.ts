// Writes the binary format (core specification 5.2).
import { type FunctionType, ValueType } from '../../../../loader/compile/module.ts';

export class Code {
  readonly bytes: number[] = [];

  byte(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  /** Unsigned LEB128. */
  u(value: number | bigint): this {
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest >= 0x80n) {
      this.bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    return this.byte(Number(rest));
  }

  /** Signed LEB128. */
  s(value: number | bigint): this {
    let rest = BigInt(value);
    while (rest < -0x40n || rest > 0x3fn) {
      this.bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    return this.byte(Number(rest & 0x7fn));
  }

  f32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    return this.byte(...bytes);
  }

  f64(value: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return this.byte(...bytes);
  }

  name(text: string): this {
    const bytes = Buffer.from(text);
    return this.u(bytes.length).byte(...bytes);
  }

  /** A vector of what `write` writes. */
  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.u(items.length);
    for (const item of items) write(item);
    return this;
  }

  section(id: number, write: (content: Code) => void): this {
    const content = new Code();
    write(content);
    this.byte(id).u(content.bytes.length);
    for (const byte of content.bytes) this.bytes.push(byte);
    return this;
  }

  functionType({ params, results }: FunctionType): this {
    return this.byte(0x60)
      .list(params, (type) => this.byte(type))
      .list(results, (type) => this.byte(type));
  }

  /** A constant expression of a type, without its end: zero or null. */
  zero(type: ValueType): this {
    switch (type) {
      case ValueType.i32:
        return this.byte(0x41).s(0);
      case ValueType.i64:
        return this.byte(0x42).s(0);
      case ValueType.f32:
        return this.byte(0x43).f32(0);
      case ValueType.f64:
        return this.byte(0x44).f64(0);
      case ValueType.v128:
        return this.byte(0xfd, 12, ...new Array<number>(16).fill(0));
      default:
        return this.byte(0xd0, type);
    }
  }
}
