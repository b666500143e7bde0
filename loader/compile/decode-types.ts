// Types of the binary format (core specification 5.3).
import {
  type FunctionType,
  type GlobalType,
  type Limits,
  type ReferenceType,
  type TableType,
  UnsupportedFeature,
  ValueType,
} from './module.ts';
import type { Reader } from './reader.ts';

/** The JavaScript API's implementation limits: more than that, no engine takes. */
const MAX_PARAMS = 1000;
const MAX_RESULTS = 1000;
/** Versions of V8 differ in when they refuse more than that: V8 is left to it. */
const MAX_ELEMENTS = 10_000_000;

/** A vector: its elements take a byte each at least, so a count that promises more is found before anything is kept. */
export function vector<T>(r: Reader, read: (r: Reader) => T): T[] {
  const count = elementCount(r);
  const elements: T[] = [];
  for (let i = 0; i < count; i++) elements.push(read(r));
  return elements;
}

/** The count of a vector. */
export function elementCount(r: Reader): number {
  const at = r.at;
  const count = r.u32();
  if (count > r.end - r.at) r.fail('length out of bounds', at);
  return count;
}

/** Any value type; a reference type may be written long: 0x63 0x70 is funcref too. */
export function valueType(r: Reader): ValueType {
  const at = r.at;
  const byte = r.u8();
  switch (byte) {
    case ValueType.i32:
    case ValueType.i64:
    case ValueType.f32:
    case ValueType.f64:
    case ValueType.v128:
    case ValueType.funcref:
    case ValueType.externref:
    case ValueType.exnref:
      return byte;
    case 0x63: // (ref null ht)
      return heapType(r);
    case 0x64: // (ref ht)
      heapType(r);
      throw new UnsupportedFeature('function-references', at);
    case 0x65: // (shared …)
      throw new UnsupportedFeature('shared-everything-threads', at);
  }
  return abstractType(r, byte, at, 'malformed value type');
}

/** What a reference refers to, named by the nullable reference to it. */
export function heapType(r: Reader): ReferenceType {
  const at = r.at;
  const code = r.s33();
  if (code >= 0) throw new UnsupportedFeature('function-references', at);
  const byte = code + 0x80;
  switch (byte) {
    case ValueType.funcref:
    case ValueType.externref:
    case ValueType.exnref:
      return byte;
  }
  return abstractType(r, byte, at, 'malformed heap type');
}

function abstractType(r: Reader, byte: number, at: number, malformed: string): never {
  switch (byte) {
    case 0x6a: // array
    case 0x6b: // struct
    case 0x6c: // i31
    case 0x6d: // eq
    case 0x6e: // any
    case 0x71: // none
    case 0x72: // noextern
    case 0x73: // nofunc
    case 0x74: // noexn
      throw new UnsupportedFeature('gc', at);
    case 0x68: // cont
    case 0x75: // nocont
      throw new UnsupportedFeature('stack-switching', at);
  }
  r.fail(malformed, at);
}

export function referenceType(r: Reader): ReferenceType {
  const at = r.at;
  const type = valueType(r);
  switch (type) {
    case ValueType.funcref:
    case ValueType.externref:
    case ValueType.exnref:
      return type;
  }
  r.fail('malformed reference type', at);
}

/** An entry of the type section. */
export function functionType(r: Reader): FunctionType {
  const at = r.at;
  switch (r.u8()) {
    case 0x60: {
      const params = vector(r, valueType);
      const results = vector(r, valueType);
      if (params.length > MAX_PARAMS) r.fail(`${params.length} parameters, want at most ${MAX_PARAMS}`, at);
      if (results.length > MAX_RESULTS) r.fail(`${results.length} results, want at most ${MAX_RESULTS}`, at);
      return { params, results };
    }
    case 0x4e: // rec
    case 0x4f: // sub final
    case 0x50: // sub
    case 0x5e: // array
    case 0x5f: // struct
      throw new UnsupportedFeature('gc', at);
    case 0x5d: // cont
      throw new UnsupportedFeature('stack-switching', at);
    case 0x65:
      throw new UnsupportedFeature('shared-everything-threads', at);
  }
  r.fail('malformed definition type', at);
}

const HAS_MAX = 1;
const SHARED = 2;
const IS_64 = 4;
const PAGE_SIZE = 8;

export function memoryType(r: Reader): Limits {
  return limits(r, HAS_MAX | SHARED | IS_64 | PAGE_SIZE);
}

export function tableType(r: Reader): TableType {
  const element = referenceType(r);
  const { at } = r;
  const size = limits(r, HAS_MAX | IS_64);
  if (size.min > MAX_ELEMENTS) throw new UnsupportedFeature('large-tables', at);
  return { element, ...size };
}

function limits(r: Reader, known: number): Limits {
  const at = r.at;
  const flags = r.u8();
  if (flags & ~known) r.fail('malformed limits flags', at);
  if (flags & PAGE_SIZE) throw new UnsupportedFeature('custom-page-sizes', at);
  const is64 = (flags & IS_64) !== 0;
  const bound = () => (is64 ? r.u64() : r.u32());
  const min = bound();
  const common = { min: Number(min), shared: (flags & SHARED) !== 0, is64 };
  if (!(flags & HAS_MAX)) return common;
  const max = bound();
  // Belongs to validation, but only here are the numbers exact.
  if (min > max) r.fail(`size minimum must not be greater than maximum: ${min}, ${max}`, at);
  return { ...common, max: Number(max) };
}

export function globalType(r: Reader): GlobalType {
  const type = valueType(r);
  const at = r.at;
  const mutable = r.u8();
  if (mutable > 1) r.fail('malformed mutability', at);
  return { type, mutable: mutable === 1 };
}

/** A tag's attribute, which says exception, and its type's index. */
export function tagType(r: Reader): { typeIndex: number } {
  const at = r.at;
  if (r.u8() !== 0) r.fail('malformed tag attribute', at);
  return { typeIndex: r.u32() };
}
