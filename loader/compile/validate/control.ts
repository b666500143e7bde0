// Blocks, branches and calls (core specification 3.4.1).
import { valueType } from '../decode-types.ts';
import { type FunctionType, ValueType } from '../module.ts';
import { labelTypes, Opens, sameTypes, type Types, type Typing } from './typing.ts';

const EMPTY = 0x40;
const none: Types = [];
/** The results of blocks with one, by value type. */
const single: Types[] = [];
for (const type of Object.values(ValueType)) single[type] = [type];

/** Reads a block type and opens a frame of it. */
export function block(t: Typing, opens: Opens): void {
  const { r } = t;
  const byte = r.done ? 0 : (r.bytes[r.at] as number);
  if (byte === EMPTY) {
    r.u8();
    t.open(opens, none, none);
  } else if (byte > EMPTY && byte < 0x80) {
    t.open(opens, none, single[valueType(r)] ?? none);
  } else {
    const index = r.s33();
    if (index < 0) t.fail('malformed block type');
    const { params, results } = t.type(index);
    t.popAll(params);
    t.open(opens, params, results);
  }
}

export function otherwise(t: Typing): void {
  if (t.frame.opens !== Opens.if) t.fail('else without if');
  const { start, end } = t.close();
  t.open(Opens.else, start, end);
}

export function end(t: Typing): void {
  const frame = t.close();
  // An if without else gives what it takes.
  if (frame.opens === Opens.if && !sameTypes(frame.start, frame.end)) {
    t.fail('type mismatch: if without else, and its parameters are not its results');
  }
  if (t.depth > 0) t.pushAll(frame.end);
}

export function branch(t: Typing): void {
  t.popAll(labelTypes(t.label(t.r.u32())));
  t.unreachable();
}

export function branchIf(t: Typing): void {
  const types = labelTypes(t.label(t.r.u32()));
  t.pop(ValueType.i32);
  t.popAll(types);
  t.pushAll(types);
}

export function branchTable(t: Typing): void {
  const { r } = t;
  t.pop(ValueType.i32);
  const count = r.u32();
  if (count > r.end - r.at) t.fail('unexpected end');
  let arity = -1;
  // The last is the default.
  for (let i = 0; i <= count; i++) {
    const types = labelTypes(t.label(r.u32()));
    if (arity >= 0 && types.length !== arity) {
      t.fail(`type mismatch: br_table has labels of ${arity} and ${types.length} operands`);
    }
    arity = types.length;
    t.peekAll(types);
  }
  t.unreachable();
}

export function returns(t: Typing): void {
  t.popAll(t.label(t.depth - 1).end);
  t.unreachable();
}

export function call(t: Typing): void {
  apply(t, t.functionType(t.r.u32()));
}

export function callIndirect(t: Typing): void {
  apply(t, callee(t));
}

export function returnCall(t: Typing): void {
  tail(t, t.functionType(t.r.u32()));
}

export function returnCallIndirect(t: Typing): void {
  tail(t, callee(t));
}

function callee(t: Typing): FunctionType {
  const type = t.type(t.r.u32());
  const index = t.r.u32();
  const table = t.module.tables[index] ?? t.fail(`unknown table ${index}`);
  if (table.type.element !== ValueType.funcref) t.fail(`type mismatch: table ${index} is not of funcref`);
  t.pop(t.addressType(table.type));
  return type;
}

function apply(t: Typing, type: FunctionType): void {
  t.popAll(type.params);
  t.pushAll(type.results);
}

function tail(t: Typing, type: FunctionType): void {
  t.popAll(type.params);
  const { end: results } = t.label(t.depth - 1);
  if (!sameTypes(type.results, results))
    t.fail("type mismatch: a tail call's results are not the function's");
  t.unreachable();
}
