// One function body as C, in a single pass over its instructions: values become expressions (writer.ts), structured
// control becomes labels and gotos of one flat function (control.ts).
import { type Module, ValueType } from '../module.ts';
import { parameterList, resultType } from '../signature.ts';
import type { EmittedFunction, Facts } from './facts.ts';
import { instruction } from './instructions.ts';
import { skip } from './skip.ts';
import { exit } from './thrown.ts';
import { declareLocals, parameter } from './variables.ts';
import { FunctionWriter } from './writer.ts';

export { type EmittedFunction, type Facts, pointerNames } from './facts.ts';

/**
 * The C function c<index> of a validated module, or n<index> where `facts` has it as a tail caller. `index` counts
 * imported functions too, and is not one of them; what the body tells of the module is added to `found`.
 * @throws UnsupportedFeature for an operator that is not compiled
 */
export function emitBody(module: Module, index: number, facts: Facts, found: Facts): EmittedFunction {
  const w = new FunctionWriter(module, index, facts, found);
  declareLocals(w);
  w.frames.push(w.frame('function', [], w.type.results));
  let live = true;
  while (w.frames.length > 0) live = live ? instruction(w) : skip(w);
  exit(w);
  return {
    text: `${head(w)} {\n${[...opening(w), ...w.declarations, ...w.lines].join('\n')}\n}\n`,
    functions: w.functions,
    enters: w.enters,
    usesVectors: w.usesVectors || namesVectors(w),
  };
}

function head(w: FunctionWriter): string {
  const name = w.facts.tailCallers.has(w.index) ? `n${w.index}` : `c${w.index}`;
  return `${resultType(w.type)} ${name}(${parameterList('instance *in', w.type, (i) => parameter(w, i))})`;
}

/** What is fetched once, if it is used at all. */
function opening(w: FunctionWriter): string[] {
  const runtime = w.usesRuntime ? ['struct wasm_runtime *const rt = in->h.runtime;'] : [];
  return [...runtime, ...[...w.bases].map((memory) => `u8 *const b${memory} = in->b[${memory}];`)];
}

function namesVectors(w: FunctionWriter): boolean {
  return w.localTypes.includes(ValueType.v128) || w.type.results.includes(ValueType.v128);
}
