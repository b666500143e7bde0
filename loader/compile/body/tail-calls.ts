// Tail calls (return_call, of the tail call proposal). C promises none: a function leaves the call that it ends with to
// whoever called it, as runtime->tail, and the loop in c<N> (units.ts) makes it. So a chain of them needs one frame.
import { resultType, signatureName, wordsOfAll } from '../signature.ts';
import { calledSlot, directCall, storeArguments } from './calls.ts';
import { dummyReturn } from './jumps.ts';
import type { FunctionWriter } from './writer.ts';

export function returnCall(w: FunctionWriter): void {
  const index = w.reader.u32();
  const typeIndex = w.typeIndexOf(index);
  if (w.isImported(index)) tailCallPointer(w, typeIndex, `in->f[${index}]`);
  else if (w.facts.tailCallers.has(index)) {
    w.functions.add(index);
    pend(w, typeIndex, w.address('wasm_code', `n${index}`), 'in');
  } else callAndReturn(w, index);
}

/** It makes no tail call itself: one frame more, and no chain. Known at the next emission. */
function callAndReturn(w: FunctionWriter, index: number): void {
  const call = directCall(w, index);
  w.found.tailCallers.add(w.index);
  const isVoid = resultType(w.typeAt(w.typeIndexOf(index))) === 'void';
  w.line(isVoid ? `${call}; return;` : `return ${call};`);
}

export function returnCallIndirect(w: FunctionWriter): void {
  const { slot, typeIndex } = calledSlot(w);
  tailCallPointer(w, typeIndex, `(*${slot})`);
}

function tailCallPointer(w: FunctionWriter, typeIndex: number, target: string): void {
  const code = w.fresh();
  w.line(`wasm_code ${code} = ${target}.tail ? ${target}.tail : ${target}.code;`);
  pend(w, typeIndex, code, `${target}.instance`);
}

/** Leaves a tail call to whoever called. */
function pend(w: FunctionWriter, typeIndex: number, code: string, instance: string): void {
  w.found.tailCallers.add(w.index);
  const type = w.typeAt(typeIndex);
  const rt = w.runtime();
  storeArguments(w, type, `(${rt}->slots + WASM_TAIL)`);
  w.enters.add(typeIndex);
  const enter = w.address('wasm_enter', `enter_${signatureName(type)}`);
  w.line(
    `${rt}->tail.enter = ${enter}; ${rt}->tail.code = ${code}; ${rt}->tail.instance = ${instance}; ${rt}->tail.words = ${wordsOfAll(type.params)};`,
    dummyReturn(w),
  );
}
