// V8's exported functions among those of compiled code: what is known of one, V8 tells by linking it.
import { type Handle, wasm } from '../../loader/wasm.ts';
import { u32 } from './boundary.ts';
import { type AnyFunction, typedDispatcher } from './function.ts';
import { openImages } from './image.ts';
import { checkFunction } from './link-check.ts';
import { allMemories } from './memory.ts';
import { type FunctionType, typeName } from './shape.ts';
import { V8 } from './v8.ts';

interface HostedFunction {
  handle: Handle;
  dispatcher: () => void;
  words: Uint32Array;
}

const hosted = new WeakMap<AnyFunction, HostedFunction>();
const byAddress = new Map<number, WeakRef<AnyFunction>>();

let probe: { set(index: number, value: unknown): void } | undefined;

/** An exported function is named by a number: whatever is not is not asked about, since being refused is slow. */
export function isV8Function(value: object): value is AnyFunction {
  const name: unknown = Object.getOwnPropertyDescriptor(value, 'name')?.value;
  if (typeof name !== 'string' || !/^\d+$/.test(name)) return false;
  probe ??= new V8.Table({ element: 'anyfunc', initial: 1 }) as NonNullable<typeof probe>;
  try {
    probe.set(0, value);
    probe.set(0, null);
    return true;
  } catch {
    return false;
  }
}

/** A type that it has and that some image can call it by. */
function callableType(function_: AnyFunction) {
  const asked = new Set<string>();
  for (const image of openImages()) {
    for (const index of wasm.wasmThunkTypes(image.handle)) {
      const type = image.shape.type(index);
      const name = typeName(type);
      if (type.params.length !== function_.length || asked.has(name)) continue;
      asked.add(name);
      if (checkFunction(type, function_) === null) return { image, index, type };
    }
  }
  return undefined;
}

const NEVER_CALLED: FunctionType = { params: [], results: [] };

/** The eight halves of the words that stand for it. */
export function wordsOfV8Function(function_: AnyFunction): Uint32Array {
  const known = hosted.get(function_);
  if (known !== undefined) return known.words;
  const found = callableType(function_);
  const image = found?.image ?? openImages()[0];
  if (image === undefined) throw new TypeError('no image is open that could call the function');
  const dispatcher = typedDispatcher(found?.type ?? NEVER_CALLED, allMemories, function_);
  const kept = u32.slice(0, 8);
  const [handle, address] = wasm.wasmHostFor(image.handle, found?.index ?? 0, dispatcher);
  const words = u32.slice(0, 8);
  u32.set(kept, 0);
  // Of a type that no image has: no call in place can match it.
  if (found === undefined) words.fill(0xffff_ffff, 0, 2);
  hosted.set(function_, { handle, dispatcher, words });
  byAddress.set(address, new WeakRef(function_));
  return words;
}

export const v8FunctionAt = (address: number): AnyFunction | undefined => byAddress.get(address)?.deref();
