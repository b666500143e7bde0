// What follows opcodes (core specification 5.4), where it is more than an index or a number.
import type { FunctionType, ValueType } from '../module.ts';
import type { Reader } from '../reader.ts';

const EMPTY_BLOCK = 0x40;
const REF_NULL = 0x63;
const REF = 0x64;

/** A value type, its long form too: a reference type with its heap type behind it. */
export function valueType(reader: Reader): ValueType {
  const byte = reader.u8();
  return (byte === REF_NULL || byte === REF ? reader.u8() : byte) as ValueType;
}

export function blockType(reader: Reader, types: readonly FunctionType[]): FunctionType {
  const byte = reader.bytes[reader.at] as number;
  if (byte === EMPTY_BLOCK) {
    reader.at++;
    return { params: [], results: [] };
  }
  // Bit 6 is the sign of a number of one byte: a value type. Type indices are not negative.
  if ((byte & 0xc0) === 0x40) return { params: [], results: [valueType(reader)] };
  return types[reader.s33()] as FunctionType;
}

export interface MemoryArgument {
  memory: number;
  /** Bytes. */
  offset: bigint;
}

export function memoryArgument(reader: Reader): MemoryArgument {
  const flags = reader.u32();
  const memory = flags & 0x40 ? reader.u32() : 0;
  return { memory, offset: reader.u64() };
}

/** The labels of a br_table, its default last. */
export function labels(reader: Reader): number[] {
  const count = reader.u32();
  return Array.from({ length: count + 1 }, () => reader.u32());
}

/** The types of a select. */
export function valueTypes(reader: Reader): ValueType[] {
  return Array.from({ length: reader.u32() }, () => valueType(reader));
}

export function lanes(reader: Reader, count: number): number[] {
  return Array.from({ length: count }, () => reader.u8());
}

export interface CatchArgument {
  /** null catches all. */
  tag: number | null;
  withReference: boolean;
  /** A label, counted from outside of the try_table. */
  depth: number;
}

export function catchArguments(reader: Reader): CatchArgument[] {
  return Array.from({ length: reader.u32() }, () => {
    const kind = reader.u8();
    const tag = kind < 2 ? reader.u32() : null;
    return { tag, withReference: (kind & 1) === 1, depth: reader.u32() };
  });
}
