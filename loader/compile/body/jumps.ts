// Labels and what is carried to them. Each frame has a C variable for each value that its label takes; a jump assigns
// them and goes there.
import type { ValueType } from '../module.ts';
import { C_TYPE, resultType, returnsInSlots, slotOffsets, writeSlot } from '../signature.ts';
import type { Frame } from './frame.ts';
import type { FunctionWriter } from './writer.ts';

/** What a jump to the frame's label takes along. */
export function labelTypes(frame: Frame): ValueType[] {
  return frame.kind === 'loop' ? frame.params : frame.results;
}

function variable(frame: Frame, index: number): string {
  return `${frame.kind === 'loop' ? 'q' : 'r'}${frame.id}_${index}`;
}

// In front of all statements: a goto may not jump over them.
function declareVariables(w: FunctionWriter, frame: Frame): void {
  if (frame.declared) return;
  frame.declared = true;
  labelTypes(frame).forEach((type, index) => {
    w.declarations.push(`${C_TYPE[type]} ${variable(frame, index)};`);
  });
}

/** Statements that leave `values` where the frame's label expects them. */
export function assignments(w: FunctionWriter, frame: Frame, values: string[]): string[] {
  declareVariables(w, frame);
  return values.map((text, index) => `${variable(frame, index)} = ${text};`);
}

/** The stack as it is at the frame's label, for one that is reached by jumps. */
export function pushVariables(w: FunctionWriter, frame: Frame): void {
  w.stack.length = frame.height;
  labelTypes(frame).forEach((type, index) => {
    w.push(type, variable(frame, index));
  });
}

/** The topmost values, one for each type, still on the stack and safe to be assigned one after the other. */
export function peek(w: FunctionWriter, types: ValueType[]): string[] {
  const from = w.stack.length - types.length;
  if (types.length > 1) w.settleFrom(from);
  return w.stack.slice(from).map(({ text }) => text);
}

/** Statements that jump to a frame's label with values. */
export function jump(w: FunctionWriter, frame: Frame, values: string[]): string {
  if (frame.kind === 'function') return returnOf(w, values);
  frame.targeted = true;
  return [...assignments(w, frame, values), `goto L${frame.id};`].join(' ');
}

/** Leaves one arm of a frame that has several for its end. */
export function finishArm(w: FunctionWriter, frame: Frame): void {
  w.line(...assignments(w, frame, peek(w, frame.results)), `goto L${frame.id};`);
  frame.targeted = true;
}

/** Statements that return values. */
export function returnOf(w: FunctionWriter, values: string[]): string {
  const { results } = w.type;
  if (!returnsInSlots(w.type)) return values.length === 0 ? 'return;' : `return ${values[0]};`;
  const at = slotOffsets(results);
  const rt = w.runtime();
  const stores = results.map((type, i) =>
    writeSlot(`${rt}->slots`, at[i] as number, type, values[i] as string),
  );
  return `${stores.join(' ')} return;`;
}

/** A return where nobody looks at the result: an exception or a tail call is pending. */
export function dummyReturn(w: FunctionWriter): string {
  const type = resultType(w.type);
  if (type === 'void') return 'return;';
  return type === 'v128' ? 'return (v128){0};' : 'return 0;';
}
