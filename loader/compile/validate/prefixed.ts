// Instructions of more than one byte: 0xfc, 0xfd, 0xfe, then a number.
import { UnsupportedFeature, type ValueType } from '../module.ts';
import { atomic, type Operator, saturating } from '../opcodes.ts';
import { simd } from '../opcodes-simd.ts';
import * as memory from './memory.ts';
import * as table from './table.ts';
import type { Typing } from './typing.ts';

/** Saturating conversions, bulk memory and tables. */
export function miscellaneous(t: Typing): void {
  const opcode = t.r.u32();
  const operator = saturating[opcode];
  if (operator !== undefined) {
    apply(t, operator);
    return;
  }
  switch (opcode) {
    case 8:
      memory.memoryInit(t);
      return;
    case 9:
      memory.dataSegment(t); // data.drop
      return;
    case 10:
      memory.memoryCopy(t);
      return;
    case 11:
      memory.memoryFill(t);
      return;
    case 12:
      table.tableInit(t);
      return;
    case 13:
      table.elementDrop(t);
      return;
    case 14:
      table.tableCopy(t);
      return;
    case 15:
      table.tableGrow(t);
      return;
    case 16:
      table.tableSize(t);
      return;
    case 17:
      table.tableFill(t);
      return;
    case 18: // memory.discard
      throw new UnsupportedFeature('memory-control', t.at);
    case 19: // i64.add128
    case 20: // i64.sub128
    case 21: // i64.mul_wide_s
    case 22: // i64.mul_wide_u
      throw new UnsupportedFeature('wide-arithmetic', t.at);
  }
  illegal(t, 0xfc, opcode);
}

export function simdInstruction(t: Typing): void {
  const opcode = t.r.u32();
  const operator = simd[opcode] ?? illegal(t, 0xfd, opcode);
  switch (operator.immediates) {
    case 'memarg':
    case 'memarg-lane':
      memory.access(t, operator);
      return;
    case 'lane':
      memory.lane(t, operator);
      break;
    case 'shuffle':
      for (let i = 0; i < 16; i++) memory.lane(t, operator);
      break;
    case 'v128':
      t.r.skip(16);
      break;
  }
  apply(t, operator);
}

export function atomicInstruction(t: Typing): void {
  const opcode = t.r.u32();
  const operator = atomic[opcode];
  if (operator === undefined) {
    // Of shared-everything-threads: accesses to globals, tables, structs and arrays, and pause.
    if (opcode >= 0x4f && opcode <= 0x77) throw new UnsupportedFeature('shared-everything-threads', t.at);
    illegal(t, 0xfe, opcode);
  }
  if (operator.immediates === 'memarg') {
    memory.access(t, operator, true);
  } else if (t.r.u8() !== 0) {
    t.fail('zero byte expected');
  }
}

function apply(t: Typing, { params, results }: Operator): void {
  for (let i = params.length - 1; i >= 0; i--) t.pop(params[i] as ValueType);
  t.pushAll(results);
}

function illegal(t: Typing, prefix: number, opcode: number): never {
  t.fail(`illegal opcode 0x${prefix.toString(16)} 0x${opcode.toString(16).padStart(2, '0')}`);
}
