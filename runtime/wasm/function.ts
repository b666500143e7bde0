// Functions across the boundary: exported ones as functions of JavaScript, and those of JavaScript for compiled code.
// Arguments are converted in order (ToWebAssemblyValue, JS API 5.7) before any of them is stored, because a conversion
// can run a program that uses the slots itself.
import { wasm } from '../../loader/wasm.ts';
import {
  collectReferences,
  f32,
  f64,
  i32,
  i64,
  putReference,
  RECORD,
  raise,
  referenced,
  returnToCompiled,
  STATUS_32,
  throwToCompiled,
  u32,
  wasmCall,
} from './boundary.ts';
import { type FunctionWords, functionAtSlot, takeFunction } from './function-reference.ts';
import { asV8Function } from './link-check.ts';
import type { Watched } from './memory.ts';
import type { FunctionType, Shape, ValueType } from './shape.ts';
import * as Type from './shape.ts';

/** What functions of an instance need of it. */
export interface Callee {
  /** Address of the instance. */
  readonly instance: number;
  readonly shape: Shape;
  /** Whose size may have changed while JavaScript ran; at least one. */
  readonly memories: Watched[];
}

export type AnyFunction = (...args: never[]) => unknown;
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

/** @throws as ToBigInt (ECMA-262, 7.1.13) */
export function toBigInt(value: unknown): bigint {
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

function refreshAll(memories: Iterable<Watched>): void {
  for (const memory of memories)
    if (memory.shared || memory.buffer.byteLength !== memory.size) memory.refresh();
}

/** What a call needs, found at the first one. */
interface Plan {
  record: number;
  memory: Watched;
  memories: Watched[];
  /** Of parameters that are all numbers: where each is stored. */
  views: [Slots, Slots, Slots, Slots, Slots, Slots];
  at: [number, number, number, number, number, number];
  /** Where a single number is read from; null for none. */
  result: Slots | null;
  /** Takes any arguments, where views cannot. */
  general: ((args: unknown[]) => unknown) | null;
}

const UNUSED: Slots = f64;

function calledType(owner: Callee, index: number): FunctionType {
  const found = owner.shape.type(owner.shape.functionTypeIndex(index));
  for (const type of [...found.params, ...found.results])
    if (type === Type.V128 || type === Type.EXNREF)
      throw new TypeError('type incompatibility when transforming from/to JS');
  return found;
}

const recordOf = (owner: Callee, index: number, place: number): number =>
  wasm.wasmRecord(owner.instance, place, owner.shape.functionTypeIndex(index));

/** Takes any arguments. */
export function generalCallOf(owner: Callee, index: number, place: number): (args: unknown[]) => unknown {
  const { params, results } = calledType(owner, index);
  return generalCall(recordOf(owner, index, place), owner.memories, params, results);
}

export function planOf(owner: Callee, index: number, place: number): Plan {
  const { params, results } = calledType(owner, index);
  const { memories } = owner;
  const record = recordOf(owner, index, place);
  const numbers = params.map(numberView);
  const [first] = results;
  const isPlain = results.length === 0 || (results.length === 1 && numberView(first as ValueType) !== null);
  const fits =
    isPlain && memories.length === 1 && params.length <= 6 && numbers.every((view) => view !== null);
  const views = Array.from({ length: 6 }, (_, i) => numbers[i]?.view ?? UNUSED) as Plan['views'];
  const at = Array.from({ length: 6 }, (_, i) => i * (numbers[i]?.scale ?? 1)) as Plan['at'];
  return {
    record,
    memory: memories[0] as Watched,
    memories,
    views,
    at,
    result: first === undefined ? null : (numberView(first)?.view ?? null),
    general: fits ? null : generalCall(record, memories, params, results),
  };
}

function generalCall(
  record: number,
  memories: Watched[],
  params: ValueType[],
  results: ValueType[],
): (args: unknown[]) => unknown {
  return (args) => {
    collectReferences();
    storeAll(params, args, 0);
    refreshAll(memories);
    f64[RECORD] = record;
    wasmCall();
    if (i32[STATUS_32] !== 0) raise();
    if (results.length === 0) return undefined;
    const values = readAll(results, 0, functionAtSlot);
    return values.length === 1 ? values[0] : values;
  };
}

export function enter(plan: Plan): number | undefined {
  const { memory, result } = plan;
  if (memory.shared || memory.buffer.byteLength !== memory.size) memory.refresh();
  f64[RECORD] = plan.record;
  wasmCall();
  if (i32[STATUS_32] !== 0) raise();
  return result === null ? undefined : result[0];
}

/**
 * An exported function: its name is its index, its length its number of parameters, and it can't be constructed. Nothing
 * is looked up before it is called. One for each number of parameters, so that V8 compiles each for what it does.
 */
export function exportedFunction(owner: Callee, index: number, place: number): AnyFunction {
  const name = String(index);
  let plan: Plan | null = null;
  switch (owner.shape.parameterCount(index)) {
    case 0:
      return {
        [name]: () => {
          plan ??= planOf(owner, index, place);
          return plan.general === null ? enter(plan) : plan.general([]);
        },
      }[name] as AnyFunction;
    case 1:
      return {
        [name]: (a: number) => {
          plan ??= planOf(owner, index, place);
          if (plan.general !== null) return plan.general([a]);
          plan.views[0][plan.at[0]] = +a;
          return enter(plan);
        },
      }[name] as AnyFunction;
    case 2:
      return {
        [name]: (a: number, b: number) => {
          plan ??= planOf(owner, index, place);
          if (plan.general !== null) return plan.general([a, b]);
          const x = +a;
          plan.views[1][plan.at[1]] = +b;
          plan.views[0][plan.at[0]] = x;
          return enter(plan);
        },
      }[name] as AnyFunction;
    case 3:
      return {
        [name]: (a: number, b: number, c: number) => {
          plan ??= planOf(owner, index, place);
          if (plan.general !== null) return plan.general([a, b, c]);
          const x = +a;
          const y = +b;
          plan.views[2][plan.at[2]] = +c;
          plan.views[1][plan.at[1]] = y;
          plan.views[0][plan.at[0]] = x;
          return enter(plan);
        },
      }[name] as AnyFunction;
    case 4:
      return {
        [name]: (a: number, b: number, c: number, d: number) => {
          plan ??= planOf(owner, index, place);
          if (plan.general !== null) return plan.general([a, b, c, d]);
          const x = +a;
          const y = +b;
          const z = +c;
          plan.views[3][plan.at[3]] = +d;
          plan.views[2][plan.at[2]] = z;
          plan.views[1][plan.at[1]] = y;
          plan.views[0][plan.at[0]] = x;
          return enter(plan);
        },
      }[name] as AnyFunction;
    case 5:
      return {
        [name]: (a: number, b: number, c: number, d: number, e: number) => {
          plan ??= planOf(owner, index, place);
          if (plan.general !== null) return plan.general([a, b, c, d, e]);
          const x = +a;
          const y = +b;
          const z = +c;
          const w = +d;
          plan.views[4][plan.at[4]] = +e;
          plan.views[3][plan.at[3]] = w;
          plan.views[2][plan.at[2]] = z;
          plan.views[1][plan.at[1]] = y;
          plan.views[0][plan.at[0]] = x;
          return enter(plan);
        },
      }[name] as AnyFunction;
    case 6:
      return {
        [name]: (a: number, b: number, c: number, d: number, e: number, f: number) => {
          plan ??= planOf(owner, index, place);
          if (plan.general !== null) return plan.general([a, b, c, d, e, f]);
          const x = +a;
          const y = +b;
          const z = +c;
          const w = +d;
          const v = +e;
          plan.views[5][plan.at[5]] = +f;
          plan.views[4][plan.at[4]] = v;
          plan.views[3][plan.at[3]] = w;
          plan.views[2][plan.at[2]] = z;
          plan.views[1][plan.at[1]] = y;
          plan.views[0][plan.at[0]] = x;
          return enter(plan);
        },
      }[name] as AnyFunction;
    default: {
      const call = {
        [name]: (...args: unknown[]) => {
          plan ??= planOf(owner, index, place);
          return (plan.general as (args: unknown[]) => unknown)(args);
        },
      }[name] as AnyFunction;
      Object.defineProperty(call, 'length', { value: owner.shape.parameterCount(index) });
      return call;
    }
  }
}

// ---- functions of JavaScript

/** What compiled code calls for a function of JavaScript: takes the arguments from the slots, and stores the results. */
export function dispatcherOf(owner: Callee, index: number, target: AnyFunction): () => void {
  const { memories, shape } = owner;
  return typedDispatcher(shape.type(shape.functionTypeIndex(index)), memories, target);
}

export function typedDispatcher(
  { params, results }: FunctionType,
  memories: Iterable<Watched>,
  target: AnyFunction,
): () => void {
  if ([...params, ...results].some((type) => type === Type.V128 || type === Type.EXNREF)) {
    return () => throwToCompiled(new TypeError('type incompatibility when transforming from/to JS'));
  }
  const views = params.map(numberView);
  const [result] = results;
  const resultView = result === undefined ? null : (numberView(result)?.view ?? null);
  const simple =
    params.length <= 4 &&
    views.every((view) => view !== null) &&
    (results.length === 0 || (results.length === 1 && resultView !== null));
  if (!simple) {
    return () => {
      try {
        const returned = Reflect.apply(target, undefined, readAll(params, 0, functionAtSlot) as never[]);
        storeResults(results, returned);
        returnToCompiled();
      } catch (error) {
        throwToCompiled(error);
      }
      refreshAll(memories);
    };
  }
  const call = numericCall(
    target as (...args: number[]) => unknown,
    views as { view: Slots; scale: number }[],
  );
  return () => {
    try {
      const returned = call();
      if (resultView !== null) resultView[0] = +(returned as number);
      returnToCompiled();
    } catch (error) {
      throwToCompiled(error);
    }
    refreshAll(memories);
  };
}

function numericCall(
  target: (...args: number[]) => unknown,
  views: { view: Slots; scale: number }[],
): () => unknown {
  const [a, b, c, d] = views.map(({ view }) => view) as [Slots, Slots, Slots, Slots];
  const [, bAt, cAt, dAt] = views.map(({ scale }, index) => scale * index) as [
    number,
    number,
    number,
    number,
  ];
  switch (views.length) {
    case 0:
      return () => target();
    case 1:
      return () => target(a[0] as number);
    case 2:
      return () => target(a[0] as number, b[bAt] as number);
    case 3:
      return () => target(a[0] as number, b[bAt] as number, c[cAt] as number);
    default:
      return () => target(a[0] as number, b[bAt] as number, c[cAt] as number, d[dAt] as number);
  }
}

function storeResults(types: ValueType[], returned: unknown): void {
  if (types.length === 0) return;
  if (types.length === 1) {
    storeAll(types, [returned], 0);
    return;
  }
  if (typeof (returned as Iterable<unknown> | null | undefined)?.[Symbol.iterator] !== 'function') {
    // V8 words it.
    const results = asV8Function({ params: [], results: types }, () => returned) as () => never;
    results();
  }
  const values = [...(returned as Iterable<unknown>)];
  if (values.length !== types.length) throw new TypeError('multi-return length mismatch');
  storeAll(types, values, 0);
}
