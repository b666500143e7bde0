// Exceptions on their way. What throws leaves the exception in runtime->thrown and goes to its landing: the place where
// the innermost try around it looks at the exception, or the function's exit.
import { slotOffsets, wordsOfAll, writeSlot } from '../signature.ts';
import type { Frame } from './frame.ts';
import { dummyReturn } from './jumps.ts';
import type { FunctionWriter } from './writer.ts';

/** A statement that goes where an exception lands that is thrown within the frames up to `from`. */
export function landing(w: FunctionWriter, from = w.frames.length - 1): string {
  for (let at = from; at >= 0; at--) {
    const frame = w.frames[at] as Frame;
    if (frame.kind === 'try' || frame.kind === 'try_table') {
      frame.landed = true;
      return `goto H${frame.id};`;
    }
  }
  w.exits = true;
  return 'goto exit;';
}

/** Where exceptions go that no try of the function is around: to the caller. */
export function exit(w: FunctionWriter): void {
  if (w.exits) w.line('exit:;', dummyReturn(w));
}

/** After whatever may have thrown. */
export function checkThrown(w: FunctionWriter): void {
  if (w.facts.exceptions) w.line(`if (UNLIKELY(${w.runtime()}->thrown)) ${landing(w)}`);
}

export function throwTag(w: FunctionWriter): void {
  w.found.exceptions = true;
  const tag = w.reader.u32();
  const { params } = w.tagType(tag);
  const values = w.popAll(params);
  const at = slotOffsets(params);
  const payload = w.fresh();
  w.line(
    `u64 *${payload} = ${w.runtime()}->throw_tag(&in->h, in->tag[${tag}], ${wordsOfAll(params)});`,
    ...values.map((value, i) => writeSlot(payload, at[i] as number, value.type, value.text)),
    landing(w),
  );
}

export function rethrow(w: FunctionWriter): void {
  const frame = w.target(w.reader.u32());
  w.found.exceptions = true;
  w.found.rethrowers.add(w.index);
  w.line(`${w.runtime()}->thrown = caught${frame.id};`, landing(w));
}

export function throwReference(w: FunctionWriter): void {
  w.found.exceptions = true;
  const value = w.popName();
  w.trapWhen(`${value} == 0`, 'NULL');
  w.line(`${w.runtime()}->thrown = ${value};`, landing(w));
}
