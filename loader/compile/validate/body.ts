// Function bodies (core specification 3.5.2).
import type { FunctionBody } from '../module.ts';
import { instruction } from './instruction.ts';
import type { Types, Typing } from './typing.ts';

/** Checks the body of function `index` of the index space. */
export function body(t: Typing, index: number, { locals, code }: FunctionBody): void {
  const { params, results } = t.functionType(index);
  t.enter(code, results, 'function', index);
  setLocals(t, params, locals);
  while (t.depth > 0) {
    t.at = t.r.at;
    if (t.r.done) t.fail('unexpected end: END opcode expected');
    instruction(t);
  }
  t.at = t.r.at;
  if (!t.r.done) t.fail('unexpected content after the end');
}

function setLocals(t: Typing, params: Types, locals: FunctionBody['locals']): void {
  const count = locals.reduce((sum, each) => sum + each.count, params.length);
  if (count > t.locals.length) t.locals = new Uint8Array(2 * count);
  t.locals.set(params);
  let at = params.length;
  for (const each of locals) {
    t.locals.fill(each.type, at, at + each.count);
    at += each.count;
  }
  t.localCount = count;
}
