// What decode.ts reads out of a WebAssembly binary module, and validate.ts, body/ and describe.ts work with. Names
// and structure are those of the core specification, 2 (Structure). Function bodies and expressions stay bytes.

/** As encoded (core specification 5.3). */
export const ValueType = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
  funcref: 0x70,
  externref: 0x6f,
  exnref: 0x69,
} as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];
export type ReferenceType = typeof ValueType.funcref | typeof ValueType.externref | typeof ValueType.exnref;

export interface FunctionType {
  params: ValueType[];
  results: ValueType[];
}

export interface Limits {
  /** Pages of a memory, elements of a table. As far as they fit a double exactly; larger ones are invalid anyway. */
  min: number;
  max?: number;
  shared: boolean;
  /** Addressed by i64 (memory64, table64). */
  is64: boolean;
}

/** A page is 65536 bytes: custom page sizes are refused. */
export type MemoryType = Limits;

export interface TableType extends Limits {
  element: ReferenceType;
}

export interface GlobalType {
  type: ValueType;
  mutable: boolean;
}

export type ExternalKind = 'function' | 'table' | 'memory' | 'global' | 'tag';

/** A piece of the module's bytes: [start, end). */
export interface Span {
  start: number;
  end: number;
}

export type Import = { module: string; name: string } & (
  | { kind: 'function'; typeIndex: number }
  | { kind: 'table'; type: TableType }
  | { kind: 'memory'; type: MemoryType }
  | { kind: 'global'; type: GlobalType }
  | { kind: 'tag'; typeIndex: number }
);

export interface Export {
  name: string;
  kind: ExternalKind;
  index: number;
}

/** A constant expression with its `end`. */
export type Expression = Span;

export interface Table {
  type: TableType;
  /** What its elements begin as; without one, null. */
  init?: Expression;
}

export interface Global {
  type: GlobalType;
  init: Expression;
}

export interface FunctionBody {
  /** Runs of locals as encoded; parameters are not among them. */
  locals: { count: number; type: ValueType }[];
  /** Instructions, with the last `end`. */
  code: Span;
}

export type SegmentMode =
  | { kind: 'passive' }
  | { kind: 'declarative' } // element segments only
  | { kind: 'active'; index: number; offset: Expression };

export interface ElementSegment {
  type: ReferenceType;
  mode: SegmentMode;
  /** Function indices, or one expression an element. */
  elements: { functions: number[] } | { expressions: Expression[] };
}

export interface DataSegment {
  mode: SegmentMode;
  bytes: Span;
}

export interface CustomSection {
  name: string;
  bytes: Span;
}

export interface Module {
  bytes: Uint8Array;
  types: FunctionType[];
  imports: Import[];
  // Index spaces: the imported ones first, then the module's own.
  functions: { typeIndex: number }[];
  tables: Table[];
  memories: MemoryType[];
  globals: { type: GlobalType; init?: Expression }[];
  tags: { typeIndex: number }[];
  exports: Export[];
  start?: number;
  elements: ElementSegment[];
  data: DataSegment[];
  /** The data count section, where there is one. */
  dataCount?: number;
  /** Of the module's own functions, in order. */
  bodies: FunctionBody[];
  customs: CustomSection[];
  /** How many of each index space are imported. */
  imported: { functions: number; tables: number; memories: number; globals: number; tags: number };
}

/** Malformed or invalid: what JavaScript's CompileError tells. `offset` is the place in the module in bytes. */
export class ModuleError extends Error {
  override readonly name = 'ModuleError';
  readonly offset: number;
  constructor(text: string, offset: number) {
    super(`${text} @+${offset}`);
    this.offset = offset;
  }
}

/** A feature that is not compiled ahead of time: V8 runs such a module, and the report names the feature. */
export class UnsupportedFeature extends Error {
  override readonly name = 'UnsupportedFeature';
  readonly feature: string;
  readonly offset: number;
  constructor(feature: string, offset: number) {
    super(`uses ${feature}`);
    this.feature = feature;
    this.offset = offset;
  }
}
