// Instructions on tables, element segments and references (core specification 3.4.9, 3.4.10).
import { heapType } from '../decode-types.ts';
import { type ElementSegment, type TableType, ValueType } from '../module.ts';
import { type Typing, typeName, UNKNOWN } from './typing.ts';

const { i32 } = ValueType;

function table(t: Typing): TableType {
  const index = t.r.u32();
  const found = t.module.tables[index] ?? t.fail(`unknown table ${index}`);
  return found.type;
}

function elementSegment(t: Typing): ElementSegment {
  const index = t.r.u32();
  return t.module.elements[index] ?? t.fail(`unknown elem segment ${index}`);
}

export function tableGet(t: Typing): void {
  const type = table(t);
  t.pop(t.addressType(type));
  t.push(type.element);
}

export function tableSet(t: Typing): void {
  const type = table(t);
  t.pop(type.element);
  t.pop(t.addressType(type));
}

export function tableSize(t: Typing): void {
  t.push(t.addressType(table(t)));
}

export function tableGrow(t: Typing): void {
  const type = table(t);
  t.pop(t.addressType(type));
  t.pop(type.element);
  t.push(t.addressType(type));
}

export function tableFill(t: Typing): void {
  const type = table(t);
  t.pop(t.addressType(type));
  t.pop(type.element);
  t.pop(t.addressType(type));
}

export function tableCopy(t: Typing): void {
  const to = table(t);
  const from = table(t);
  sameElement(t, to, from.element);
  t.pop(t.addressType({ is64: to.is64 && from.is64 }));
  t.pop(t.addressType(from));
  t.pop(t.addressType(to));
}

export function tableInit(t: Typing): void {
  const segment = elementSegment(t);
  const type = table(t);
  sameElement(t, type, segment.type);
  t.pop(i32);
  t.pop(i32);
  t.pop(t.addressType(type));
}

export function elementDrop(t: Typing): void {
  elementSegment(t);
}

function sameElement(t: Typing, { element }: TableType, found: ValueType): void {
  if (element !== found) t.fail(`type mismatch: a table of ${typeName(element)}, found ${typeName(found)}`);
}

export function referenceNull(t: Typing): void {
  t.push(heapType(t.r));
}

export function referenceIsNull(t: Typing): void {
  const type = t.popAny();
  switch (type) {
    case UNKNOWN:
    case ValueType.funcref:
    case ValueType.externref:
    case ValueType.exnref:
      t.push(i32);
      return;
  }
  t.fail(`type mismatch: ref.is_null wants a reference, found ${typeName(type)}`);
}

export function referenceFunction(t: Typing): void {
  const index = t.r.u32();
  t.functionType(index);
  if (t.declared[index] === 0) t.fail(`undeclared function reference ${index}`);
  t.push(ValueType.funcref);
}
