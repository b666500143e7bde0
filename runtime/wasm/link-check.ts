// What JavaScript cannot be asked about a memory or a tag, V8 tells by linking: a module that imports just that.
import type { FunctionType, Limits, ValueType } from './shape.ts';
import { V8 } from './v8.ts';

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const FUNCTION = 0;
const MEMORY = 2;
const TAG = 4;

function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

const section = (id: number, content: number[]): number[] => [id, ...leb(content.length), ...content];

/** One import without names. Answers what V8 finds wrong with the value; null when it fits. */
function check(before: number[], description: number[], value: unknown): string | null {
  const bytes = Uint8Array.from([...HEADER, ...before, ...section(2, [1, 0, 0, ...description])]);
  try {
    new V8.Instance(new V8.Module(bytes), { '': { '': value } });
    return null;
  } catch (error) {
    if (!(error instanceof V8.LinkError)) throw error;
    return error.message.replace(/^WebAssembly\.Instance\(\): Import #0 "" "": /, '');
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

export function checkTag(params: ValueType[], tag: unknown): string | null {
  const type = section(1, [1, 0x60, ...leb(params.length), ...params, 0]);
  return check(type, [TAG, 0, 0], tag);
}
