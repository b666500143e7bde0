// References to functions, in both directions: a function of JavaScript that stands for compiled code, and the four words
// (native/wasm/abi.h: struct wasm_function) that stand for a function of JavaScript.
import { wasm } from '../../loader/wasm.ts';
import { u32 } from './boundary.ts';
import type { FunctionType } from './shape.ts';
import { isV8Function, v8FunctionAt, wordsOfV8Function } from './v8-function.ts';

export type AnyFunction = (...args: never[]) => unknown;

export interface FunctionWords {
  /** The eight halves of its four words. */
  read(): Uint32Array;
}

/** An instance, as far as its functions go. */
export interface FunctionOwner {
  instance: number;
  /** The exported function of that index; always the same object. */
  functionAt(index: number): AnyFunction;
  typeOf(index: number): FunctionType;
  findTag(address: number): boolean;
  /** Has the functions that were made so far known here; later ones are when they are made. */
  registerFunctions(): void;
}

export interface Origin {
  owner: FunctionOwner;
  index: number;
  place: number;
}

const origins = new WeakMap<AnyFunction, Origin>();
const owners = new Map<number, WeakRef<FunctionOwner>>();
/** Instances whose functions were not asked about yet. */
let unregistered: WeakRef<FunctionOwner>[] = [];
/** Functions that are known to be none of compiled code. */
const plain = new WeakSet<object>();

export function registerOwner(owner: FunctionOwner): void {
  const weak = new WeakRef(owner);
  owners.set(owner.instance, weak);
  unregistered.push(weak);
  ended.register(owner, { instance: owner.instance, weak });
}

const ended = new FinalizationRegistry<{ instance: number; weak: WeakRef<FunctionOwner> }>(
  ({ instance, weak }) => {
    // Another instance may be at that address by now.
    if (owners.get(instance) === weak) owners.delete(instance);
    unregistered = unregistered.filter((one) => one !== weak);
  },
);

export const ownerOf = (instance: number): FunctionOwner | undefined => owners.get(instance)?.deref();

export function registerFunction(function_: AnyFunction, origin: Origin): void {
  origins.set(function_, origin);
}

/** What compiled code a function stands for. */
export function originOf(value: object): Origin | undefined {
  if (plain.has(value)) return undefined;
  for (const owner of unregistered) owner.deref()?.registerFunctions();
  unregistered = [];
  const origin = origins.get(value as AnyFunction);
  if (origin === undefined) plain.add(value);
  return origin;
}

/** What compiled code was handed a reference to, and may have put anywhere. */
const pinned = new Set<object>();

/** @throws TypeError for what is no function of WebAssembly */
export function takeFunction(value: unknown): FunctionWords {
  const origin = typeof value === 'function' ? originOf(value) : undefined;
  if (origin === undefined && typeof value === 'function' && isV8Function(value)) {
    pinned.add(value);
    return { read: () => wordsOfV8Function(value) };
  }
  if (origin === undefined) throw new TypeError('type incompatibility when transforming from/to JS');
  pinned.add(origin.owner);
  return {
    read() {
      const kept = u32.slice(0, 8);
      wasm.wasmFunctionWords(origin.owner.instance, origin.place);
      const words = u32.slice(0, 8);
      u32.set(kept, 0);
      return words;
    },
  };
}

/** Has the instance that a tag belongs to make it known. */
export function knowTag(address: number): void {
  for (const owner of owners.values()) if (owner.deref()?.findTag(address)) return;
}

/** Of a function of compiled code. */
export function typeOfFunction(value: object): FunctionType | undefined {
  const origin = originOf(value);
  return origin?.owner.typeOf(origin.index);
}

/** The function whose words stand at a slot; null for a null reference. */
export function functionAtSlot(slot: number): AnyFunction | null {
  if (u32[2 * slot + 2] === 0 && u32[2 * slot + 3] === 0) return null;
  if (slot !== 0) u32.copyWithin(0, 2 * slot, 2 * slot + 8);
  const [instance, index] = wasm.wasmFunctionFacts();
  if (index < 0) return v8FunctionAt(instance) as AnyFunction;
  const owner = ownerOf(instance);
  if (owner === undefined) throw new TypeError('function of an instance that is gone');
  return owner.functionAt(index);
}
