// What a compiled module offers and wants, read from its image: loader/compile/shape.ts writes it.
export type ValueType = 0x7f | 0x7e | 0x7d | 0x7c | 0x7b | 0x70 | 0x6f | 0x69;
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export const FUNCREF = 0x70;
export const EXTERNREF = 0x6f;
export const EXNREF = 0x69;

export const KINDS = ['function', 'table', 'memory', 'global', 'tag'] as const;
export type Kind = (typeof KINDS)[number];

export interface FunctionType {
  params: ValueType[];
  results: ValueType[];
}
export interface Limits {
  min: number;
  max: number | undefined;
  shared: boolean;
  is64: boolean;
}
export interface TableType extends Limits {
  element: ValueType;
}
export interface GlobalType {
  type: ValueType;
  mutable: boolean;
}
export interface ImportEntry {
  module: string;
  name: string;
  kind: Kind;
}
export interface ExportEntry {
  name: string;
  kind: Kind;
  index: number;
  /** Of a function: where the image has it among those that pointers lead to; negative for an imported one. */
  place: number;
}

export interface Shape {
  types: FunctionType[];
  imports: ImportEntry[];
  /** Type indices; imported ones come first, here and below. */
  functions: Uint32Array;
  tables: TableType[];
  memories: Limits[];
  globals: GlobalType[];
  tags: Uint32Array;
  exports: ExportEntry[];
}

class ShapeReader {
  private readonly words: Uint32Array;
  private readonly names: string;
  private at = 0;
  private nameAt = 0;

  constructor(words: Uint32Array, names: string) {
    this.words = words;
    this.names = names;
  }

  word(): number {
    return this.words[this.at++] as number;
  }

  name(length: number): string {
    const from = this.nameAt;
    this.nameAt += length;
    return this.names.slice(from, this.nameAt);
  }

  list<T>(read: () => T): T[] {
    const items: T[] = [];
    for (let count = this.word(); count > 0; count--) items.push(read());
    return items;
  }

  indices(): Uint32Array {
    const count = this.word();
    this.at += count;
    return this.words.subarray(this.at - count, this.at);
  }

  private valueTypes(count: number): ValueType[] {
    const types: ValueType[] = [];
    for (let i = 0; i < count; i++) types.push(this.word() as ValueType);
    return types;
  }

  functionType(): FunctionType {
    const params = this.word();
    const results = this.word();
    return { params: this.valueTypes(params), results: this.valueTypes(results) };
  }

  limits(): Limits {
    const flags = this.word();
    const min = this.word() + this.word() * 2 ** 32;
    const max = this.word() + this.word() * 2 ** 32;
    return {
      min,
      max: flags & 1 ? max : undefined,
      shared: (flags & 2) !== 0,
      is64: (flags & 4) !== 0,
    };
  }
}

export function readShape([names, words]: [string, Uint32Array]): Shape {
  const reader = new ShapeReader(words, names);
  const kind = () => KINDS[reader.word()] as Kind;
  const types = reader.list(() => reader.functionType());
  const lengths: { kind: Kind; module: string; name: string }[] = reader.list(() => {
    const entry = kind();
    const moduleLength = reader.word();
    const nameLength = reader.word();
    const module = reader.name(moduleLength);
    return { kind: entry, module, name: reader.name(nameLength) };
  });
  const functions = reader.indices();
  const tables = reader.list(() => {
    const element = reader.word() as ValueType;
    return { element, ...reader.limits() };
  });
  const memories = reader.list(() => reader.limits());
  const globals = reader.list(() => ({ type: reader.word() as ValueType, mutable: reader.word() === 1 }));
  const tags = reader.indices();
  const exports = reader.list(() => {
    const entry = kind();
    const index = reader.word();
    const name = reader.name(reader.word());
    return { kind: entry, index, name, place: reader.word() | 0 };
  });
  return { types, imports: lengths, functions, tables, memories, globals, tags, exports };
}

/** Equal for equal types. */
export function typeName({ params, results }: FunctionType): string {
  return `${params.join(',')}>${results.join(',')}`;
}
