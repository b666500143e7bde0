// Where JavaScript and compiled code meet: the slots that arguments and results stand in, the references that compiled
// code holds to values of JavaScript, and what comes back instead of a result.
import { wasm } from '../../loader/wasm.ts';
import { memoryService } from './memory-service.ts';
import { addTrace, continueTrace, withRoom } from './trace.ts';
import { trapText } from './trap-text.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';

/** As native/wasm/runtime.h has them. */
const STATUS = 16382;
const RECORD = 16383;
const RETURNED = 0;
const THREW = 1;

/** Makes what compiled code calls for an imported function, by the address of the instance that imports it. */
let bindImport = (_instance: number, _index: number): unknown => undefined;

export function onImportCalled(bind: (instance: number, index: number) => unknown): void {
  bindImport = bind;
}

const slots = wasm.wasmThread((instance, index) => {
  if (instance !== undefined && index !== undefined) return bindImport(instance, index);
  return serve();
});
export const i32 = new Int32Array(slots);
export const u32 = new Uint32Array(slots);
export const f32 = new Float32Array(slots);
export const f64 = new Float64Array(slots);
export const i64 = new BigInt64Array(slots);
export const STATUS_32 = 2 * STATUS;
export { RECORD };
export const { wasmCall } = wasm;

function serve(): void {
  try {
    memoryService();
    returnToCompiled();
  } catch (error) {
    throwToCompiled(error);
  }
}

// ---- references

/** Values by their number; 0 is null. */
const values: unknown[] = [null];
/** Stands for -0 among the keys, which are not told apart by sign. */
const NEGATIVE_ZERO = Symbol();
const numbers = new Map<unknown, number>();
const free: number[] = [];

/** The number of a value. The same value has the same number as long as it is held. */
export function reference(value: unknown): number {
  if (value === null) return 0;
  const key = Object.is(value, -0) ? NEGATIVE_ZERO : value;
  const known = numbers.get(key);
  if (known !== undefined) return known;
  const number = free.pop() ?? values.length;
  values[number] = value;
  numbers.set(key, number);
  if (watched === undefined) watchGarbage();
  return number;
}

export const referenced = (number: number): unknown => values[number];

export function putReference(slot: number, value: unknown): void {
  u32[2 * slot] = reference(value);
  u32[2 * slot + 1] = 0;
}

// ---- exceptions

export interface ThrownTag {
  tag: WeakRef<V8Type.Tag>;
  /** Reads the payload that begins at a slot. */
  payload(slot: number): unknown[];
  /** Puts an exception's payload there; answers its words. */
  put(exception: V8Type.Exception, slot: number): number;
}

let findTag = (_address: number): void => {};

/** Told of tags that are thrown and not known yet. */
export function onUnknownTag(find: (address: number) => void): void {
  findTag = find;
}

/** By their addresses in compiled code. */
const knownTags = new Map<number, ThrownTag>();

const forgotten = new FinalizationRegistry<{ address: number; known: ThrownTag }>(({ address, known }) => {
  if (knownTags.get(address) === known) knownTags.delete(address);
});

/** The tag at an address. What stood there before, of an instance that is gone, counts no more. */
export function knowThrownTag(address: number, tag: V8Type.Tag, known: ThrownTag): void {
  knownTags.set(address, known);
  forgotten.register(tag, { address, known });
}

/** Null where none is known that is still in use. */
export function thrownTag(address: number): { known: ThrownTag; tag: V8Type.Tag } | null {
  const known = knownTags.get(address);
  const tag = known?.tag.deref();
  return known === undefined || tag === undefined ? null : { known, tag };
}

export function forgetTag(address: number): void {
  knownTags.delete(address);
}

/** Errors of traps: compiled code does not catch them, even when they come back through JavaScript. */
const traps = new WeakSet<object>();

/** Called by a dispatcher that caught something: compiled code goes on with it. */
export function throwToCompiled(error: unknown): void {
  if (error instanceof V8.Exception) {
    for (const [address, known] of knownTags) {
      const tag = known.tag.deref();
      if (tag === undefined || !error.is(tag)) continue;
      const words = known.put(error, 8);
      f64[1] = address;
      u32[4] = words;
      u32[5] = 0;
      i32[STATUS_32] = THREW;
      remembered.set(address, error);
      return;
    }
  }
  putReference(0, error);
  f64[1] = 0;
  u32[7] = 0;
  u32[6] = isCaughtByCompiled(error) ? 0 : 1;
  i32[STATUS_32] = THREW;
}

/** A dispatcher that returns: what it called may have left another status. */
export function returnToCompiled(): void {
  i32[STATUS_32] = RETURNED;
}

/** Traps are not caught, nor those of V8's own instances: only their stacks tell them from a program's errors. */
function isCaughtByCompiled(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return true;
  if (traps.has(error)) return false;
  return !(error instanceof V8.RuntimeError && /^.*\n\s+at .*wasm:\/\/wasm\//.test(error.stack ?? ''));
}

/** An exception of JavaScript's that goes through compiled code comes out as itself. */
const remembered = new Map<number, V8Type.Exception>();

const STACK = 12;

function trapError(code: number): Error {
  const error = withRoom(() =>
    code === STACK ? new RangeError('Maximum call stack size exceeded') : new V8.RuntimeError(trapText(code)),
  );
  if (code !== STACK) traps.add(error);
  addTrace(error);
  return error;
}

/** What JavaScript threw, or a trap before. */
function thrownValue(): unknown {
  const value = referenced(u32[2] as number);
  if (typeof value === 'object' && value !== null && traps.has(value)) continueTrace(value);
  return value;
}

/** Throws what a call ended with. */
export function raise(): never {
  const status = i32[STATUS_32] as number;
  if ((status & 0xff) !== THREW) throw trapError(status >>> 8);
  const address = wasm.wasmThrown();
  if (address === 0) throw thrownValue();
  if (thrownTag(address) === null) findTag(address);
  const found = thrownTag(address);
  if (found === null) throw new V8.RuntimeError('exception of an unknown tag');
  const before = remembered.get(address);
  const { known, tag } = found;
  const payload = known.payload(1);
  if (before !== undefined) {
    remembered.delete(address);
    if (payload.every((value, index) => Object.is(value, before.getArg(tag, index)))) throw before;
  }
  throw new V8.Exception(tag, payload as never[]);
}

// ---- values that compiled code may have forgotten

const LEAST_COLLECTED = 1024;
let collectAt = LEAST_COLLECTED;

/** Those of nobody are let go; not while a program is in a call. */
function collect(): void {
  const live = wasm.wasmLiveReferences();
  if (live === null) return;
  const kept = new Set(live);
  for (const [key, number] of numbers) {
    if (kept.has(number)) continue;
    numbers.delete(key);
    values[number] = undefined;
    free.push(number);
  }
  collectAt = Math.max(LEAST_COLLECTED, 2 * numbers.size);
}

/** Before a call that brings new references. */
export function collectReferences(): void {
  if (numbers.size >= collectAt) collect();
}

// Whenever V8 collected garbage, too: what only compiled code held is garbage then for the next time.
let watched: FinalizationRegistry<undefined> | undefined;

function afterGarbage(): void {
  collect();
  if (numbers.size > 0) watched?.register({}, undefined);
  else watched = undefined;
}

function watchGarbage(): void {
  watched = new FinalizationRegistry(afterGarbage);
  watched.register({}, undefined);
}
