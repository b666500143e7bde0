// try_table (the exception handling proposal) and what it shares with the legacy try: the landing of what is thrown within.
import { readSlot, slotOffsets } from '../signature.ts';
import type { Clause, Frame } from './frame.ts';
import { blockType, catchArguments } from './immediates.ts';
import { jump } from './jumps.ts';
import { landing } from './thrown.ts';
import type { FunctionWriter } from './writer.ts';

export function enterTryTable(w: FunctionWriter): void {
  w.found.exceptions = true;
  const { params, results } = blockType(w.reader, w.module.types);
  // Labels are counted from outside of the try_table, which is not on the stack of frames yet.
  const clauses = catchArguments(w.reader).map(
    ({ tag, withReference, depth }): Clause => ({ tag, withReference, frame: w.target(depth) }),
  );
  w.settleFrom(0);
  const frame = w.frame('try_table', params, results);
  frame.clauses = clauses;
  w.frames.push(frame);
}

/** The place that calls within a frame jump to, with the exception by name. */
export function land(w: FunctionWriter, frame: Frame): void {
  w.declarations.push(`exception *caught${frame.id} = 0;`);
  w.line(`H${frame.id}:;`, `caught${frame.id} = ${w.runtime()}->thrown;`);
}

/** Goes to the label of the first clause that is for the exception; without one it goes on. */
export function landTable(w: FunctionWriter, frame: Frame): void {
  land(w, frame);
  for (const clause of frame.clauses) w.line(catching(w, `caught${frame.id}`, clause));
  w.line(landing(w, w.frames.length - 2));
}

function catching(w: FunctionWriter, caught: string, { tag, withReference, frame }: Clause): string {
  const types = tag === null ? [] : w.tagType(tag).params;
  const at = slotOffsets(types);
  const values = types.map((type, i) => readSlot(`${caught}->payload`, at[i] as number, type));
  if (withReference) values.push(caught);
  const condition = tag === null ? '1' : `${caught}->tag == in->tag[${tag}]`;
  return `if (${condition}) { ${w.runtime()}->thrown = 0; ${jump(w, frame, values)} }`;
}
