// One function of V8's that stands for any of compiled code where V8 only has to see that it is given one.
import { typeOfFunction } from './function-reference.ts';
import { asV8Function } from './link-check.ts';

let made: unknown;

/** The value as V8 is to judge it. */
export function standIn(value: unknown): unknown {
  if (typeof value !== 'function' || typeOfFunction(value) === undefined) return value;
  made ??= asV8Function({ params: [], results: [] }, () => undefined);
  return made;
}
