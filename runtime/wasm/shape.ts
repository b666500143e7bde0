// What a compiled module offers and wants, read from its image where it is wanted: loader/compile/shape.ts writes it.
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
export const FUNCTION = 0;
export const TABLE = 1;
export const MEMORY = 2;
export const GLOBAL = 3;

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
}

const IMPORT_WORDS = 3;
const TABLE_WORDS = 6;
const MEMORY_WORDS = 5;
export const EXPORT_WORDS = 4;

export class Shape {
  private readonly names: string;
  private readonly words: Uint32Array;
  private readonly types: (FunctionType | undefined)[] = [];
  private knownNames: string[] | undefined;
  private importEntries: ImportEntry[] | undefined;
  readonly tableCount: number;
  readonly memoryCount: number;
  readonly tagCount: number;
  readonly functionCount: number;
  readonly exportCount: number;

  constructor([names, words]: [string, Uint32Array]) {
    this.names = names;
    this.words = words;
    this.functionCount = this.word(5);
    this.tableCount = this.word(7);
    this.memoryCount = this.word(9);
    this.tagCount = this.word(13);
    this.exportCount = this.word(15);
  }

  private word(at: number): number {
    return this.words[at] as number;
  }

  type(index: number): FunctionType {
    let type = this.types[index];
    if (type === undefined) {
      const at = this.word(this.word(0) + index);
      const params = at + 2;
      const results = params + this.word(at);
      const end = results + this.word(at + 1);
      type = {
        params: Array.from(this.words.subarray(params, results)) as ValueType[],
        results: Array.from(this.words.subarray(results, end)) as ValueType[],
      };
      this.types[index] = type;
    }
    return type;
  }

  /** Its number: 0 function, 1 table, 2 memory, 3 global, 4 tag. */
  importKind(at: number): number {
    return this.word(this.word(2) + IMPORT_WORDS * at);
  }

  /** The position of the imported function of an index. */
  importOfFunction(index: number): number {
    let at = 0;
    for (let left = index; ; at++) if (this.importKind(at) === FUNCTION && left-- === 0) return at;
  }

  functionTypeIndex(index: number): number {
    return this.word(this.word(4) + index);
  }

  parameterCount(functionIndex: number): number {
    return this.word(this.word(this.word(0) + this.functionTypeIndex(functionIndex)));
  }

  private limits(at: number): Limits {
    const flags = this.word(at);
    return {
      min: this.word(at + 1) + this.word(at + 2) * 2 ** 32,
      max: flags & 1 ? this.word(at + 3) + this.word(at + 4) * 2 ** 32 : undefined,
      shared: (flags & 2) !== 0,
      is64: (flags & 4) !== 0,
    };
  }

  table(index: number): TableType {
    const at = this.word(6) + TABLE_WORDS * index;
    return { element: this.word(at) as ValueType, ...this.limits(at + 1) };
  }

  memory(index: number): Limits {
    return this.limits(this.word(8) + MEMORY_WORDS * index);
  }

  global(index: number): GlobalType {
    const at = this.word(10) + 2 * index;
    return { type: this.word(at) as ValueType, mutable: this.word(at + 1) === 1 };
  }

  tagType(index: number): FunctionType {
    return this.type(this.word(this.word(12) + index));
  }

  get imports(): readonly ImportEntry[] {
    if (this.importEntries !== undefined) return this.importEntries;
    const entries: ImportEntry[] = [];
    const count = this.word(3);
    let at = this.word(2);
    let name = 0;
    for (let i = 0; i < count; i++, at += IMPORT_WORDS) {
      const middle = name + this.word(at + 1);
      const end = middle + this.word(at + 2);
      entries.push({
        module: this.names.slice(name, middle),
        name: this.names.slice(middle, end),
        kind: KINDS[this.word(at)] as Kind,
      });
      name = end;
    }
    this.importEntries = entries;
    return entries;
  }

  get exportNames(): readonly string[] {
    this.knownNames ??= this.readExportNames();
    return this.knownNames;
  }

  /** EXPORT_WORDS for each: kind, index, length of the name, place. */
  get exportWords(): Uint32Array {
    const at = this.word(14);
    return this.words.subarray(at, at + EXPORT_WORDS * this.exportCount);
  }

  private readExportNames(): string[] {
    const names: string[] = [];
    const { words, names: all, exportCount } = this;
    let from = this.word(16);
    for (let at = this.word(14) + 2; names.length < exportCount; at += EXPORT_WORDS) {
      const end = from + (words[at] as number);
      names.push(all.slice(from, end));
      from = end;
    }
    return names;
  }

  /** In order. `place` is where the image has a function among those that pointers lead to; negative: imported. */
  forEachExport(visit: (name: string, kind: number, index: number, place: number) => void): void {
    let at = this.word(14);
    for (const name of this.exportNames) {
      visit(name, this.word(at), this.word(at + 1), this.word(at + 3) | 0);
      at += EXPORT_WORDS;
    }
  }

  get exports(): ExportEntry[] {
    const entries: ExportEntry[] = [];
    this.forEachExport((name, kind) => {
      entries.push({ name, kind: KINDS[kind] as Kind });
    });
    return entries;
  }
}

/** Equal for equal types. */
export const typeName = ({ params, results }: FunctionType): string => `${params.join()}>${results.join()}`;
