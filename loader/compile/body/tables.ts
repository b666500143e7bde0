// Tables (core specification 4.4.6), but for what the runtime does with them (bulk.ts).
import { ValueType } from '../module.ts';
import { C_TYPE } from '../signature.ts';
import type { FunctionWriter } from './writer.ts';

export function table(w: FunctionWriter, index: number): string {
  return index < w.module.imported.tables ? `(*in->t${index})` : `in->t${index}`;
}

export function elementType(w: FunctionWriter, table: number): ValueType {
  return w.module.tables[table]?.type.element as ValueType;
}

export function tableIndexType(w: FunctionWriter, table: number): ValueType {
  return w.module.tables[table]?.type.is64 ? ValueType.i64 : ValueType.i32;
}

function element(w: FunctionWriter, index: number, at: string): string {
  const member = elementType(w, index) === ValueType.funcref ? 'functions' : 'references';
  return `${table(w, index)}.${member}[${at}]`;
}

export function tableGet(w: FunctionWriter): void {
  const index = w.reader.u32();
  const at = w.popName();
  w.trapWhen(`${at} >= ${table(w, index)}.size`, 'TABLE_ACCESS');
  const type = elementType(w, index);
  w.pushTemporary(type, `${type === ValueType.exnref ? '(exception *)' : ''}${element(w, index, at)}`);
}

export function tableSet(w: FunctionWriter): void {
  const index = w.reader.u32();
  const value = w.popText();
  const at = w.popName();
  w.trapWhen(`${at} >= ${table(w, index)}.size`, 'TABLE_ACCESS');
  const cast = elementType(w, index) === ValueType.exnref ? '(u64)' : '';
  w.effect(`${element(w, index, at)} = ${cast}${value};`);
}

export function tableSize(w: FunctionWriter): void {
  const index = w.reader.u32();
  const type = tableIndexType(w, index);
  w.pushTemporary(type, `(${C_TYPE[type]})${table(w, index)}.size`);
}
