// Constant expressions (core specification 3.4.15, with extended constants). That they hold constant instructions only,
// ../constant.ts has seen when it looked for their ends.
import { type Expression, ValueType } from '../module.ts';
import { instruction } from './instruction.ts';
import type { Typing } from './typing.ts';

const GLOBAL_GET = 0x23;
const REF_FUNC = 0xd2;

/**
 * Checks that an expression gives a `type` and reads immutable globals below `globals` only. Functions that it names are
 * declared by it.
 */
export function constant(
  t: Typing,
  expression: Expression,
  type: ValueType,
  globals: number,
  place: string,
  index: number,
): void {
  t.enter(expression, [type], place, index);
  while (t.depth > 0) {
    t.at = t.r.at;
    switch (t.r.bytes[t.at]) {
      case GLOBAL_GET:
        globalGet(t, globals);
        break;
      case REF_FUNC:
        functionReference(t);
        break;
      default:
        instruction(t);
    }
  }
}

function globalGet(t: Typing, globals: number): void {
  t.r.u8();
  const index = t.r.u32();
  const global = index < globals ? t.module.globals[index] : undefined;
  if (global === undefined) t.fail(`unknown global ${index}`);
  if (global.type.mutable) t.fail(`constant expression required: global ${index} is mutable`);
  t.push(global.type.type);
}

function functionReference(t: Typing): void {
  t.r.u8();
  const index = t.r.u32();
  t.functionType(index);
  t.declared[index] = 1;
  t.push(ValueType.funcref);
}
