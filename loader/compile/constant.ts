// Constant expressions (core specification 3.4.15, with extended constants): where one ends. Its types are checked by
// validate/constant.ts.
import { heapType } from './decode-types.ts';
import { type Expression, UnsupportedFeature } from './module.ts';
import type { Reader } from './reader.ts';

/** Passes over a constant expression and its `end`. */
export function constantExpression(r: Reader): Expression {
  const start = r.at;
  while (constantInstruction(r)) {}
  return { start, end: r.at };
}

/** False after `end`. */
function constantInstruction(r: Reader): boolean {
  const at = r.at;
  switch (r.u8()) {
    case 0x0b:
      return false;
    case 0x23: // global.get
    case 0xd2: // ref.func
      r.u32();
      return true;
    case 0x41:
      r.s32();
      return true;
    case 0x42:
      r.s64();
      return true;
    case 0x43:
      r.skip(4);
      return true;
    case 0x44:
      r.skip(8);
      return true;
    case 0x6a: // i32.add, i32.sub, i32.mul
    case 0x6b:
    case 0x6c:
    case 0x7c: // i64.add, i64.sub, i64.mul
    case 0x7d:
    case 0x7e:
      return true;
    case 0xd0: // ref.null
      heapType(r);
      return true;
    case 0xfb:
      throw new UnsupportedFeature('gc', at);
    case 0xfd:
      if (r.u32() !== 12) r.fail('constant expression required', at); // v128.const
      r.skip(16);
      return true;
  }
  r.fail('constant expression required', at);
}
