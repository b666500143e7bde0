// How a function type looks in C (native/wasm/abi.h): its key, its words in runtime->slots, and the two thunks that
// carry arguments between slots and registers.
import { type FunctionType, ValueType } from './module.ts';

const CODE: Record<ValueType, number> = {
  [ValueType.i32]: 1,
  [ValueType.i64]: 2,
  [ValueType.f32]: 3,
  [ValueType.f64]: 4,
  [ValueType.v128]: 5,
  [ValueType.funcref]: 6,
  [ValueType.externref]: 7,
  [ValueType.exnref]: 8,
};

const LETTER: Record<ValueType, string> = {
  [ValueType.i32]: 'i',
  [ValueType.i64]: 'j',
  [ValueType.f32]: 'f',
  [ValueType.f64]: 'd',
  [ValueType.v128]: 'v',
  [ValueType.funcref]: 'r',
  [ValueType.externref]: 'e',
  [ValueType.exnref]: 'x',
};

export const C_TYPE: Record<ValueType, string> = {
  [ValueType.i32]: 'u32',
  [ValueType.i64]: 'u64',
  [ValueType.f32]: 'f32',
  [ValueType.f64]: 'f64',
  [ValueType.v128]: 'v128',
  [ValueType.funcref]: 'function',
  [ValueType.externref]: 'u64',
  [ValueType.exnref]: 'exception *',
};

/** Words (8 bytes) of a value in slots and in payloads. */
export function wordsOf(type: ValueType): number {
  return type === ValueType.v128 ? 2 : type === ValueType.funcref ? 4 : 1;
}

export function wordsOfAll(types: ValueType[]): number {
  return types.reduce((sum, type) => sum + wordsOf(type), 0);
}

/** 'ij_d' for (i32, i64) -> (f64): equal names are equal types. */
export function signatureName({ params, results }: FunctionType): string {
  return `${params.map((type) => LETTER[type]).join('')}_${results.map((type) => LETTER[type]).join('')}`;
}

const KEY_IS_EXACT = 1n << 60n;
const MAX_EXACT_TYPES = 14;

/**
 * The type as a number: four bits for each parameter, four zero bits, four for each result. null for types too long
 * for that: they get a key when the image is loaded (wasm_image.cc).
 */
export function typeKey({ params, results }: FunctionType): bigint | null {
  if (params.length + results.length > MAX_EXACT_TYPES) return null;
  let key = KEY_IS_EXACT;
  let shift = 0n;
  for (const type of params) {
    key |= BigInt(CODE[type]) << shift;
    shift += 4n;
  }
  shift += 4n;
  for (const type of results) {
    key |= BigInt(CODE[type]) << shift;
    shift += 4n;
  }
  return key;
}

/** Whether results are left in slots, and the C function returns nothing. */
export function returnsInSlots({ results }: FunctionType): boolean {
  return results.length > 1 || results[0] === ValueType.funcref;
}

export function resultType(type: FunctionType): string {
  const [first] = type.results;
  return first === undefined || returnsInSlots(type) ? 'void' : C_TYPE[first];
}

function parameterType(type: ValueType): string {
  return type === ValueType.funcref ? 'const function *' : C_TYPE[type];
}

/** 'u32 p0, const function *p1', with what stands before them. */
export function parameterList(
  first: string,
  { params }: FunctionType,
  name: (index: number) => string,
): string {
  return [first, ...params.map((type, index) => `${parameterType(type)} ${name(index)}`)].join(', ');
}

/** 'f64 (*)(void *, u32, u64)' */
export function functionPointer(type: FunctionType): string {
  return `${resultType(type)} (*)(${['void *', ...type.params.map(parameterType)].join(', ')})`;
}

/** An expression that reads a value of that type out of words. */
export function readSlot(words: string, at: number, type: ValueType): string {
  switch (type) {
    case ValueType.i32:
      return `(u32)${words}[${at}]`;
    case ValueType.f32:
      return `f32_of((u32)${words}[${at}])`;
    case ValueType.f64:
      return `f64_of(${words}[${at}])`;
    case ValueType.v128:
      return `v128_load(&${words}[${at}])`;
    case ValueType.funcref:
      return `*(const function *)&${words}[${at}]`;
    case ValueType.exnref:
      return `(exception *)${words}[${at}]`;
    default:
      return `${words}[${at}]`;
  }
}

/** A statement that stores a value there. */
export function writeSlot(words: string, at: number, type: ValueType, value: string): string {
  switch (type) {
    case ValueType.f32:
      return `${words}[${at}] = bits_of_f32(${value});`;
    case ValueType.f64:
      return `${words}[${at}] = bits_of_f64(${value});`;
    case ValueType.v128:
      return `v128_store(&${words}[${at}], ${value});`;
    case ValueType.funcref:
      return `*(function *)&${words}[${at}] = ${value};`;
    case ValueType.exnref:
      return `${words}[${at}] = (u64)(${value});`;
    default:
      return `${words}[${at}] = ${value};`;
  }
}

export function slotOffsets(types: ValueType[]): number[] {
  let at = 0;
  return types.map((type) => {
    const here = at;
    at += wordsOf(type);
    return here;
  });
}

/** wasm_enter of that type: calls with arguments out of slots. */
export function enterThunk(name: string, type: FunctionType): string {
  const offsets = slotOffsets(type.params);
  const args = type.params.map((param, index) => {
    const at = offsets[index] as number;
    return param === ValueType.funcref ? `(const function *)&s[${at}]` : readSlot('s', at, param);
  });
  const call = `((${functionPointer(type)})code)(${['in', ...args].join(', ')})`;
  const [result] = type.results;
  const body =
    result === undefined || returnsInSlots(type)
      ? `${call};`
      : `${C_TYPE[result]} r = ${call}; ${writeSlot('s', 0, result, 'r')}`;
  return `void ${name}(wasm_code code, void *in, u64 *s) { ${body} }\n`;
}

/** A function of that type that hands its arguments to JavaScript: `h` stands where an instance does. */
export function leaveThunk(name: string, type: FunctionType): string {
  const offsets = slotOffsets(type.params);
  const store = type.params.map((param, index) =>
    writeSlot('s', offsets[index] as number, param, param === ValueType.funcref ? `*p${index}` : `p${index}`),
  );
  const [result] = type.results;
  const back = result === undefined || returnsInSlots(type) ? '' : ` return ${readSlot('s', 0, result)};`;
  const head = `${resultType(type)} ${name}(${parameterList('struct wasm_host *h', type, (i) => `p${i}`)})`;
  return `${head} { u64 *const s = h->runtime->slots; ${store.join(' ')} h->runtime->call_host(h);${back} }\n`;
}
