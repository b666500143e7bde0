// Which function emits an opcode (core specification 5.4). Those that opcodes.ts has a row for are not listed here.
import { type Operator, plain } from '../opcodes.ts';
import { atomicOperator } from './atomics.ts';
import { prefixed } from './bulk.ts';
import { call, callIndirect } from './calls.ts';
import { catchClause, delegate } from './catching.ts';
import { constantF32, constantF64, constantI32, constantI64 } from './constants.ts';
import { branch, branchIf, branchTable, end, enter, enterIf, otherwise, returnValues } from './control.ts';
import { valueTypes } from './immediates.ts';
import { memoryAccess, memoryGrow, memorySize } from './memory.ts';
import { numeric } from './numeric.ts';
import { functionReference, isNull, nullReference } from './references.ts';
import { tableGet, tableSet } from './tables.ts';
import { returnCall, returnCallIndirect } from './tail-calls.ts';
import { rethrow, throwReference, throwTag } from './thrown.ts';
import { enterTryTable } from './try-table.ts';
import { getGlobal, getLocal, select, setGlobal, setLocal, teeLocal } from './variables.ts';
import { vector } from './vectors.ts';
import type { FunctionWriter } from './writer.ts';

/** What follows them can be reached. */
const straight: Record<number, (w: FunctionWriter) => void> = {
  1: nop,
  2: (w) => enter(w, 'block'),
  3: (w) => enter(w, 'loop'),
  4: enterIf,
  5: (w) => otherwise(w, true),
  6: enterTry,
  7: (w) => catchClause(w, w.reader.u32(), true),
  13: branchIf,
  16: call,
  17: callIndirect,
  25: (w) => catchClause(w, null, true),
  26: (w) => w.pop(),
  27: select,
  28: selectTyped,
  31: enterTryTable,
  32: getLocal,
  33: setLocal,
  34: teeLocal,
  35: getGlobal,
  36: setGlobal,
  37: tableGet,
  38: tableSet,
  63: memorySize,
  64: memoryGrow,
  65: constantI32,
  66: constantI64,
  67: constantF32,
  68: constantF64,
  208: nullReference,
  209: isNull,
  210: functionReference,
  252: prefixed,
  253: vector,
  254: atomicOperator,
};

/** What follows them cannot. */
const leaving: Record<number, (w: FunctionWriter) => void> = {
  0: unreachable,
  8: throwTag,
  9: rethrow,
  10: throwReference,
  12: branch,
  14: branchTable,
  15: returnValues,
  18: returnCall,
  19: returnCallIndirect,
};

/** They know themselves. */
const ending: Record<number, (w: FunctionWriter) => boolean> = {
  11: (w) => end(w, true),
  24: (w) => delegate(w, w.reader.u32(), true),
};

/** Emits one instruction that can be reached; answers whether the next one can be too. */
export function instruction(w: FunctionWriter): boolean {
  const opcode = w.reader.u8();
  const operator = plain[opcode];
  if (operator !== undefined) {
    emitOperator(w, operator);
    return true;
  }
  const ends = ending[opcode];
  if (ends !== undefined) return ends(w);
  const goesOn = straight[opcode];
  if (goesOn === undefined) {
    leaving[opcode]?.(w);
    return false;
  }
  goesOn(w);
  return true;
}

function emitOperator(w: FunctionWriter, operator: Operator): void {
  if (operator.immediates === 'memarg') memoryAccess(w, operator);
  else numeric(w, operator);
}

function nop(): void {
  // Nothing to emit.
}

function unreachable(w: FunctionWriter): void {
  w.line('TRAP(UNREACHABLE);');
}

function enterTry(w: FunctionWriter): void {
  w.found.exceptions = true;
  enter(w, 'try');
}

function selectTyped(w: FunctionWriter): void {
  valueTypes(w.reader);
  select(w);
}
