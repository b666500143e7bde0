// Atomic accesses, wait and notify (the threads proposal), all of them sequentially consistent.
import { ValueType } from '../module.ts';
import { atomic, type Operator } from '../opcodes.ts';
import { C_TYPE } from '../signature.ts';
import { type MemoryArgument, memoryArgument } from './immediates.ts';
import { checkBounds, place } from './memory.ts';
import { checkThrown } from './thrown.ts';
import type { FunctionWriter } from './writer.ts';

const ORDER = '__ATOMIC_SEQ_CST';
const NOTIFY = 0;
const WAIT64 = 2;

export function atomicOperator(w: FunctionWriter): void {
  const opcode = w.reader.u32();
  const operator = atomic[opcode] as Operator;
  if (operator.immediates === 'zero') {
    w.reader.skip(1);
    w.line(`__atomic_thread_fence(${ORDER});`);
    return;
  }
  const argument = memoryArgument(w.reader);
  const values = w.popAll(operator.params.slice(1)).map(({ text }) => text);
  const address = w.popName();
  checkAlignment(w, argument, address, operator.accessBytes);
  if (opcode <= WAIT64) waitOrNotify(w, opcode, argument, address, values, operator.accessBytes);
  else access(w, operator, argument, address, values);
}

/** Out of bounds comes before unaligned. */
function checkAlignment(
  w: FunctionWriter,
  { memory, offset }: MemoryArgument,
  address: string,
  bytes: number,
): void {
  if (bytes === 1) return;
  const unaligned = `((u64)${address} + ${offset}ull) & ${bytes - 1}`;
  w.line(
    `if (UNLIKELY(${unaligned})) { CHECK(in->m[${memory}], ${address}, ${offset}ull, ${bytes}); TRAP(UNALIGNED); }`,
  );
}

function access(
  w: FunctionWriter,
  { name, results, accessBytes }: Operator,
  argument: MemoryArgument,
  address: string,
  values: string[],
): void {
  const { base, at } = place(w, argument, address, accessBytes);
  const unit = `u${accessBytes * 8}`;
  const pointer = `(${unit} *)(${base} + (${at}))`;
  const [first = '', second = ''] = values;
  const [result] = results;
  if (result === undefined) {
    w.line(`__atomic_store_n(${pointer}, (${unit})${first}, ${ORDER});`);
    return;
  }
  const change = /\.rmw\d*\.(\w+?)(?:_u)?$/.exec(name)?.[1];
  if (change === undefined) {
    const loaded = w.pushTemporary(result, `__atomic_load_n(${pointer}, ${ORDER})`);
    w.line(`KEEP(${loaded});`);
  } else if (change === 'cmpxchg') {
    compareExchange(w, pointer, unit, result, first, second);
  } else {
    const operation = change === 'xchg' ? '__atomic_exchange_n' : `__atomic_fetch_${change}`;
    w.pushTemporary(result, `${operation}(${pointer}, (${unit})${first}, ${ORDER})`);
  }
}

/** The expected value is wrapped to the cell's width, too. */
function compareExchange(
  w: FunctionWriter,
  pointer: string,
  unit: string,
  result: ValueType,
  expected: string,
  replacement: string,
): void {
  const found = w.fresh();
  const exchange = `__atomic_compare_exchange_n(${pointer}, &${found}, (${unit})${replacement}, 0, ${ORDER}, ${ORDER})`;
  w.line(`${unit} ${found} = (${unit})${expected};`, `${exchange};`);
  w.pushTemporary(result, `(${C_TYPE[result]})${found}`);
}

function waitOrNotify(
  w: FunctionWriter,
  opcode: number,
  { memory, offset }: MemoryArgument,
  address: string,
  [first = '', second = '']: string[],
  bytes: number,
): void {
  checkBounds(w, memory, address, offset, bytes);
  const where = `&in->h, ${memory}, (u64)${address} + ${offset}ull`;
  const call =
    opcode === NOTIFY
      ? `memory_notify(${where}, ${first})`
      : `memory_wait(${where}, ${first}, (s64)${second}, ${bytes})`;
  w.pushTemporary(ValueType.i32, `${w.runtime()}->${call}`);
  checkThrown(w);
}
