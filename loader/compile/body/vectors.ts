// Vector operators (core specification 4.4.3): each one is a function of simd.h, of the operator's name.
import { UnsupportedFeature, ValueType } from '../module.ts';
import type { Operator } from '../opcodes.ts';
import { simd } from '../opcodes-simd.ts';
import { lanes, memoryArgument } from './immediates.ts';
import { place, popAddress } from './memory.ts';
import type { FunctionWriter } from './writer.ts';

/** The first opcode of relaxed vectors. */
const RELAXED = 0x100;
/** Bytes of a vector. */
const WIDTH = 16;

export function vector(w: FunctionWriter): void {
  w.usesVectors = true;
  const at = w.reader.at;
  const opcode = w.reader.u32();
  // Their results may differ between CPUs; within a process they should not between modules: V8 runs those.
  if (opcode >= RELAXED) throw new UnsupportedFeature('relaxed-simd', at);
  const operator = simd[opcode] as Operator;
  switch (operator.immediates) {
    case 'memarg':
    case 'memarg-lane':
      vectorAccess(w, operator);
      return;
    case 'v128':
      w.pushTemporary(ValueType.v128, `v128_const(${lanes(w.reader, WIDTH).join(', ')})`);
      return;
    case 'shuffle':
      compute(w, operator, lanes(w.reader, WIDTH));
      return;
    default:
      compute(w, operator, lanes(w.reader, operator.immediates === 'lane' ? 1 : 0));
  }
}

function functionOf({ name }: Operator): string {
  return name.replace('.', '_');
}

function compute(w: FunctionWriter, operator: Operator, selected: number[]): void {
  const operands = w.popAll(operator.params).map(({ text }) => text);
  const [vector, value] = operands;
  // replace_lane: vector, lane, value.
  const args =
    operands.length === 2 && selected.length === 1
      ? [vector, selected[0], value]
      : [...operands, ...selected];
  w.pushTemporary(operator.results[0] as ValueType, `${functionOf(operator)}(${args.join(', ')})`);
}

function vectorAccess(w: FunctionWriter, operator: Operator): void {
  const argument = memoryArgument(w.reader);
  const lane = operator.immediates === 'memarg-lane' ? `, ${w.reader.u8()}` : '';
  const vector = operator.params.length === 2 ? `, ${w.popText()}` : '';
  const { base, at } = place(w, argument, popAddress(w, argument), operator.accessBytes);
  const call = `${functionOf(operator)}(${base} + (${at})${vector}${lane})`;
  if (operator.results.length === 0) {
    w.effect(`${call};`);
    return;
  }
  const loaded = w.pushTemporary(ValueType.v128, call);
  w.line(`KEEP_F(${loaded});`);
}
