// Numeric operators (core specification 4.4.1), by the names that expressions.ts knows.
import { pureExpression, trappingExpression } from '../expressions.ts';
import { UnsupportedFeature, type ValueType } from '../module.ts';
import type { Operator } from '../opcodes.ts';
import type { FunctionWriter } from './writer.ts';

/** @throws UnsupportedFeature for an operator without an expression in C */
export function numeric(w: FunctionWriter, operator: Operator): void {
  const { name, params, results } = operator;
  const second = params.length === 2 ? w.pop() : null;
  const first = w.pop();
  const text = pureExpression(name, first.text, second?.text ?? '');
  if (text !== null) {
    w.pushPure(results[0] as ValueType, text, first, ...(second === null ? [] : [second]));
    return;
  }
  w.stack.push(first);
  if (second !== null) w.stack.push(second);
  trapping(w, operator);
}

function trapping(w: FunctionWriter, { name, params, results }: Operator): void {
  const b = params.length === 2 ? w.popName() : '';
  const a = w.popName();
  const expression = trappingExpression(name, a, b);
  if (expression === null) throw new UnsupportedFeature(name, w.reader.at);
  for (const { when, trap } of expression.traps) w.trapWhen(when, trap);
  w.pushTemporary(results[0] as ValueType, expression.value);
}
