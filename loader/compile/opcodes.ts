// The operators whose typing does not depend on the module, by opcode (core specification 5.4, with sign extension and
// the threads proposal): what validate.ts checks and body/ prints. Those with labels, indices or types as immediates are
// not here. A row is 'name params>results', a letter a type: i i32, l i64, f f32, d f64, v v128.
import { ValueType } from './module.ts';

/**
 * What follows the opcode: nothing · alignment, memory and offset · the same and a lane · a lane · 16 lanes · 16 bytes ·
 * one zero byte.
 */
export type Immediates = 'none' | 'memarg' | 'memarg-lane' | 'lane' | 'shuffle' | 'v128' | 'zero';

export interface Operator {
  name: string;
  /** Of a memory access the first is the address, given as i32: in a memory with 64-bit addresses it is i64. */
  params: ValueType[];
  results: ValueType[];
  immediates: Immediates;
  /** Of a memory access: its natural alignment too. 0 for others. */
  accessBytes: number;
  /** Lanes that an immediate lane selects from (a shuffle's: 32), 0 without one. */
  lanes: number;
}

const letters = new Map<string, ValueType>([
  ['i', ValueType.i32],
  ['l', ValueType.i64],
  ['f', ValueType.f32],
  ['d', ValueType.f64],
  ['v', ValueType.v128],
]);

function typesOf(text: string): ValueType[] {
  return [...text].map((letter) => {
    const type = letters.get(letter);
    if (type === undefined) throw new Error(`no value type has the letter ${letter}`);
    return type;
  });
}

/** An operator by its row. */
export function operator(row: string, immediates: Immediates, accessBytes = 0, lanes = 0): Operator {
  const [name = '', signature = ''] = row.split(' ');
  const [params = '', results = ''] = signature.split('>');
  return { name, params: typesOf(params), results: typesOf(results), immediates, accessBytes, lanes };
}

type Table = (Operator | undefined)[];

/** Puts operators of one signature side by side; '-' leaves an opcode out. */
export function run(table: Table, first: number, prefix: string, names: string, signature: string): void {
  let opcode = first;
  for (const name of names.split(' ')) {
    if (name !== '-') table[opcode] = operator(`${prefix}.${name} ${signature}`, 'none');
    opcode++;
  }
}

/** Memory accesses side by side, each 'name bytes signature'. */
export function accesses(table: Table, first: number, rows: string[]): void {
  rows.forEach((row, place) => {
    const [name, bytes, signature] = row.split(' ');
    table[first + place] = operator(`${name} ${signature}`, 'memarg', Number(bytes));
  });
}

const integerComparisons = 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u';
const floatComparisons = 'eq ne lt gt le ge';
const integerBinary = 'add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr';
const floatUnary = 'abs neg ceil floor trunc nearest sqrt';
const floatBinary = 'add sub mul div min max copysign';

/** Opcodes of one byte. */
export const plain: Table = [];
accesses(plain, 0x28, [
  'i32.load 4 i>i',
  'i64.load 8 i>l',
  'f32.load 4 i>f',
  'f64.load 8 i>d',
  'i32.load8_s 1 i>i',
  'i32.load8_u 1 i>i',
  'i32.load16_s 2 i>i',
  'i32.load16_u 2 i>i',
  'i64.load8_s 1 i>l',
  'i64.load8_u 1 i>l',
  'i64.load16_s 2 i>l',
  'i64.load16_u 2 i>l',
  'i64.load32_s 4 i>l',
  'i64.load32_u 4 i>l',
  'i32.store 4 ii>',
  'i64.store 8 il>',
  'f32.store 4 if>',
  'f64.store 8 id>',
  'i32.store8 1 ii>',
  'i32.store16 2 ii>',
  'i64.store8 1 il>',
  'i64.store16 2 il>',
  'i64.store32 4 il>',
]);
run(plain, 0x45, 'i32', 'eqz', 'i>i');
run(plain, 0x46, 'i32', integerComparisons, 'ii>i');
run(plain, 0x50, 'i64', 'eqz', 'l>i');
run(plain, 0x51, 'i64', integerComparisons, 'll>i');
run(plain, 0x5b, 'f32', floatComparisons, 'ff>i');
run(plain, 0x61, 'f64', floatComparisons, 'dd>i');
run(plain, 0x67, 'i32', 'clz ctz popcnt', 'i>i');
run(plain, 0x6a, 'i32', integerBinary, 'ii>i');
run(plain, 0x79, 'i64', 'clz ctz popcnt', 'l>l');
run(plain, 0x7c, 'i64', integerBinary, 'll>l');
run(plain, 0x8b, 'f32', floatUnary, 'f>f');
run(plain, 0x92, 'f32', floatBinary, 'ff>f');
run(plain, 0x99, 'f64', floatUnary, 'd>d');
run(plain, 0xa0, 'f64', floatBinary, 'dd>d');
run(plain, 0xa7, 'i32', 'wrap_i64', 'l>i');
run(plain, 0xa8, 'i32', 'trunc_f32_s trunc_f32_u', 'f>i');
run(plain, 0xaa, 'i32', 'trunc_f64_s trunc_f64_u', 'd>i');
run(plain, 0xac, 'i64', 'extend_i32_s extend_i32_u', 'i>l');
run(plain, 0xae, 'i64', 'trunc_f32_s trunc_f32_u', 'f>l');
run(plain, 0xb0, 'i64', 'trunc_f64_s trunc_f64_u', 'd>l');
run(plain, 0xb2, 'f32', 'convert_i32_s convert_i32_u', 'i>f');
run(plain, 0xb4, 'f32', 'convert_i64_s convert_i64_u', 'l>f');
run(plain, 0xb6, 'f32', 'demote_f64', 'd>f');
run(plain, 0xb7, 'f64', 'convert_i32_s convert_i32_u', 'i>d');
run(plain, 0xb9, 'f64', 'convert_i64_s convert_i64_u', 'l>d');
run(plain, 0xbb, 'f64', 'promote_f32', 'f>d');
run(plain, 0xbc, 'i32', 'reinterpret_f32', 'f>i');
run(plain, 0xbd, 'i64', 'reinterpret_f64', 'd>l');
run(plain, 0xbe, 'f32', 'reinterpret_i32', 'i>f');
run(plain, 0xbf, 'f64', 'reinterpret_i64', 'l>d');
run(plain, 0xc0, 'i32', 'extend8_s extend16_s', 'i>i');
run(plain, 0xc2, 'i64', 'extend8_s extend16_s extend32_s', 'l>l');

/** After 0xfc, 0 to 7; what follows them there has indices. */
export const saturating: Table = [];
run(saturating, 0, 'i32', 'trunc_sat_f32_s trunc_sat_f32_u', 'f>i');
run(saturating, 2, 'i32', 'trunc_sat_f64_s trunc_sat_f64_u', 'd>i');
run(saturating, 4, 'i64', 'trunc_sat_f32_s trunc_sat_f32_u', 'f>l');
run(saturating, 6, 'i64', 'trunc_sat_f64_s trunc_sat_f64_u', 'd>l');

/** After 0xfe. The alignment of an atomic access is exactly its natural one. */
export const atomic: Table = [];
accesses(atomic, 0x00, [
  'memory.atomic.notify 4 ii>i',
  'memory.atomic.wait32 4 iil>i',
  'memory.atomic.wait64 8 ill>i',
]);
atomic[0x03] = operator('atomic.fence >', 'zero');
accesses(atomic, 0x10, [
  'i32.atomic.load 4 i>i',
  'i64.atomic.load 8 i>l',
  'i32.atomic.load8_u 1 i>i',
  'i32.atomic.load16_u 2 i>i',
  'i64.atomic.load8_u 1 i>l',
  'i64.atomic.load16_u 2 i>l',
  'i64.atomic.load32_u 4 i>l',
  'i32.atomic.store 4 ii>',
  'i64.atomic.store 8 il>',
  'i32.atomic.store8 1 ii>',
  'i32.atomic.store16 2 ii>',
  'i64.atomic.store8 1 il>',
  'i64.atomic.store16 2 il>',
  'i64.atomic.store32 4 il>',
]);
['add', 'sub', 'and', 'or', 'xor', 'xchg', 'cmpxchg'].forEach((change, place) => {
  const i32 = change === 'cmpxchg' ? 'iii>i' : 'ii>i';
  const i64 = change === 'cmpxchg' ? 'ill>l' : 'il>l';
  accesses(atomic, 0x1e + 7 * place, [
    `i32.atomic.rmw.${change} 4 ${i32}`,
    `i64.atomic.rmw.${change} 8 ${i64}`,
    `i32.atomic.rmw8.${change}_u 1 ${i32}`,
    `i32.atomic.rmw16.${change}_u 2 ${i32}`,
    `i64.atomic.rmw8.${change}_u 1 ${i64}`,
    `i64.atomic.rmw16.${change}_u 2 ${i64}`,
    `i64.atomic.rmw32.${change}_u 4 ${i64}`,
  ]);
});
