// Exported functions in bulk. V8 names a function for free when the name stands in its source; naming each by hand is
// most of what an instantiation costs (0.6 of 0.7 µs a function). So the second instantiation of an image writes the
// source, out of numbers and nothing else; where code from strings is forbidden, functions go on being named by hand.
import { type AnyFunction, type Callee, enter, exportedFunction, planOf } from './function.ts';
import { FUNCTION, type Shape } from './shape.ts';

/** All exported functions of the module's own, in the order of `indices`. */
export interface ExportMaker {
  make(owner: Callee): AnyFunction[];
  /** Where a function of that index is among them. */
  at: Map<number, number>;
}

const PARAMETERS = ['a', 'b', 'c', 'd', 'e', 'f'];

function functionSource(shape: Shape, index: number, place: number, plan: number): string {
  const count = shape.parameterCount(index);
  if (count > PARAMETERS.length) return `exportedFunction(owner, ${index}, ${place})`;
  const names = PARAMETERS.slice(0, count);
  const list = names.join(', ');
  // As exportedFunction: all conversions come before the first store.
  const convert = names.map((name) => `${name} = +${name};`).join(' ');
  const store = names.map((name, i) => `plan.views[${i}][plan.at[${i}]] = ${name};`).join(' ');
  return `{ "${index}": (${list}) => {
  const plan = plans[${plan}] ??= planOf(owner, ${index}, ${place});
  if (plan.general !== null) return plan.general([${list}]);
  ${convert} ${store}
  return enter(plan);
} }["${index}"]`;
}

/** What makes all exported functions of the module's own; null where V8 may not make code from strings. */
export function exportMaker(shape: Shape): ExportMaker | null {
  const made = new Map<number, string>();
  shape.forEachExport((_name, kind, index, place) => {
    if (kind !== FUNCTION || place < 0 || made.has(index)) return;
    made.set(index, functionSource(shape, index, place, made.size));
  });
  const items = [...made.values()].join(',\n');
  const source = `return (owner) => { const plans = new Array(${made.size}).fill(null); return [${items}]; };`;
  try {
    const make = new Function('planOf', 'enter', 'exportedFunction', source)(planOf, enter, exportedFunction);
    return { make, at: new Map([...made.keys()].map((index, at) => [index, at])) };
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return null;
  }
}
