// WebAssembly.Table over a table of compiled code (JS API 5.5).
import { type Handle, wasm } from '../../loader/wasm.ts';
import { u32 } from './boundary.ts';
import { putValue, takeValue } from './function.ts';
import { functionAtSlot, typeOfFunction } from './function-reference.ts';
import { indexOption, toIndex } from './index-value.ts';
import { asV8Function } from './link-check.ts';
import * as Type from './shape.ts';
import type { TableType } from './shape.ts';
import { V8 } from './v8.ts';
import type * as V8Type from './v8.ts';

const MAX_SIZE = 10_000_000;

/** What V8 has of a table. */
interface Twin {
  readonly length: number;
  get(index: number): unknown;
  set(index: number, value: unknown): void;
  grow(count: number, value: unknown): number;
}

/** A table of compiled code, whoever owns it; or V8's, from when a module of V8 was first linked to it. */
export class TableState {
  readonly address: number;
  /** Compiled code uses it: it cannot become V8's any more. */
  linked = false;
  private twin: Twin | undefined;
  readonly type: TableType;
  /** Keeps the address good, and everything that elements may refer to. */
  readonly keeps: Set<object>;

  constructor(address: number, type: TableType, owner: object) {
    this.address = address;
    this.type = type;
    this.keeps = new Set([owner]);
  }

  get functions(): boolean {
    return this.type.element === Type.FUNCREF;
  }
  /** Hands the table over to V8. Null where compiled code has it. */
  toV8(): object | null {
    if (this.twin !== undefined) return this.twin;
    if (this.linked) return null;
    const { element, max } = this.type;
    const descriptor = { element: this.functions ? 'anyfunc' : 'externref', initial: this.size };
    const twin = new V8.Table(max === undefined ? descriptor : { ...descriptor, maximum: max }) as Twin;
    for (let index = 0; index < twin.length; index++) twin.set(index, toV8Value(element, this.get(index)));
    this.twin = twin;
    return twin;
  }

  private slotValue(): unknown {
    return toV8Value(this.type.element, takeValue(this.type.element, 0, functionAtSlot));
  }

  private growTwin(twin: Twin, count: number): number {
    try {
      return twin.grow(count, this.slotValue());
    } catch {
      return -1;
    }
  }

  get isV8(): boolean {
    return this.twin !== undefined;
  }

  get size(): number {
    if (this.twin !== undefined) return this.twin.length;
    return wasm.wasmTableSize(this.address);
  }
  get(index: number): unknown {
    if (this.twin !== undefined) return this.twin.get(index);
    wasm.wasmTableGet(this.address, this.functions, index);
    return takeValue(this.type.element, 0, functionAtSlot);
  }
  /** The value stands in the slots. */
  set(index: number): void {
    if (this.twin !== undefined) return this.twin.set(index, this.slotValue());
    wasm.wasmTableSet(this.address, this.functions, index);
  }
  grow(count: number): number {
    if (this.twin !== undefined) return this.growTwin(this.twin, count);
    return wasm.wasmTableGrow(this.address, this.functions, count);
  }
}

/** Functions of compiled code are no functions of V8: one that calls them stands for them there. */
function toV8Value(element: Type.ValueType, value: unknown): unknown {
  const type = element === Type.FUNCREF && value !== null ? typeOfFunction(value as object) : undefined;
  return type === undefined ? value : asV8Function(type, value);
}

const states = new WeakMap<Table, TableState>();
const faces = new WeakMap<TableState, Table>();

export const tableState = (value: unknown): TableState | undefined => states.get(value as Table);

/** The one Table for a state. */
export function tableFor(state: TableState): Table {
  let face = faces.get(state);
  if (face === undefined) {
    face = Object.create(Table.prototype) as Table;
    adopt(face, state);
  }
  return face;
}

function adopt(face: Table, state: TableState): void {
  states.set(face, state);
  faces.set(state, face);
}

function state(face: unknown, method: string): TableState {
  const known = states.get(face as Table);
  if (known === undefined) throw new TypeError(`WebAssembly.Table.${method}: Receiver is not a WebAssembly.Table`);
  return known;
}

const ELEMENTS: Record<string, Type.ValueType> = { anyfunc: Type.FUNCREF, externref: Type.EXTERNREF };

function put(element: Type.ValueType, args: unknown[], index: number, text: string): void {
  const value = index < args.length && args[index] !== undefined ? args[index] : defaultOf(element, args, index);
  try {
    putValue(element, 0, value);
  } catch (error) {
    if (element !== Type.FUNCREF || !(error instanceof TypeError)) throw error;
    throw new TypeError(text);
  }
}

function defaultOf(element: Type.ValueType, args: unknown[], index: number): unknown {
  return element === Type.FUNCREF || index < args.length ? (element === Type.FUNCREF ? null : undefined) : undefined;
}

export class Table {
  constructor(...args: [V8Type.TableDescriptor, unknown?]) {
    const [descriptor] = args;
    const text = 'WebAssembly.Table()';
    if (descriptor === null || (typeof descriptor !== 'object' && typeof descriptor !== 'function'))
      throw new TypeError(`${text}: Argument 0 must be a table descriptor`);
    const element = ELEMENTS[String(descriptor.element)];
    if (element === undefined)
      throw new TypeError(`${text}: Descriptor property 'element' must be a WebAssembly reference type`);
    const initial = indexOption(descriptor, 'initial', text, 0, MAX_SIZE);
    if (initial === undefined) throw new TypeError(`${text}: Property 'initial' is required`);
    const maximum = indexOption(descriptor, 'maximum', text, initial, 2 ** 32 - 1);
    const type: TableType = { element, min: initial, max: maximum, shared: false, is64: false };
    put(element, args, 1, `${text}: Argument 1 must be undefined or a value of type compatible with the table.`);
    const value = u32.slice(0, 8);
    const owned: [Handle, number] = wasm.wasmTable(element === Type.FUNCREF, 0, maximum ?? 2 ** 32 - 1);
    const made = new TableState(owned[1], type, owned[0]);
    u32.set(value, 0);
    made.grow(initial);
    adopt(this, made);
    keepFunction(made, args[1]);
  }

  get length(): number {
    return state(this, 'length').size;
  }

  get(index: number): unknown {
    const table = state(this, 'get()');
    const at = toIndex(index, 'WebAssembly.Table.get(): Argument 0');
    if (at >= table.size) throw outOfRange('get', at, table);
    return table.get(at);
  }

  set(...args: [index: number, value?: unknown]): void {
    const table = state(this, 'set()');
    const at = toIndex(args[0], 'WebAssembly.Table.set(): Argument 0');
    if (at >= table.size) throw outOfRange('set', at, table);
    put(
      table.type.element,
      args,
      1,
      `WebAssembly.Table.set(): Argument 1 is invalid for table: function-typed object expected`,
    );
    table.set(at);
    keepFunction(table, args[1]);
  }

  grow(...args: [count: number, value?: unknown]): number {
    const table = state(this, 'grow()');
    const count = toIndex(args[0], 'WebAssembly.Table.grow(): Argument 0');
    put(
      table.type.element,
      args,
      1,
      `WebAssembly.Table.grow(): Argument 1 is invalid: function-typed object expected`,
    );
    const old = table.grow(count);
    if (old < 0) throw new RangeError(`WebAssembly.Table.grow(): failed to grow table by ${count}`);
    keepFunction(table, args[1]);
    return old;
  }

  get [Symbol.toStringTag](): string {
    return 'WebAssembly.Table';
  }
}

function keepFunction(table: TableState, value: unknown): void {
  if (table.functions && typeof value === 'function') table.keeps.add(value);
}

function outOfRange(method: string, at: number, table: TableState): RangeError {
  const type = table.functions ? 'funcref' : 'externref';
  return new RangeError(`WebAssembly.Table.${method}(): invalid address ${at} in ${type} table of size ${table.size}`);
}
