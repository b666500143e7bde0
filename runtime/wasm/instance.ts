// Instantiation of a compiled module (JS API 5.2: instantiate the core of a WebAssembly module).
import { type Handle, wasm } from '../../loader/wasm.ts';
import { forgetTag, i32, onImportCalled, raise, STATUS_32 } from './boundary.ts';
import type { ExportMaker } from './export-source.ts';
import { type AnyFunction, type Callee, dispatcherOf, exportedFunction } from './function.ts';
import {
  type FunctionOwner,
  originOf,
  ownerOf,
  registerFunction,
  registerOwner,
} from './function-reference.ts';
import { type GlobalState, GlobalState as GlobalStateClass, globalFor, globalState } from './global.ts';
import type { CompiledImage } from './image.ts';
import { putImmutable } from './immutable-import.ts';
import { checkFunction, checkMemory, checkTag } from './link-check.ts';
import { createMemory, type MemoryState, NO_MEMORY, stateOf, type Watched } from './memory.ts';
import {
  EXPORT_WORDS,
  FUNCTION,
  type FunctionType,
  GLOBAL,
  type Limits,
  MEMORY,
  type Shape,
  TABLE,
} from './shape.ts';
import { type TableState, TableState as TableStateClass, tableFor, tableState } from './table.ts';
import { tagAddress, tagFor } from './tag.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';
import { isV8Function } from './v8-function.ts';

/** What an import is not; the caller words it as V8 does. */
export class ImportMismatch extends Error {
  readonly index: number;
  /** Of address types: a V8 that has but one of them sees no difference. */
  readonly beyondV8: boolean;
  constructor(index: number, text: string, beyondV8 = false) {
    super(text);
    this.index = index;
    this.beyondV8 = beyondV8;
  }
}

onImportCalled((instance, index) => (ownerOf(instance) as LinkedInstance).bind(index));

/** Something that only V8 can link. */
export class NeedsV8 extends Error {}

/** An instance of compiled code. */
export class LinkedInstance implements Callee, FunctionOwner {
  readonly image: CompiledImage;
  readonly shape: Shape;
  memories: Watched[] = [];
  private readonly linear: MemoryState[] = [];
  private readonly tables: TableState[] = [];
  private readonly globals: GlobalState[] = [];
  private readonly functions = new Map<number, AnyFunction>();
  /** Those that were made all at once. */
  private maker: ExportMaker | null = null;
  private made: AnyFunction[] = [];
  /** Imported functions that are somebody's exported ones: they are exported as themselves. */
  private readonly foreign = new Set<number>();
  private registered = false;
  /** Functions of JavaScript that it imports, and what compiled code calls for them. */
  private readonly targets: (AnyFunction | undefined)[] = [];
  private readonly dispatchers: (() => void)[] = [];
  /** What compiled code of this instance refers to without JavaScript's knowing. */
  private readonly keeps = new Set<object>();
  private readonly handle: Handle;
  readonly instance: number;

  /** Links and initializes; the start function has not run. */
  constructor(image: CompiledImage, imports: unknown[]) {
    this.image = image;
    this.shape = image.shape;
    const links = this.link(imports);
    [this.handle, this.instance] = wasm.wasmInstance(
      image.handle,
      links.functions,
      links.tables,
      links.memories,
      links.globals,
      links.tags,
      image.place === 'copy',
    );
    this.keeps.add(this.handle);
    registerOwner(this);
    this.forgetTags();
    wasm.wasmInitialize(this.instance);
    if (i32[STATUS_32] !== 0) raise();
  }

  typeOf(index: number): FunctionType {
    return this.shape.type(this.shape.functionTypeIndex(index));
  }

  /** At the first call of an imported function. */
  bind(index: number): () => void {
    const dispatcher = dispatcherOf(this, index, this.targets[index] as AnyFunction);
    this.dispatchers.push(dispatcher);
    return dispatcher;
  }

  // ---- imports

  private link(imports: unknown[]) {
    const functions: number[] = [];
    const tables: number[] = [];
    const globals: number[] = [];
    const tags: number[] = [];
    const { shape } = this;
    shape.imports.forEach(({ kind }, index) => {
      const value = imports[index];
      if (kind === 'function') functions.push(this.linkFunction(index, functions.length, value));
      else if (kind === 'table') tables.push(this.linkTable(index, tables.length, value));
      else if (kind === 'memory') this.linkMemory(index, value);
      else if (kind === 'global') globals.push(this.linkGlobal(index, globals.length, value));
      else tags.push(this.linkTag(index, tags.length, value));
    });
    for (let i = this.linear.length; i < shape.memoryCount; i++)
      this.linear.push(createMemory(shape.memory(i)));
    for (const state of this.linear) {
      if (!state.guarded && !state.is64)
        throw new NeedsV8('needs memories with guard pages, which V8 gives none here');
      this.watch(state);
    }
    if (this.memories.length === 0) this.memories.push(NO_MEMORY);
    return { functions, tables, globals, tags, memories: this.linear.map(({ address }) => address) };
  }

  private watch(memory: Watched): void {
    if (!this.memories.includes(memory)) this.memories.push(memory);
  }

  private linkFunction(at: number, index: number, value: unknown): number {
    if (typeof value !== 'function') throw new ImportMismatch(at, 'function import requires a callable');
    const origin = originOf(value);
    if (origin !== undefined) {
      const owner = origin.owner as LinkedInstance;
      if (!sameType(owner.typeOf(origin.index), this.typeOf(index)))
        throw new ImportMismatch(at, 'imported function does not match the expected type');
      this.passOn(index, value as AnyFunction);
      this.keep(owner);
      // References may go both ways.
      owner.keep(this);
      for (const memory of owner.memories) if (memory !== NO_MEMORY) this.watch(memory);
      return wasm.wasmRecord(owner.instance, origin.place, owner.shape.functionTypeIndex(origin.index));
    }
    if (isV8Function(value)) {
      const wrong = checkFunction(this.typeOf(index), value);
      if (wrong !== null) throw new ImportMismatch(at, wrong);
      this.passOn(index, value);
    }
    this.targets[index] = value as AnyFunction;
    return 0;
  }

  private passOn(index: number, value: AnyFunction): void {
    this.functions.set(index, value);
    this.foreign.add(index);
  }

  private linkTable(at: number, index: number, value: unknown): number {
    const state = tableState(value);
    if (state === undefined) {
      if (value instanceof V8.Table) throw new NeedsV8('imports a table of V8');
      throw new ImportMismatch(at, 'table import requires a WebAssembly.Table');
    }
    if (state.isV8) throw new NeedsV8('imports a table that a module of V8 uses');
    state.linked = true;
    const wanted = this.shape.table(index);
    const { size } = state;
    if (size < wanted.min)
      throw new ImportMismatch(
        at,
        `table import has ${size}, which is below the required minimum of ${wanted.min}`,
      );
    if (wanted.max !== undefined && (state.type.max === undefined || state.type.max > wanted.max))
      throw new ImportMismatch(
        at,
        `table import has a larger maximum size than the module's declared maximum`,
      );
    if (state.type.is64 !== wanted.is64)
      throw new ImportMismatch(at, 'imported table does not match the expected type', true);
    if (state.type.element !== wanted.element)
      throw new ImportMismatch(at, 'imported table does not match the expected type');
    this.tables[index] = state;
    this.keeps.add(state);
    state.keeps.add(this);
    return state.address;
  }

  private linkMemory(at: number, value: unknown): void {
    if (!(value instanceof V8.Memory))
      throw new ImportMismatch(at, 'memory import must be a WebAssembly.Memory object');
    const wanted = this.shape.memory(this.linear.length);
    const state = stateOf(value);
    const pages = state.size / 65536;
    if (pages < wanted.min)
      throw new ImportMismatch(
        at,
        `memory import has ${pages} pages which is smaller than the declared initial of ${wanted.min}`,
      );
    if (state.shared !== wanted.shared) throw new ImportMismatch(at, 'mismatch in shared state of memory');
    if (state.is64 !== wanted.is64)
      throw new ImportMismatch(at, 'memory import has a different address type', true);
    this.checkMaximum(at, state, wanted);
    this.linear.push(state);
    this.keeps.add(state);
  }

  /** A maximum that is not known here, of a memory of the program's own making, is V8's to judge. */
  private checkMaximum(at: number, state: MemoryState, wanted: Limits): void {
    if (wanted.max === undefined) return;
    const text =
      state.limits === undefined ? checkMemory(wanted, state.memory) : exceeds(state.limits, wanted.max);
    if (text !== null) throw new ImportMismatch(at, text);
  }

  private linkGlobal(at: number, index: number, value: unknown): number {
    const wanted = this.shape.global(index);
    const state = globalState(value);
    if (state !== undefined) {
      if (state.isV8) throw new NeedsV8('imports a global that a module of V8 uses');
      state.linked = true;
      if (state.type.mutable !== wanted.mutable)
        throw new ImportMismatch(at, 'imported global does not match the expected mutability');
      if (state.type.type !== wanted.type)
        throw new ImportMismatch(at, 'imported global does not match the expected type');
      this.globals[index] = state;
      this.keeps.add(state);
      state.keeps.add(this);
      return state.address;
    }
    if (value instanceof V8.Global) throw new NeedsV8('imports a global of V8');
    if (wanted.mutable)
      throw new ImportMismatch(at, 'imported mutable global must be a WebAssembly.Global object');
    const made = putImmutable(wanted, value);
    if (typeof made === 'string') throw new ImportMismatch(at, made);
    this.globals[index] = made;
    this.keeps.add(made);
    return made.address;
  }

  private linkTag(at: number, index: number, value: unknown): number {
    if (!(value instanceof V8.Tag)) throw new ImportMismatch(at, 'tag import requires a WebAssembly.Tag');
    this.keeps.add(value);
    const { params } = this.shape.tagType(index);
    const wrong = checkTag(params, value);
    if (wrong !== null) throw new ImportMismatch(at, wrong);
    return tagAddress(value, params);
  }

  /** Knows the tag that stands at an address in this instance. */
  findTag(address: number): boolean {
    for (let index = 0; index < this.shape.tagCount; index++) {
      if (wasm.wasmTagOf(this.instance, index) !== address) continue;
      this.tagAt(index);
      return true;
    }
    return false;
  }

  /** Its tags may stand where those of an instance stood that is gone. */
  private forgetTags(): void {
    if (this.shape.tagCount === 0) return;
    const imported = this.shape.imports.filter(({ kind }) => kind === 'tag').length;
    for (let index = imported; index < this.shape.tagCount; index++)
      forgetTag(wasm.wasmTagOf(this.instance, index));
  }

  keep(other: object): void {
    this.keeps.add(other);
  }

  // ---- exports

  functionAt(index: number): AnyFunction {
    return this.knownFunction(index) ?? this.makeFunction(index, this.placeOf(index));
  }

  private knownFunction(index: number): AnyFunction | undefined {
    if (this.maker === null) return this.functions.get(index);
    const at = this.maker.at.get(index);
    return at === undefined ? this.functions.get(index) : this.made[at];
  }

  private placeOf(index: number): number {
    return wasm.wasmPlaceOf(this.instance, index);
  }

  private makeFunction(index: number, place: number): AnyFunction {
    return this.knownFunction(index) ?? this.newFunction(index, place);
  }

  private exportOf(kind: number, index: number): unknown {
    if (kind === MEMORY) return (this.linear[index] as MemoryState).memory;
    if (kind === TABLE) return tableFor(this.tableAt(index));
    return kind === GLOBAL ? globalFor(this.globalAt(index)) : this.tagAt(index);
  }

  private newFunction(index: number, place: number): AnyFunction {
    const made = exportedFunction(this, index, place);
    this.functions.set(index, made);
    if (this.registered) registerFunction(made, { owner: this, index, place });
    return made;
  }

  registerFunctions(): void {
    this.registered = true;
    for (const [index, at] of this.maker?.at ?? [])
      registerFunction(this.made[at] as AnyFunction, { owner: this, index, place: this.placeOf(index) });
    for (const [index, made] of this.functions)
      if (!this.foreign.has(index))
        registerFunction(made, { owner: this, index, place: this.placeOf(index) });
  }

  private tableAt(index: number): TableState {
    let state = this.tables[index];
    if (state === undefined) {
      const type = this.shape.table(index);
      state = new TableStateClass(wasm.wasmTableOf(this.instance, index), type, this);
      state.linked = true;
      this.tables[index] = state;
    }
    return state;
  }

  private globalAt(index: number): GlobalState {
    let state = this.globals[index];
    if (state === undefined) {
      const type = this.shape.global(index);
      state = new GlobalStateClass(wasm.wasmGlobalOf(this.instance, index), type, this);
      state.linked = true;
      this.globals[index] = state;
    }
    return state;
  }

  private tagAt(index: number): V8Type.Tag {
    const { params } = this.shape.tagType(index);
    const tag = tagFor(wasm.wasmTagOf(this.instance, index), params, this);
    this.keeps.add(tag);
    return tag;
  }

  exports(): V8Type.Exports {
    const object: Record<string, unknown> = Object.create(null);
    this.maker = this.image.exportMaker();
    if (this.maker !== null) this.made = this.maker.make(this);
    // Mostly run once in a process, so not compiled: what counts here is the number of steps.
    const { exportNames, exportWords } = this.shape;
    for (let i = 0, at = 0; i < exportNames.length; i++, at += EXPORT_WORDS) {
      const kind = exportWords[at];
      const index = exportWords[at + 1] as number;
      object[exportNames[i] as string] =
        kind === FUNCTION
          ? (this.knownFunction(index) ?? this.newFunction(index, (exportWords[at + 3] as number) | 0))
          : this.exportOf(kind as number, index);
    }
    return Object.freeze(object) as V8Type.Exports;
  }

  /** Runs the start function, where there is one. */
  start(): void {
    wasm.wasmStart(this.instance);
    if (i32[STATUS_32] !== 0) raise();
  }
}

function exceeds({ max }: Limits, wanted: number): string | null {
  if (max === undefined) return `memory import has no maximum limit, expected at most ${wanted}`;
  return max > wanted
    ? `memory import has a larger maximum size ${max} than the module's declared maximum ${wanted}`
    : null;
}

function sameType(a: FunctionType, b: FunctionType): boolean {
  return (
    a.params.length === b.params.length &&
    a.results.length === b.results.length &&
    a.params.every((type, index) => type === b.params[index]) &&
    a.results.every((type, index) => type === b.results[index])
  );
}
