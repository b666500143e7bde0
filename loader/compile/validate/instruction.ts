// One instruction of a function body: what its opcode means for the two stacks (core specification 3.4, 5.4).
import { valueType } from '../decode-types.ts';
import { UnsupportedFeature, ValueType } from '../module.ts';
import { plain } from '../opcodes.ts';
import * as control from './control.ts';
import * as exceptions from './exceptions.ts';
import * as memory from './memory.ts';
import { atomicInstruction, miscellaneous, simdInstruction } from './prefixed.ts';
import * as table from './table.ts';
import { Opens, type Typing, typeName, UNKNOWN } from './typing.ts';

/** Numeric operators by opcode: first parameter, second (0 without one) and result, a byte each. */
const signatures = new Uint32Array(256);
plain.forEach((operator, opcode) => {
  if (operator?.immediates !== 'none') return;
  const { params, results } = operator;
  signatures[opcode] = (params[0] ?? 0) | ((params[1] ?? 0) << 8) | ((results[0] ?? 0) << 16);
});

/** Reads an instruction with its immediates and types it. */
export function instruction(t: Typing): void {
  const opcode = t.r.u8();
  const signature = signatures[opcode] as number;
  if (signature === 0) {
    other(t, opcode);
    return;
  }
  const second = (signature >> 8) & 0xff;
  if (second !== 0) t.pop(second as ValueType);
  t.pop((signature & 0xff) as ValueType);
  t.push((signature >> 16) as ValueType);
}

function other(t: Typing, opcode: number): void {
  switch (opcode) {
    case 0x20:
      t.push(local(t));
      return;
    case 0x21:
      t.pop(local(t));
      return;
    case 0x22: {
      const type = local(t);
      t.pop(type);
      t.push(type);
      return;
    }
    case 0x23:
      t.push(global(t).type);
      return;
    case 0x24:
      globalSet(t);
      return;
    case 0x41:
      t.r.s32();
      t.push(ValueType.i32);
      return;
    case 0x42:
      t.r.s64();
      t.push(ValueType.i64);
      return;
    case 0x43:
      t.r.skip(4);
      t.push(ValueType.f32);
      return;
    case 0x44:
      t.r.skip(8);
      t.push(ValueType.f64);
      return;
    case 0x00:
      t.unreachable();
      return;
    case 0x01:
      return;
    case 0x02:
      control.block(t, Opens.block);
      return;
    case 0x03:
      control.block(t, Opens.loop);
      return;
    case 0x04:
      t.pop(ValueType.i32);
      control.block(t, Opens.if);
      return;
    case 0x05:
      control.otherwise(t);
      return;
    case 0x06:
      exceptions.legacyTry(t);
      return;
    case 0x07:
      exceptions.catches(t);
      return;
    case 0x08:
      exceptions.throws(t);
      return;
    case 0x09:
      exceptions.rethrow(t);
      return;
    case 0x0a:
      exceptions.throwReference(t);
      return;
    case 0x0b:
      control.end(t);
      return;
    case 0x0c:
      control.branch(t);
      return;
    case 0x0d:
      control.branchIf(t);
      return;
    case 0x0e:
      control.branchTable(t);
      return;
    case 0x0f:
      control.returns(t);
      return;
    case 0x10:
      control.call(t);
      return;
    case 0x11:
      control.callIndirect(t);
      return;
    case 0x12:
      control.returnCall(t);
      return;
    case 0x13:
      control.returnCallIndirect(t);
      return;
    case 0x18:
      exceptions.delegate(t);
      return;
    case 0x19:
      exceptions.catchesAll(t);
      return;
    case 0x1a:
      t.popAny();
      return;
    case 0x1b:
      select(t);
      return;
    case 0x1c:
      selectTyped(t);
      return;
    case 0x1f:
      exceptions.tryTable(t);
      return;
    case 0x25:
      table.tableGet(t);
      return;
    case 0x26:
      table.tableSet(t);
      return;
    case 0x3f:
      memory.memorySize(t);
      return;
    case 0x40:
      memory.memoryGrow(t);
      return;
    case 0xd0:
      table.referenceNull(t);
      return;
    case 0xd1:
      table.referenceIsNull(t);
      return;
    case 0xd2:
      table.referenceFunction(t);
      return;
    case 0xfc:
      miscellaneous(t);
      return;
    case 0xfd:
      simdInstruction(t);
      return;
    case 0xfe:
      atomicInstruction(t);
      return;
  }
  const access = plain[opcode];
  if (access === undefined) refuse(t, opcode);
  memory.access(t, access);
}

function refuse(t: Typing, opcode: number): never {
  switch (opcode) {
    case 0x14: // call_ref
    case 0x15: // return_call_ref
    case 0xd4: // ref.as_non_null
    case 0xd5: // br_on_null
    case 0xd6: // br_on_non_null
      throw new UnsupportedFeature('function-references', t.at);
    case 0xd3: // ref.eq
    case 0xfb:
      throw new UnsupportedFeature('gc', t.at);
    case 0xe0: // cont.new
    case 0xe1: // cont.bind
    case 0xe2: // suspend
    case 0xe3: // resume
    case 0xe4: // resume_throw
    case 0xe5: // resume_throw_ref, or switch
    case 0xe6:
      throw new UnsupportedFeature('stack-switching', t.at);
  }
  t.fail(`illegal opcode 0x${opcode.toString(16).padStart(2, '0')}`);
}

function local(t: Typing): ValueType {
  const index = t.r.u32();
  if (index >= t.localCount) t.fail(`unknown local ${index}`);
  return t.locals[index] as ValueType;
}

function global(t: Typing) {
  const index = t.r.u32();
  const found = t.module.globals[index] ?? t.fail(`unknown global ${index}`);
  return found.type;
}

function globalSet(t: Typing): void {
  const { type, mutable } = global(t);
  if (!mutable) t.fail('global is immutable');
  t.pop(type);
}

function select(t: Typing): void {
  t.pop(ValueType.i32);
  const second = t.popAny();
  const first = t.popAny();
  const type = first === UNKNOWN ? second : first;
  if (second !== UNKNOWN && second !== type) {
    t.fail(`type mismatch: select of ${typeName(first)} and ${typeName(second)}`);
  }
  for (const found of [first, second]) {
    if (found !== UNKNOWN && found < ValueType.v128) {
      t.fail(`type mismatch: select of ${typeName(found)} without a type`);
    }
  }
  t.push(type);
}

function selectTyped(t: Typing): void {
  const count = t.r.u32();
  if (count !== 1) t.fail(`invalid result arity: select of ${count}`);
  const type = valueType(t.r);
  t.pop(ValueType.i32);
  t.pop(type);
  t.pop(type);
  t.push(type);
}
