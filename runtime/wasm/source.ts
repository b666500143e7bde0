// The bytes of modules, and their images.
import { isObject } from './face.ts';
import type { CompiledImage } from './image.ts';
import { theEngine } from './late.ts';
import { policy, why } from './policy.ts';
import { V8 } from './v8.ts';

/** 0 where the program has made it something else. */
function now(): number {
  try {
    return performance.now();
  } catch {
    return 0;
  }
}

const EMPTY = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

function fillShared(): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(EMPTY.length);
  new Uint8Array(buffer).set(EMPTY);
  return buffer;
}

const samples = {
  DataView: () => new DataView(Uint8Array.from(EMPTY).buffer),
  SharedArrayBuffer: fillShared,
};
const accepted: { [kind in keyof typeof samples]?: boolean } = {};

/** Whether this V8 compiles what the kind of object has: that differs between versions. */
function accepts(kind: keyof typeof samples): boolean {
  let answer = accepted[kind];
  if (answer === undefined) {
    try {
      answer = new V8.Module(samples[kind]()) !== undefined;
    } catch {
      answer = false;
    }
    accepted[kind] = answer;
  }
  return answer;
}

type Getter = (this: unknown) => unknown;
const getterOf = (prototype: object, name: string): Getter =>
  Object.getOwnPropertyDescriptor(prototype, name)?.get as Getter;
const placeOf = (prototype: object) =>
  ['buffer', 'byteOffset', 'byteLength'].map((name) => getterOf(prototype, name));
const ofView = placeOf(DataView.prototype);
const ofArray = placeOf(Object.getPrototypeOf(Uint8Array.prototype) as object);

/** As V8 sees it: an object may have properties of these names. */
function viewed(view: ArrayBufferView, getters: readonly Getter[]): Uint8Array {
  const [buffer, offset, length] = getters.map((get) => Reflect.apply(get, view, []));
  return new Uint8Array(buffer as ArrayBuffer, offset as number, length as number);
}

/** The bytes as they are now: a view of them, not a copy. Undefined where they are V8's to judge. */
export function compilable(source: unknown): Uint8Array | undefined {
  try {
    if (source instanceof ArrayBuffer) return new Uint8Array(source);
    if (source instanceof DataView) return accepts('DataView') ? viewed(source, ofView) : undefined;
    if (ArrayBuffer.isView(source)) return viewed(source, ofArray);
    if (source instanceof SharedArrayBuffer && accepts('SharedArrayBuffer')) return new Uint8Array(source);
  } catch {
    // detached
  }
  return undefined;
}

/** What runs a module: the image, or V8 where that is undefined. */
export interface Choice {
  readonly image: CompiledImage | undefined;
  /** To be said when the module is there. */
  ready(): void;
}

const LEFT_TO_V8: Choice = { image: undefined, ready() {} };

/** Of what a program would compile. Bytes count as they are now. @throws Error where the policy leaves nothing to V8 */
export function choose(source: unknown, options?: unknown): Choice {
  const constants = options === undefined ? null : constantsOf(options);
  const bytes = constants === undefined ? undefined : compilable(source);
  if (constants === undefined || bytes === undefined) return LEFT_TO_V8;
  const began = now();
  const { image, reason } = findImage(bytes, constants);
  const explanation = why.compiled(image ?? null, reason, bytes.length);
  const ready = () => {
    explanation.readyMs = now() - began;
  };
  if (image !== undefined) ready();
  return { image, ready };
}

/**
 * What compile options (JS String Builtins) call the module of string constants; '' where they say nothing. Undefined where
 * reading them could be noticed: that is V8's.
 */
function constantsOf(options: unknown): string | undefined {
  if (!isObject(options) || Object.getPrototypeOf(options) !== Object.prototype) return undefined;
  const { importedStringConstants: named, builtins } = Object.getOwnPropertyDescriptors(options) as {
    [name in 'importedStringConstants' | 'builtins']?: PropertyDescriptor;
  };
  const isPlain = builtins === undefined || Array.isArray(builtins.value);
  const name: unknown = named === undefined ? '' : named.value;
  return isPlain && typeof name === 'string' ? name : undefined;
}

/** Whether it imports what compile options may give. */
const wantsBuiltins = ({ shape }: CompiledImage, constants: string): boolean =>
  shape.imports.some(
    ({ module }) => module?.startsWith('wasm:') || (constants !== '' && module === constants),
  );

/**
 * Whatever goes wrong on the way V8 runs the module: a damaged image, a store that may not be looked at, an addon that may
 * not be loaded, a program that has changed what this calls.
 */
function findImage(bytes: Uint8Array, constants: string | null): { image?: CompiledImage; reason: string } {
  try {
    const found = policy.find(bytes);
    if (found === undefined) return { reason: policy.unknown(bytes) };
    const image = theEngine().openFound(found);
    if (constants !== null && wantsBuiltins(image, constants))
      return { reason: 'imports what its compile options give' };
    return { image, reason: 'in place' };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

/** Whether there is an image of it; false where that cannot be told. */
export function isKnown(bytes: Uint8Array): boolean {
  try {
    return policy.find(bytes) !== undefined;
  } catch {
    return false;
  }
}
