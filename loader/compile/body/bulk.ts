// What follows 0xfc: saturating conversions, and what the runtime does with whole ranges of memories and tables.
import { ValueType } from '../module.ts';
import { type Operator, saturating } from '../opcodes.ts';
import { C_TYPE } from '../signature.ts';
import { numeric } from './numeric.ts';
import { elementType, tableIndexType, tableSize } from './tables.ts';
import type { FunctionWriter } from './writer.ts';

const bulk: Record<number, (w: FunctionWriter) => void> = {
  8: (w) => initialize(w, 'memory_init'),
  9: (w) => drop(w, 'data_drop'),
  10: (w) => copy(w, 'memory_copy'),
  11: memoryFill,
  12: (w) => initialize(w, 'table_init'),
  13: (w) => drop(w, 'element_drop'),
  14: (w) => copy(w, 'table_copy'),
  15: tableGrow,
  16: tableSize,
  17: tableFill,
};

export function prefixed(w: FunctionWriter): void {
  const opcode = w.reader.u32();
  const own = bulk[opcode];
  if (own === undefined) numeric(w, saturating[opcode] as Operator);
  else own(w);
}

function call(w: FunctionWriter, name: string, ...args: (string | number)[]): string {
  return `${w.runtime()}->${name}(${['&in->h', ...args].join(', ')})`;
}

/** Three operands, the deepest one first: mostly where to, where from and how much. */
function popThree(w: FunctionWriter): [string, string, string] {
  const third = w.popText();
  const second = w.popText();
  return [w.popText(), second, third];
}

function initialize(w: FunctionWriter, name: 'memory_init' | 'table_init'): void {
  const segment = w.reader.u32();
  const into = w.reader.u32();
  w.line(`${call(w, name, into, segment, ...popThree(w))};`);
}

function drop(w: FunctionWriter, name: 'data_drop' | 'element_drop'): void {
  w.line(`${call(w, name, w.reader.u32())};`);
}

function copy(w: FunctionWriter, name: 'memory_copy' | 'table_copy'): void {
  const to = w.reader.u32();
  const from = w.reader.u32();
  w.line(`${call(w, name, to, from, ...popThree(w))};`);
}

function memoryFill(w: FunctionWriter): void {
  const memory = w.reader.u32();
  w.line(`${call(w, 'memory_fill', memory, ...popThree(w))};`);
}

/** What a function of the runtime wants of an element: a pointer and a word, one of them unused. */
function popElement(w: FunctionWriter, table: number): string {
  if (elementType(w, table) === ValueType.funcref) return `&${w.temporary(w.pop())}, 0`;
  return `(const function *)0, (u64)${w.popText()}`;
}

function tableGrow(w: FunctionWriter): void {
  const table = w.reader.u32();
  const count = w.popText();
  const element = popElement(w, table);
  const type = tableIndexType(w, table);
  w.pushTemporary(type, `(${C_TYPE[type]})${call(w, 'table_grow', table, count, element)}`);
}

function tableFill(w: FunctionWriter): void {
  const table = w.reader.u32();
  const count = w.popText();
  const element = popElement(w, table);
  const at = w.popText();
  w.line(`${call(w, 'table_fill', table, at, element, count)};`);
}
