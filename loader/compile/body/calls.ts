// Calls (core specification 4.4.8): of the module's own functions by name, of all others through a pointer.
import { type FunctionType, ValueType } from '../module.ts';
import {
  functionPointer,
  readSlot,
  returnsInSlots,
  signatureName,
  slotOffsets,
  writeSlot,
} from '../signature.ts';
import { keyOf } from './references.ts';
import { table } from './tables.ts';
import { checkThrown } from './thrown.ts';
import type { FunctionWriter } from './writer.ts';

/** Arguments as C passes them: references to functions by pointer. */
function popArguments(w: FunctionWriter, type: FunctionType): string[] {
  return w
    .popAll(type.params)
    .map((value) => (value.type === ValueType.funcref ? `&${w.temporary(value)}` : value.text));
}

/** The call of a function of this instance by its name. */
export function directCall(w: FunctionWriter, index: number): string {
  w.functions.add(index);
  return `c${index}(${['in', ...popArguments(w, w.typeAt(w.typeIndexOf(index)))].join(', ')})`;
}

export function call(w: FunctionWriter): void {
  const index = w.reader.u32();
  const typeIndex = w.typeIndexOf(index);
  if (w.isImported(index)) callPointer(w, typeIndex, `in->f[${index}].code`, `in->f[${index}].instance`);
  else finishCall(w, w.typeAt(typeIndex), directCall(w, index));
}

export function callIndirect(w: FunctionWriter): void {
  const { slot, typeIndex } = calledSlot(w);
  callPointer(w, typeIndex, `${slot}->code`, `${slot}->instance`);
}

/** The slot of the table that is called, as the name of a pointer; bounds and type are checked. */
export function calledSlot(w: FunctionWriter): { slot: string; typeIndex: number } {
  const typeIndex = w.reader.u32();
  const from = table(w, w.reader.u32());
  const at = w.popName();
  w.trapWhen(`${at} >= ${from}.size`, 'TABLE');
  const slot = w.fresh();
  w.line(`const function *${slot} = &${from}.functions[${at}];`);
  w.trapWhen(`${slot}->type != ${keyOf(w, typeIndex)}`, 'SIGNATURE');
  return { slot, typeIndex };
}

/** A call that leaves the instance. */
function callPointer(w: FunctionWriter, typeIndex: number, code: string, instance: string): void {
  const type = w.typeAt(typeIndex);
  if (!w.facts.exceptions) {
    const args = [instance, ...popArguments(w, type)].join(', ');
    finishCall(w, type, `((${functionPointer(type)})${code})(${args})`);
    return;
  }
  // Whatever is thrown there comes back as runtime->thrown.
  const rt = w.runtime();
  storeArguments(w, type, `${rt}->slots`);
  w.enters.add(typeIndex);
  const enter = w.address('wasm_enter', `enter_${signatureName(type)}`);
  w.line(`${rt}->call_catching(${rt}, ${enter}, ${code}, ${instance});`);
  checkThrown(w);
  pushFromSlots(w, type.results);
}

/** Pops the arguments of a call into words, for an enter thunk. */
export function storeArguments(w: FunctionWriter, type: FunctionType, words: string): void {
  const at = slotOffsets(type.params);
  w.popAll(type.params).forEach((value, i) => {
    w.line(writeSlot(words, at[i] as number, value.type, value.text));
  });
}

function pushFromSlots(w: FunctionWriter, types: ValueType[]): void {
  const at = slotOffsets(types);
  types.forEach((type, i) => {
    w.pushTemporary(type, readSlot(`${w.runtime()}->slots`, at[i] as number, type));
  });
}

function finishCall(w: FunctionWriter, type: FunctionType, call: string): void {
  const [result] = type.results;
  if (result !== undefined && !returnsInSlots(type)) {
    w.pushTemporary(result, call);
    checkThrown(w);
    return;
  }
  w.line(`${call};`);
  checkThrown(w);
  pushFromSlots(w, type.results);
}
