// try with catch, catch_all and delegate (the legacy exception proposal), and the ends of all frames that catch.
import type { ValueType } from '../module.ts';
import { readSlot, slotOffsets } from '../signature.ts';
import type { Frame } from './frame.ts';
import { finishArm, pushVariables } from './jumps.ts';
import { landing } from './thrown.ts';
import { land, landTable } from './try-table.ts';
import type { FunctionWriter } from './writer.ts';

/** catch, and catch_all (tag null); `live` when its place is reached from the instruction before. */
export function catchClause(w: FunctionWriter, tag: number | null, live: boolean): void {
  const frame = w.top();
  if (live) finishArm(w, frame);
  const first = frame.kind === 'try';
  frame.kind = 'catch';
  w.stack.length = frame.height;
  if (first) land(w, frame);
  else w.line(nextCatch(frame));
  if (tag === null) {
    w.line(`${w.runtime()}->thrown = 0;`);
    frame.catches = -1;
  } else catchTag(w, frame, tag);
}

function catchTag(w: FunctionWriter, frame: Frame, tag: number): void {
  const rt = w.runtime();
  const caught = `caught${frame.id}`;
  w.line(`if (${caught}->tag != in->tag[${tag}]) goto N${frame.id}_${frame.catches};`, `${rt}->thrown = 0;`);
  pushPayload(w, caught, w.tagType(tag).params);
  if (!w.facts.rethrowers.has(w.index)) w.line(`${rt}->release(${rt}, ${caught});`);
  frame.catches++;
}

/** The label that the last clause with a tag goes to for another tag. */
function nextCatch(frame: Frame): string {
  return `N${frame.id}_${frame.catches - 1}:;`;
}

function pushPayload(w: FunctionWriter, exception: string, params: ValueType[]): void {
  const at = slotOffsets(params);
  params.forEach((type, i) => {
    w.pushTemporary(type, readSlot(`${exception}->payload`, at[i] as number, type));
  });
}

/** Ends a try, the catches of one, or a try_table; answers whether its own end can be reached from before. */
export function endOfCatching(w: FunctionWriter, frame: Frame, live: boolean): boolean {
  if (frame.kind === 'catch') return endOfCatches(w, frame, live);
  if (!frame.landed) return live;
  if (live) finishArm(w, frame);
  w.stack.length = frame.height;
  if (frame.kind === 'try') passOn(w, frame, 1);
  else landTable(w, frame);
  return false;
}

/** An exception that no clause was for goes on; after a catch_all there is none. */
function endOfCatches(w: FunctionWriter, frame: Frame, live: boolean): boolean {
  if (frame.catches < 0) return live;
  if (live) finishArm(w, frame);
  w.line(nextCatch(frame), landing(w, w.frames.length - 2));
  return false;
}

/** What lands in the innermost frame lands so many frames further out instead. */
function passOn(w: FunctionWriter, frame: Frame, depth: number): void {
  w.line(`H${frame.id}:;`, landing(w, w.frames.length - 1 - depth));
}

/** delegate, which ends its try; answers whether the instruction after it can be reached. */
export function delegate(w: FunctionWriter, depth: number, live: boolean): boolean {
  w.found.exceptions = true;
  const frame = w.top();
  if (live) finishArm(w, frame);
  w.stack.length = frame.height;
  // The label is counted from outside of the try.
  if (frame.landed) passOn(w, frame, depth + 1);
  w.frames.pop();
  if (!frame.targeted) return false;
  w.line(`L${frame.id}:;`);
  pushVariables(w, frame);
  return true;
}
