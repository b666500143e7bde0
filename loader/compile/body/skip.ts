// Code that cannot be reached is valid and has no types that emission could go by: it is read over, not emitted.

import { atomic, type Operator, plain } from '../opcodes.ts';
import { simd } from '../opcodes-simd.ts';
import type { Reader } from '../reader.ts';
import { catchClause, delegate } from './catching.ts';
import { end, otherwise } from './control.ts';
import { blockType, catchArguments, labels, memoryArgument, valueTypes } from './immediates.ts';
import type { FunctionWriter } from './writer.ts';

const TRY_TABLE = 0x1f;
/** block, loop, if, try, try_table. */
const OPENING: ReadonlySet<number> = new Set([0x02, 0x03, 0x04, 0x06, TRY_TABLE]);

/**
 * Reads on to where the innermost frame goes on or ends, and emits that. Answers whether the instruction after it can be
 * reached.
 */
export function skip(w: FunctionWriter): boolean {
  let depth = 0;
  for (;;) {
    const opcode = w.reader.u8();
    if (depth === 0) {
      const live = boundary(w, opcode);
      if (live !== null) return live;
    }
    if (OPENING.has(opcode)) depth++;
    else if (opcode === 0x0b || opcode === 0x18) depth--;
    skipImmediates(w, opcode);
  }
}

/** An else, catch, catch_all, delegate or end of the innermost frame; null for all others. */
function boundary(w: FunctionWriter, opcode: number): boolean | null {
  switch (opcode) {
    case 0x05:
      otherwise(w, false);
      return true;
    case 0x07:
      catchClause(w, w.reader.u32(), false);
      return true;
    case 0x0b:
      return end(w, false);
    case 0x18:
      return delegate(w, w.reader.u32(), false);
    case 0x19:
      catchClause(w, null, false);
      return true;
    default:
      return null;
  }
}

/** By opcode, how many indices and nothing else follow. */
const INDICES: Record<number, number> = {
  7: 1, // catch
  8: 1, // throw
  9: 1, // rethrow
  12: 1, // br
  13: 1, // br_if
  16: 1, // call
  17: 2, // call_indirect
  18: 1, // return_call
  19: 2, // return_call_indirect
  24: 1, // delegate
  32: 1, // local.get
  33: 1, // local.set
  34: 1, // local.tee
  35: 1, // global.get
  36: 1, // global.set
  37: 1, // table.get
  38: 1, // table.set
  63: 1, // memory.size
  64: 1, // memory.grow
  210: 1, // ref.func
};

/** The same after 0xfc, from memory.init on. */
const BULK_INDICES = [2, 1, 2, 1, 2, 1, 2, 1, 1, 1];
const MEMORY_INIT = 8;

function skipIndices(reader: Reader, count: number): void {
  for (let i = 0; i < count; i++) reader.u32();
}

function skipImmediates({ reader, module }: FunctionWriter, opcode: number): void {
  const indices = INDICES[opcode];
  if (indices !== undefined) {
    skipIndices(reader, indices);
    return;
  }
  if (OPENING.has(opcode)) {
    blockType(reader, module.types);
    if (opcode === TRY_TABLE) catchArguments(reader);
    return;
  }
  switch (opcode) {
    case 0x0e: // br_table
      labels(reader);
      return;
    case 0x1c: // select with types
      valueTypes(reader);
      return;
    case 0x41: // i32.const
      reader.s32();
      return;
    case 0x42: // i64.const
      reader.s64();
      return;
    case 0x43: // f32.const
      reader.skip(4);
      return;
    case 0x44: // f64.const
      reader.skip(8);
      return;
    case 0xd0: // ref.null
      reader.s33();
      return;
    case 0xfc:
      skipIndices(reader, BULK_INDICES[reader.u32() - MEMORY_INIT] ?? 0);
      return;
    case 0xfd:
      skipOperands(reader, simd[reader.u32()]);
      return;
    case 0xfe:
      skipOperands(reader, atomic[reader.u32()]);
      return;
    default:
      skipOperands(reader, plain[opcode]);
  }
}

function skipOperands(reader: Reader, operator: Operator | undefined): void {
  const immediates = operator?.immediates ?? 'none';
  if (immediates.startsWith('memarg')) memoryArgument(reader);
  if (immediates === 'lane' || immediates === 'zero' || immediates === 'memarg-lane') reader.skip(1);
  if (immediates === 'shuffle' || immediates === 'v128') reader.skip(16);
}
