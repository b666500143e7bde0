// Instantiation of a compiled module (JS API 5.2: instantiate the core of a WebAssembly module).
import { type Handle, wasm } from '../../loader/wasm.ts';
import { engaged, startAccelerator } from './accelerator.ts';
import { forgetTag, i32, onImportCalled, raise, STATUS_32, throwToCompiled } from './boundary.ts';
import type { ExportMaker } from './export-source.ts';
import { type AnyFunction, type Callee, dispatcherOf, exportedFunction, generalCallOf } from './function.ts';
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
import { createMemory, MemoryState, NO_MEMORY, stateOf, type Watched } from './memory.ts';
import type { ImportReads } from './reads.ts';
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

const linkedAt = (instance: number): LinkedInstance => ownerOf(instance) as LinkedInstance;

onImportCalled((instance, index) => linkedAt(instance).bind(index));
startAccelerator({
  raise,
  throwToCompiled,
  callGeneral: (owner, index, place, args) => (owner as LinkedInstance).callGeneral(index, place, args),
  otherExport: (owner, kind, index) => (owner as LinkedInstance).exportOf(kind, index),
  refresh: (instance) => linkedAt(instance).refresh(),
  target: (instance, index) => linkedAt(instance).directTarget(index),
});

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
  private foreign: Set<number> | null = null;
  private registered = false;
  /** What it imports: that is kept for as long as itself, and so is what compiled code calls for functions. */
  private readonly imported: unknown[];
  private readonly dispatchers: (() => void)[] = [];
  /** Of functions with values that are no numbers. */
  private general: Map<number, (args: unknown[]) => unknown> | null = null;
  /** As accelerator.ts has it. */
  private watchedMemory = 0;
  private ownExports: V8Type.Exports | null = null;
  /** What compiled code of this instance refers to without JavaScript's knowing. */
  private readonly keeps = new Set<object>();
  private readonly handle: Handle;
  readonly instance: number;

  private readonly hasStart: boolean;

  /** Links and initializes; the start function has not run. */
  constructor(image: CompiledImage, reads: ImportReads) {
    this.image = image;
    this.shape = image.shape;
    this.imported = reads.values;
    const links = this.link(reads);
    const { functions, tables, memories, globals, tags } = links;
    const isCopy = image.place === 'copy';
    const made = wasm.wasmInstance(image.handle, functions, tables, memories, globals, tags, isCopy);
    this.handle = made[0];
    this.instance = made[1];
    this.hasStart = made[2];
    this.keeps.add(this.handle);
    registerOwner(this);
    this.forgetTags();
    if (i32[STATUS_32] !== 0) raise();
  }

  typeOf(index: number): FunctionType {
    return this.shape.type(this.shape.functionTypeIndex(index));
  }

  /** At the first call of an imported function. */
  bind(index: number): () => void {
    const dispatcher = dispatcherOf(this, index, this.targetOf(index));
    this.dispatchers.push(dispatcher);
    return dispatcher;
  }

  private targetOf(index: number): AnyFunction {
    return this.imported[this.shape.importOfFunction(index)] as AnyFunction;
  }

  /** What the accelerator may call by itself. */
  directTarget(index: number): AnyFunction | undefined {
    // One without a memory of its own may call compiled code that has one, which JavaScript makes larger meanwhile.
    const isForeign = this.watchedMemory > 0 && this.shape.memoryCount === 0;
    return this.watchedMemory < 0 || isForeign ? undefined : this.targetOf(index);
  }

  callGeneral(index: number, place: number, args: unknown[]): unknown {
    this.general ??= new Map();
    let call = this.general.get(index);
    if (call === undefined) {
      call = generalCallOf(this, index, place);
      this.general.set(index, call);
    }
    return call(args);
  }

  refresh(): void {
    for (const memory of this.memories) memory.refresh();
  }

  // ---- imports

  private link({ special, values }: ImportReads) {
    const links: Links = { functions: [], tables: [], memories: [], globals: [], tags: [] };
    const { shape, linear } = this;
    for (let i = 0; i < special.length; i += 2) {
      const at = special[i] as number;
      this.linkOne(shape.importKind(at), at, special[i + 1] as number, values[at], links);
    }
    for (let i = linear.length; i < shape.memoryCount; i++) linear.push(createMemory(shape.memory(i)));
    for (const state of linear) {
      if (!state.guarded && !state.is64)
        throw new NeedsV8('needs memories with guard pages, which V8 gives none here');
      this.watch(state);
      links.memories.push(state.address);
    }
    if (this.memories.length === 0) this.memories.push(NO_MEMORY);
    this.watchedMemory = watchedOf(this.memories);
    return links;
  }

  private linkOne(kind: number, at: number, index: number, value: unknown, links: Links): void {
    if (kind === FUNCTION) {
      const address = this.linkFunction(at, index, value);
      if (address !== 0) links.functions.push(index, address);
    } else if (kind === TABLE) links.tables.push(this.linkTable(at, index, value));
    else if (kind === MEMORY) this.linkMemory(at, value);
    else if (kind === GLOBAL) links.globals.push(this.linkGlobal(at, index, value));
    else links.tags.push(this.linkTag(at, index, value));
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
    return 0;
  }

  private passOn(index: number, value: AnyFunction): void {
    this.functions.set(index, value);
    this.foreign ??= new Set();
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
    const { limits } = state;
    if (wanted.max === undefined || (limits?.max !== undefined && limits.max <= wanted.max)) return;
    const text = limits === undefined ? checkMemory(wanted, state.memory) : excess(limits, wanted.max);
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
    if (this.ownExports !== null) this.findExported(this.ownExports);
    const at = this.maker?.at.get(index);
    return at === undefined ? this.functions.get(index) : this.made[at];
  }

  /** What the accelerator made is known by its name alone until somebody asks. */
  private findExported(exports: V8Type.Exports): void {
    this.ownExports = null;
    this.shape.forEachExport((name, kind, index) => {
      if (kind === FUNCTION) this.functions.set(index, exports[name] as AnyFunction);
    });
  }

  private placeOf(index: number): number {
    return wasm.wasmPlaceOf(this.instance, index);
  }

  private makeFunction(index: number, place: number): AnyFunction {
    return this.knownFunction(index) ?? this.newFunction(index, place);
  }

  exportOf(kind: number, index: number): unknown {
    if (kind === FUNCTION) return this.functionAt(index);
    if (kind === MEMORY) return (this.linear[index] as MemoryState).memory;
    if (kind === TABLE) return tableFor(this.tableAt(index));
    return kind === GLOBAL ? globalFor(this.globalAt(index)) : this.tagAt(index);
  }

  private newFunction(index: number, place: number): AnyFunction {
    const { accelerator } = engaged;
    const made =
      accelerator === null
        ? exportedFunction(this, index, place)
        : accelerator.makeFunction(this.instance, this, this.watchedMemory, index, place);
    this.functions.set(index, made);
    if (this.registered) registerFunction(made, { owner: this, index, place });
    return made;
  }

  registerFunctions(): void {
    this.registered = true;
    if (this.ownExports !== null) this.findExported(this.ownExports);
    for (const [index, at] of this.maker?.at ?? [])
      registerFunction(this.made[at] as AnyFunction, { owner: this, index, place: this.placeOf(index) });
    for (const [index, made] of this.functions)
      if (!this.foreign?.has(index))
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
    const { accelerator } = engaged;
    if (accelerator === null) return this.exportsOfScript();
    const exports = accelerator.makeExports(this.instance, this, this.watchedMemory);
    this.ownExports = exports;
    return exports;
  }

  private exportsOfScript(): V8Type.Exports {
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
    if (!this.hasStart) return;
    wasm.wasmStart(this.instance);
    if (i32[STATUS_32] !== 0) raise();
  }
}

interface Links {
  functions: number[];
  tables: number[];
  memories: number[];
  globals: number[];
  tags: number[];
}

/** As accelerator.ts has it. */
function watchedOf([memory, ...others]: readonly Watched[]): number {
  if (others.length > 0) return -1;
  if (!(memory instanceof MemoryState)) return 0;
  return memory.guarded && !memory.shared && !memory.is64 ? memory.address : -1;
}

const excess = ({ max }: Limits, wanted: number): string =>
  max === undefined
    ? `memory import has no maximum limit, expected at most ${wanted}`
    : `memory import has a larger maximum size ${max} than the module's declared maximum ${wanted}`;

function sameType(a: FunctionType, b: FunctionType): boolean {
  return (
    a.params.length === b.params.length &&
    a.results.length === b.results.length &&
    a.params.every((type, index) => type === b.params[index]) &&
    a.results.every((type, index) => type === b.results[index])
  );
}
