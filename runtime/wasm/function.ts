// Functions across the boundary: exported ones as functions of JavaScript, and those of JavaScript for compiled code.
// Arguments are converted in order (ToWebAssemblyValue, JS API 5.7) before any of them is stored, because a conversion
// can run a program that uses the slots itself.
import type { ImageHandle } from '../../loader/native.ts';
import { type Handle, wasm } from '../../loader/wasm.ts';
import {
  f32,
  f64,
  i32,
  i64,
  putReference,
  RECORD,
  raise,
  referenced,
  STATUS_32,
  throwToCompiled,
  u32,
  wasmCall,
} from './boundary.ts';
import { takeFunction, type FunctionWords } from './function-reference.ts';
import type { Watched } from './memory.ts';
import * as Type from './shape.ts';
import type { FunctionType, ValueType } from './shape.ts';

/** What functions of an instance need of it. */
export interface Callee {
  /** Address of the instance. */
  instance: number;
  /** Whose size may have changed while JavaScript ran. */
  memories: Watched[];
}

type AnyFunction = (...args: never[]) => unknown;
type Slots = Int32Array | Float32Array | Float64Array;

/** The view that a number of that type is stored through, and how many of its elements a slot has; null for others. */
function numberView(type: ValueType): { view: Slots; scale: number } | null {
  if (type === Type.I32) return { view: i32, scale: 2 };
  if (type === Type.F64) return { view: f64, scale: 1 };
  return type === Type.F32 ? { view: f32, scale: 2 } : null;
}

// ---- values

/** A value of JavaScript as it will be stored: converted, with all that can be seen of that. */
function convert(type: ValueType, value: unknown): unknown {
  switch (type) {
    case Type.I32:
    case Type.F32:
    case Type.F64:
      return +(value as number);
    case Type.I64:
      // The store converts; a conversion has to be over before the first store.
      return typeof value === 'bigint' ? value : toBigInt(value);
    case Type.FUNCREF:
      return value === null ? null : takeFunction(value);
    case Type.EXTERNREF:
      return value;
    default:
      throw new TypeError('type incompatibility when transforming from/to JS');
  }
}

const scratch = new BigInt64Array(1);

function toBigInt(value: unknown): bigint {
  scratch[0] = value as bigint;
  return scratch[0];
}

function store(type: ValueType, slot: number, value: unknown): number {
  switch (type) {
    case Type.I32:
      i32[2 * slot] = value as number;
      return 1;
    case Type.F32:
      f32[2 * slot] = value as number;
      return 1;
    case Type.F64:
      f64[slot] = value as number;
      return 1;
    case Type.I64:
      i64[slot] = value as bigint;
      return 1;
    case Type.EXTERNREF:
      putReference(slot, value);
      return 1;
    default:
      storeFunction(slot, value as FunctionWords | null);
      return 4;
  }
}

function storeFunction(slot: number, words: FunctionWords | null): void {
  if (words === null) u32.fill(0, 2 * slot, 2 * slot + 8);
  else u32.set(words.read(), 2 * slot);
}

function read(type: ValueType, slot: number, toFunction: (slot: number) => unknown): unknown {
  switch (type) {
    case Type.I32:
      return i32[2 * slot];
    case Type.F32:
      return f32[2 * slot];
    case Type.F64:
      return f64[slot];
    case Type.I64:
      return i64[slot];
    case Type.EXTERNREF:
      return referenced(u32[2 * slot] as number);
    case Type.FUNCREF:
      return toFunction(slot);
    default:
      throw new TypeError('type incompatibility when transforming from/to JS');
  }
}

export const wordsOf = (type: ValueType): number => (type === Type.FUNCREF ? 4 : type === Type.V128 ? 2 : 1);

/** Converts and stores a value, at a slot; for globals and tables. */
export function putValue(type: ValueType, slot: number, value: unknown): void {
  store(type, slot, convert(type, value));
}

export function takeValue(type: ValueType, slot: number, toFunction: (slot: number) => unknown): unknown {
  return read(type, slot, toFunction);
}

function storeAll(types: ValueType[], values: unknown[], slot: number): number {
  const converted = types.map((type, index) => convert(type, values[index]));
  let at = slot;
  types.forEach((type, index) => {
    at += store(type, at, converted[index]);
  });
  return at - slot;
}

function readAll(types: ValueType[], slot: number, toFunction: (slot: number) => unknown): unknown[] {
  let at = slot;
  const values: unknown[] = [];
  // Functions last: looking one up uses the slots.
  const words = types.map((type) => {
    const here = at;
    at += wordsOf(type);
    return type === Type.FUNCREF ? u32.slice(2 * here, 2 * here + 8) : null;
  });
  at = slot;
  types.forEach((type, index) => {
    if (type !== Type.FUNCREF) values[index] = read(type, at, toFunction);
    at += wordsOf(type);
  });
  words.forEach((kept, index) => {
    if (kept === null) return;
    u32.set(kept, 0);
    values[index] = toFunction(0);
  });
  return values;
}

export const payloadCodec = (types: ValueType[], toFunction: (slot: number) => unknown) => ({
  read: (slot: number) => readAll(types, slot, toFunction),
  write: (values: unknown[], slot: number) => storeAll(types, values, slot),
});

// ---- exported functions

function refreshAll(memories: Watched[]): void {
  for (const memory of memories) if (memory.shared || memory.buffer.byteLength !== memory.size) memory.refresh();
}

/**
 * An exported function. Its name is its index, its length its number of parameters; it can't be constructed.
 * @param record address of what is called; 0: asked for at the first call
 */
export function exportedFunction(
  callee: Callee,
  type: FunctionType,
  name: string,
  findRecord: () => number,
  toFunction: (slot: number) => unknown,
): AnyFunction {
  const numbers = type.params.every((param) => numberView(param) !== null);
  const plainResult = type.results.length === 0 || numberView(type.results[0] as ValueType) !== null;
  if (numbers && plainResult && type.params.length <= 6 && type.results.length <= 1)
    return numericFunction(callee, type, name, findRecord);
  return generalFunction(callee, type, name, findRecord, toFunction);
}

/** One for each number of parameters, so that V8 compiles each for what it does. */
function numericFunction(
  callee: Callee,
  { params, results }: FunctionType,
  name: string,
  findRecord: () => number,
): AnyFunction {
  const { memories } = callee;
  const single = memories.length === 1;
  const memory = memories[0] as Watched;
  let record = 0;
  const result = results.length === 0 ? null : (numberView(results[0] as ValueType)?.view ?? null);
  const call = (): number | undefined => {
    if (!single) refreshAll(memories);
    else if (memory.shared || memory.buffer.byteLength !== memory.size) memory.refresh();
    if (record === 0) record = findRecord();
    f64[RECORD] = record;
    wasmCall();
    if (i32[STATUS_32] !== 0) raise();
    return result === null ? undefined : result[0];
  };
  const views = params.map((param) => numberView(param)?.view as Slots);
  const at = params.map((param, index) => index * (numberView(param)?.scale ?? 1));
  const [v0, v1, v2, v3, v4, v5] = views as [Slots, Slots, Slots, Slots, Slots, Slots];
  const [i0, i1, i2, i3, i4, i5] = at as [number, number, number, number, number, number];
  switch (params.length) {
    case 0:
      return { [name]: () => call() }[name] as AnyFunction;
    case 1:
      return {
        [name]: (a: number) => {
          v0[i0] = +a;
          return call();
        },
      }[name] as AnyFunction;
    case 2:
      return {
        [name]: (a: number, b: number) => {
          const x = +a;
          v1[i1] = +b;
          v0[i0] = x;
          return call();
        },
      }[name] as AnyFunction;
    case 3:
      return {
        [name]: (a: number, b: number, c: number) => {
          const x = +a;
          const y = +b;
          v2[i2] = +c;
          v1[i1] = y;
          v0[i0] = x;
          return call();
        },
      }[name] as AnyFunction;
    case 4:
      return {
        [name]: (a: number, b: number, c: number, d: number) => {
          const x = +a;
          const y = +b;
          const z = +c;
          v3[i3] = +d;
          v2[i2] = z;
          v1[i1] = y;
          v0[i0] = x;
          return call();
        },
      }[name] as AnyFunction;
    case 5:
      return {
        [name]: (a: number, b: number, c: number, d: number, e: number) => {
          const x = +a;
          const y = +b;
          const z = +c;
          const w = +d;
          v4[i4] = +e;
          v3[i3] = w;
          v2[i2] = z;
          v1[i1] = y;
          v0[i0] = x;
          return call();
        },
      }[name] as AnyFunction;
    default:
      return {
        [name]: (a: number, b: number, c: number, d: number, e: number, f: number) => {
          const x = +a;
          const y = +b;
          const z = +c;
          const w = +d;
          const v = +e;
          v5[i5] = +f;
          v4[i4] = v;
          v3[i3] = w;
          v2[i2] = z;
          v1[i1] = y;
          v0[i0] = x;
          return call();
        },
      }[name] as AnyFunction;
  }
}

function generalFunction(
  callee: Callee,
  { params, results }: FunctionType,
  name: string,
  findRecord: () => number,
  toFunction: (slot: number) => unknown,
): AnyFunction {
  let record = 0;
  const { memories } = callee;
  const call = (...args: unknown[]): unknown => {
    if (record === 0) {
      if (params.includes(Type.V128) || results.includes(Type.V128) || params.includes(Type.EXNREF))
        throw new TypeError('type incompatibility when transforming from/to JS');
      record = findRecord();
    }
    storeAll(params, args, 0);
    refreshAll(memories);
    f64[RECORD] = record;
    wasmCall();
    if (i32[STATUS_32] !== 0) raise();
    if (results.length === 0) return undefined;
    const values = readAll(results, 0, toFunction);
    return values.length === 1 ? values[0] : values;
  };
  const named = { [name]: (...args: unknown[]) => call(...args) }[name] as AnyFunction;
  Object.defineProperty(named, 'length', { value: params.length });
  return named;
}

// ---- functions of JavaScript

export interface HostFunction {
  handle: Handle;
  /** Of its wasm_function. */
  address: number;
  /** Held by compiled code weakly: whoever holds the handle holds this. */
  dispatcher: () => void;
  /** What stands in an instance's place in its words. */
  instance: number;
}

/** What compiled code calls in the place of a function of JavaScript. */
export function hostFunction(
  image: ImageHandle,
  typeIndex: number,
  type: FunctionType,
  target: AnyFunction,
  callee: Callee,
  toFunction: (slot: number) => unknown,
): HostFunction {
  const dispatcher = dispatcherOf(type, target, callee, toFunction);
  const [handle, address, instance] = wasm.wasmHost(image, typeIndex, dispatcher);
  return { handle, address, dispatcher, instance };
}

function dispatcherOf(
  { params, results }: FunctionType,
  target: AnyFunction,
  callee: Callee,
  toFunction: (slot: number) => unknown,
): () => void {
  const { memories } = callee;
  const views = params.map(numberView);
  const [result] = results;
  const resultView = result === undefined ? null : (numberView(result)?.view ?? null);
  const simple = views.every((view) => view !== null) && results.length <= 1 && (result === undefined || resultView !== null);
  if (!simple || params.length > 4) {
    return () => {
      try {
        const returned = Reflect.apply(target, undefined, readAll(params, 0, toFunction) as never[]);
        storeResults(results, returned);
      } catch (error) {
        throwToCompiled(error);
      }
      refreshAll(memories);
    };
  }
  const function_ = target as (...args: number[]) => unknown;
  const [a, b, c, d] = views.map((view) => (view as { view: Slots }).view) as [Slots, Slots, Slots, Slots];
  const [, bAt, cAt, dAt] = views.map((view, index) => (view as { scale: number }).scale * index) as number[] as [
    number,
    number,
    number,
    number,
  ];
  const call: () => unknown = [
    () => function_(),
    () => function_(a[0] as number),
    () => function_(a[0] as number, b[bAt] as number),
    () => function_(a[0] as number, b[bAt] as number, c[cAt] as number),
    () => function_(a[0] as number, b[bAt] as number, c[cAt] as number, d[dAt] as number),
  ][params.length] as () => unknown;
  return () => {
    try {
      const returned = call();
      if (resultView !== null) resultView[0] = +(returned as number);
    } catch (error) {
      throwToCompiled(error);
    }
    refreshAll(memories);
  };
}

function storeResults(types: ValueType[], returned: unknown): void {
  if (types.length === 0) return;
  if (types.length === 1) {
    storeAll(types, [returned], 0);
    return;
  }
  if (returned === null || (typeof returned !== 'object' && typeof returned !== 'function'))
    throw new TypeError('multi-return value must be iterable');
  const values = [...(returned as Iterable<unknown>)];
  if (values.length !== types.length) throw new TypeError('multi-return length mismatch');
  storeAll(types, values, 0);
}
