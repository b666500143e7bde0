// What JavaScript cannot be asked about a memory or a tag, V8 tells by linking: a module that imports just that.
import { leb, section } from './encode.ts';
import type { FunctionType, Limits, ValueType } from './shape.ts';
import { V8 } from './v8.ts';

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const FUNCTION = 0;
const MEMORY = 2;
const TAG = 4;

/** One import without names. Answers what V8 finds wrong with the value; null when it fits. */
function check(before: number[], description: number[], value: unknown): string | null {
  const bytes = Uint8Array.from([...HEADER, ...before, ...section(2, [1, 0, 0, ...description])]);
  try {
    new V8.Instance(new V8.Module(bytes), { '': { '': value } });
    return null;
  } catch (error) {
    if (!(error instanceof V8.LinkError)) throw error;
    return error.message;
  }
}

export function checkMemory({ min, max, shared, is64 }: Limits, memory: unknown): string | null {
  const flags = (max === undefined ? 0 : 1) | (shared ? 2 : 0) | (is64 ? 4 : 0);
  return check([], [MEMORY, flags, ...leb(min), ...(max === undefined ? [] : leb(max))], memory);
}

function functionType({ params, results }: FunctionType): number[] {
  return section(1, [1, 0x60, ...leb(params.length), ...params, ...leb(results.length), ...results]);
}

export const checkFunction = (type: FunctionType, value: unknown): string | null =>
  check(functionType(type), [FUNCTION, 0], value);

/** A function of V8's own that calls one of JavaScript: what goes into V8's tables. */
export function asV8Function(type: FunctionType, value: unknown): unknown {
  const imports = section(2, [1, 0, 0, FUNCTION, 0]);
  const exports = section(7, [1, 0, FUNCTION, 0]);
  const module = new V8.Module(Uint8Array.from([...HEADER, ...functionType(type), ...imports, ...exports]));
  return new V8.Instance(module, { '': { '': value } }).exports[''];
}

/** A tag of V8's own, also of parameters that JavaScript has no word for. */
export function newTag(params: ValueType[]): unknown {
  const type = section(1, [1, 0x60, ...leb(params.length), ...params, 0]);
  const module = Uint8Array.from([
    ...HEADER,
    ...type,
    ...section(13, [1, 0, 0]),
    ...section(7, [1, 0, TAG, 0]),
  ]);
  return new V8.Instance(new V8.Module(module)).exports[''];
}

export function checkTag(params: ValueType[], tag: unknown): string | null {
  const type = section(1, [1, 0x60, ...leb(params.length), ...params, 0]);
  return check(type, [TAG, 0, 0], tag);
}
