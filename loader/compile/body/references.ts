// References (core specification 4.4.2), and how functions and their types are named in C.
import { ValueType } from '../module.ts';
import { typeKey } from '../signature.ts';
import { pointerNames } from './facts.ts';
import type { FunctionWriter } from './writer.ts';

export function nullReference(w: FunctionWriter): void {
  const type = (w.reader.s33() & 0x7f) as ValueType;
  w.push(type, type === ValueType.funcref ? '(function){0}' : '0', true);
}

export function isNull(w: FunctionWriter): void {
  const value = w.pop();
  const text = value.type === ValueType.funcref ? `(${value.text}).code` : value.text;
  w.pushPure(ValueType.i32, `(u32)(${text} == 0)`, value);
}

export function functionReference(w: FunctionWriter): void {
  const index = w.reader.u32();
  w.functions.add(index);
  w.pushTemporary(ValueType.funcref, functionValue(w, index));
}

function functionValue(w: FunctionWriter, index: number): string {
  if (w.isImported(index)) return `in->f[${index}]`;
  const { code, tail } = pointerNames(index, w.facts);
  const key = keyOf(w, w.typeIndexOf(index));
  const tailAddress = tail === null ? '0' : w.address('wasm_code', tail);
  return `(function){${key}, ${w.address('wasm_code', code)}, in, ${tailAddress}}`;
}

/** What equal types have in common: a constant, or for long ones a number that the instance was given. */
export function keyOf(w: FunctionWriter, typeIndex: number): string {
  const key = typeKey(w.typeAt(typeIndex));
  if (key !== null) return `0x${key.toString(16)}ull`;
  const long = w.module.types.slice(0, typeIndex).filter((type) => typeKey(type) === null).length;
  return `in->key[${long}]`;
}
