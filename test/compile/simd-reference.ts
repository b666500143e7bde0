// The answers: a module with one function for each operator, run by this Node's V8 over all cases.
import v8 from 'node:v8';
import { ValueType } from '../../loader/compile/module.ts';
import { CASE_BYTES } from './simd-inputs.ts';
import { accessesMemory, leb, named, type Variant } from './simd-operators.ts';

interface Namespace {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
    imports: object,
  ) => { exports: Record<string, (cases: number, results: number, count: number) => void> };
  Memory: new (type: { initial: number }) => { buffer: ArrayBuffer };
}
const { validate, Module, Instance, Memory } = (globalThis as unknown as { WebAssembly: Namespace })
  .WebAssembly;

/** A result takes 16 bytes; one more makes every store unaligned. */
export const RESULT_BYTES = 17;

/** Instructions that leave the result of the operands, the locals 3, 4 and 5. */
export type Instructions = number[];
const get = (operand: number): Instructions => [0x20, 3 + operand];
const apply = (name: string, ...operands: Instructions[]): Instructions => [
  ...operands.flat(),
  ...named(name).opcode,
];
const [a, b, c] = [get(0), get(1), get(2)];

const memory0 = [0, 0]; // alignment 1, offset 0
const loads: Partial<Record<ValueType, Instructions>> = {
  [ValueType.i32]: [0x28],
  [ValueType.i64]: [0x29],
  [ValueType.f32]: [0x2a],
  [ValueType.f64]: [0x2b],
  [ValueType.v128]: [0xfd, 0],
};
const stores: Partial<Record<ValueType, Instructions>> = {
  [ValueType.i32]: [0x36],
  [ValueType.i64]: [0x37],
  [ValueType.f32]: [0x38],
  [ValueType.f64]: [0x39],
  [ValueType.v128]: [0xfd, 11],
};

/** The operator itself. */
export function itself({ operator, opcode, immediate }: Variant): Instructions {
  return [
    ...operator.params.flatMap((_, operand) => get(operand)),
    ...opcode,
    ...(accessesMemory(operator) ? memory0 : []),
    ...immediate,
  ];
}

/** Of the two relaxed dot products, the second is defined by the first. */
const sumOfPairs = (dot: Instructions): Instructions =>
  apply('i32x4.add', apply('i32x4.extadd_pairwise_i16x8_s', dot), c);

/** Of a relaxed operator: what V8 makes of it on x86-64. */
export function relaxed(variant: Variant): Instructions {
  const top = (shape: string, place: number[]) => apply(`${shape}.shr_s`, c, [0x41, ...place]);
  switch (variant.operator.name) {
    // That of Node 20 chooses by bytes here too, which the specification does not allow; later ones by lanes.
    case 'i32x4.relaxed_laneselect':
      return apply('v128.bitselect', a, b, top('i32x4', [31]));
    case 'i64x2.relaxed_laneselect':
      return apply('v128.bitselect', a, b, top('i64x2', [63]));
    // Node 20 gives what the specification does not allow, once its optimising compiler has been at it.
    case 'i32x4.relaxed_trunc_f32x4_u':
      return apply('i32x4.trunc_sat_f32x4_u', a);
    case 'i32x4.relaxed_trunc_f64x2_u_zero':
      return apply('i32x4.trunc_sat_f64x2_u_zero', a);
    // Where the processor has VPDPBUSD, later V8 do not saturate between the steps.
    case 'i32x4.relaxed_dot_i8x16_i7x16_add_s':
      return sumOfPairs(apply('i16x8.relaxed_dot_i8x16_i7x16_s', a, b));
    default:
      return itself(variant);
  }
}

/** Of a relaxed operator: what it does where no instruction of the processor does otherwise. */
export function strict(name: string): Instructions | undefined {
  if (!name.includes('relaxed')) return undefined;
  const shape = name.slice(0, name.indexOf('.'));
  const operation = name.slice(name.indexOf('_') + 1);
  switch (operation) {
    case 'laneselect':
      return apply('v128.bitselect', a, b, c);
    case 'madd':
      return apply(`${shape}.add`, apply(`${shape}.mul`, a, b), c);
    case 'nmadd':
      return apply(`${shape}.sub`, c, apply(`${shape}.mul`, a, b));
    case 'q15mulr_s':
      return apply('i16x8.q15mulr_sat_s', a, b);
    case 'dot_i8x16_i7x16_s':
      return wrappingDot();
    case 'dot_i8x16_i7x16_add_s':
      return sumOfPairs(wrappingDot());
    case 'swizzle':
    case 'min':
    case 'max':
      return apply(`${shape}.${operation}`, a, b);
    default:
      return operation.startsWith('trunc_')
        ? apply(`${shape}.${operation.replace('trunc_', 'trunc_sat_')}`, a)
        : undefined;
  }
}

/** Every other lane of the products of the lower half and of the upper half, and the lanes between, summed. */
function wrappingDot(): Instructions {
  const products = [apply('i16x8.extmul_low_i8x16_s', a, b), apply('i16x8.extmul_high_i8x16_s', a, b)];
  const lanes = (odd: number) =>
    Array.from({ length: 16 }, (_, byte) => (byte >> 1) * 4 + odd * 2 + (byte & 1));
  const half = (odd: number) => [...apply('i8x16.shuffle', ...products), ...lanes(odd)];
  return apply('i16x8.add', half(0), half(1));
}

export interface Question {
  variant: Variant;
  /** What gives the right result. */
  instructions: Instructions;
}

function section(id: number, items: number[][]): number[] {
  const body = [...leb(items.length), ...items.flat()];
  return [id, ...leb(body.length), ...body];
}

/** (cases, results, count): one result for each case. */
function body({ variant: { operator }, instructions }: Question): number[] {
  const isStore = operator.results.length === 0;
  const operands = operator.params.flatMap((type, operand) => {
    const isAddress = operand === 0 && accessesMemory(operator);
    const value = isAddress ? [0x20, isStore ? 1 : 0] : [0x20, 0, ...load(type, operand * 16)];
    return [...value, 0x21, 3 + operand];
  });
  const [result] = operator.results;
  const answer =
    result === undefined ? instructions : [0x20, 1, ...instructions, ...(stores[result] ?? []), ...memory0];
  const next = [
    [0x20, 0, 0x41, CASE_BYTES, 0x6a, 0x21, 0],
    [0x20, 1, 0x41, RESULT_BYTES, 0x6a, 0x21, 1],
    [0x20, 2, 0x41, 1, 0x6b, 0x22, 2],
  ].flat();
  const locals = [operator.params.length, ...operator.params.flatMap((type) => [1, type])];
  const code = [...locals, 0x03, 0x40, ...operands, ...answer, ...next, 0x0d, 0, 0x0b, 0x0b];
  return [...leb(code.length), ...code];
}

function load(type: ValueType, offset: number): Instructions {
  return [...(loads[type] ?? []), 0, offset];
}

function moduleOf(questions: readonly Question[]): Uint8Array<ArrayBuffer> {
  const { i32 } = ValueType;
  const text = (name: string) => [name.length, ...Buffer.from(name)];
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [[0x60, 3, i32, i32, i32, 0]]),
    ...section(2, [[...text('m'), ...text('m'), 2, 0, 0]]),
    ...section(
      3,
      questions.map(() => [0]),
    ),
    ...section(
      7,
      questions.map((_, index) => [...text(`f${index}`), 0, ...leb(index)]),
    ),
    ...section(10, questions.map(body)),
  ]);
}

export type Ask = (index: number, pool: Buffer) => Buffer;

/** A function that gives the results of one of the questions for a pool of cases, RESULT_BYTES for each. */
export function reference(questions: readonly Question[], largestPool: number): Ask {
  const bytes = moduleOf(questions);
  if (!validate(bytes)) v8.setFlagsFromString('--experimental-wasm-relaxed-simd'); // Node 20
  const memory = new Memory({ initial: Math.ceil((2 * largestPool) / 65536) });
  const instance = new Instance(new Module(bytes), { m: { m: memory } });
  const view = Buffer.from(memory.buffer);
  return (index, pool) => {
    const count = pool.length / CASE_BYTES;
    const size = count * RESULT_BYTES;
    pool.copy(view);
    view.fill(0, pool.length, pool.length + size);
    instance.exports[`f${index}`]?.(0, pool.length, count);
    return Buffer.from(view.subarray(pool.length, pool.length + size));
  };
}
