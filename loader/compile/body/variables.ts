// Locals and globals (core specification 4.4.5), and select (4.4.4).
import { isPointerGlobal } from '../layout.ts';
import { ValueType } from '../module.ts';
import { C_TYPE } from '../signature.ts';
import type { FunctionWriter } from './writer.ts';

/** A parameter's name in C. References to functions come by pointer, and are locals once they are read. */
export function parameter(w: FunctionWriter, index: number): string {
  return w.type.params[index] === ValueType.funcref ? `p${index}` : `l${index}`;
}

export function declareLocals(w: FunctionWriter): void {
  w.type.params.forEach((type, index) => {
    w.localTypes.push(type);
    if (type === ValueType.funcref) w.declarations.push(`function l${index} = *p${index};`);
  });
  for (const { count, type } of w.body.locals)
    for (let i = 0; i < count; i++) {
      const zero = type === ValueType.v128 || type === ValueType.funcref ? '{0}' : '0';
      w.declarations.push(`${C_TYPE[type]} l${w.localTypes.length} = ${zero};`);
      w.localTypes.push(type);
    }
}

function pushLocal(w: FunctionWriter, local: number): void {
  w.push(w.localTypes[local] as ValueType, `l${local}`, false, [local]);
}

function assignLocal(w: FunctionWriter, local: number): void {
  const value = w.pop();
  w.settleReadersOf(local);
  w.line(`l${local} = ${value.text};`);
}

export function getLocal(w: FunctionWriter): void {
  pushLocal(w, w.reader.u32());
}

export function setLocal(w: FunctionWriter): void {
  assignLocal(w, w.reader.u32());
}

export function teeLocal(w: FunctionWriter): void {
  const local = w.reader.u32();
  assignLocal(w, local);
  pushLocal(w, local);
}

function global(w: FunctionWriter, index: number): string {
  return isPointerGlobal(w.module, index) ? `(*in->g${index})` : `in->g${index}`;
}

export function getGlobal(w: FunctionWriter): void {
  const index = w.reader.u32();
  const { type } = (w.module.globals[index] as { type: { type: ValueType } }).type;
  w.pushTemporary(type, global(w, index));
}

export function setGlobal(w: FunctionWriter): void {
  w.effect(`${global(w, w.reader.u32())} = ${w.popText()};`);
}

export function select(w: FunctionWriter): void {
  const condition = w.pop();
  const second = w.pop();
  const first = w.pop();
  const { type } = first;
  w.pushPure(type, `(${condition.text} ? ${first.text} : ${second.text})`, condition, first, second);
  if (type === ValueType.v128 || type === ValueType.funcref) w.settleTop();
}
