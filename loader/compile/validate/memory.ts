// Memory accesses, and instructions on memories and data segments (core specification 3.4.11, 3.4.12).
import { type MemoryType, ValueType } from '../module.ts';
import type { Operator } from '../opcodes.ts';
import type { Typing } from './typing.ts';

const WITH_INDEX = 0x40;
const { i32 } = ValueType;

function memory(t: Typing): MemoryType {
  return memoryAt(t, t.r.u32());
}

function memoryAt(t: Typing, index: number): MemoryType {
  return t.module.memories[index] ?? t.fail(`unknown memory ${index}`);
}

/** Reads alignment, memory index and offset. */
function memoryArgument(t: Typing, operator: Operator, exact: boolean): MemoryType {
  const flags = t.r.u32();
  if (flags >= 0x80) t.fail('malformed memop flags');
  const type = memoryAt(t, flags & WITH_INDEX ? t.r.u32() : 0);
  const alignment = 2 ** (flags & 0x3f);
  if (alignment > operator.accessBytes) {
    t.fail(`alignment must not be larger than natural: ${alignment}, ${operator.accessBytes}`);
  }
  if (exact && alignment < operator.accessBytes) t.fail('atomic alignment must be natural');
  const offset = t.r.u64Rounded();
  if (!type.is64 && offset > 0xffffffff) t.fail(`offset out of range: ${offset}`);
  return type;
}

/** A load or store; an operator's first parameter is the address. */
export function access(t: Typing, operator: Operator, exact = false): void {
  const address = t.addressType(memoryArgument(t, operator, exact));
  if (operator.immediates === 'memarg-lane') lane(t, operator);
  const { params, results } = operator;
  for (let i = params.length - 1; i > 0; i--) t.pop(params[i] as ValueType);
  t.pop(address);
  t.pushAll(results);
}

export function lane(t: Typing, operator: Operator): void {
  const found = t.r.u8();
  if (found >= operator.lanes) t.fail(`invalid lane index ${found}, want less than ${operator.lanes}`);
}

export function memorySize(t: Typing): void {
  t.push(t.addressType(memory(t)));
}

export function memoryGrow(t: Typing): void {
  const address = t.addressType(memory(t));
  t.pop(address);
  t.push(address);
}

export function memoryFill(t: Typing): void {
  const address = t.addressType(memory(t));
  t.pop(address);
  t.pop(i32);
  t.pop(address);
}

export function memoryCopy(t: Typing): void {
  const to = memory(t);
  const from = memory(t);
  t.pop(t.addressType({ is64: to.is64 && from.is64 }));
  t.pop(t.addressType(from));
  t.pop(t.addressType(to));
}

export function memoryInit(t: Typing): void {
  dataSegment(t);
  const address = t.addressType(memory(t));
  t.pop(i32);
  t.pop(i32);
  t.pop(address);
}

/** Reads the index of a data segment: with the count section, a body can be validated before the data is there. */
export function dataSegment(t: Typing): void {
  const index = t.r.u32();
  const { dataCount } = t.module;
  if (dataCount === undefined) t.fail('data count section required');
  if (index >= dataCount) t.fail(`unknown data segment ${index}`);
}
