// What V8 says of an instantiation that cannot be: its own error, in this Node's words.
import type { CompiledImage } from './image.ts';
import type { ImportReads } from './reads.ts';
import { skeletonOf } from './skeleton.ts';
import { likeness } from './twins.ts';
import { V8 } from './v8.ts';

const OWN_TEXT = 'WebAssembly.Instance()';

/** The same error with another beginning: V8 names the function that was called. */
function renamed(error: unknown, text: string): unknown {
  if (!(error instanceof Error) || !error.message.startsWith(OWN_TEXT)) return error;
  const Class = error.constructor as new (message: string) => Error;
  return new Class(text + error.message.slice(OWN_TEXT.length));
}

export type Judgement = { error: unknown } | 'fits' | 'not known';

/** `segments`: whether it is them that do not fit; V8 then writes those that do to memories that are imported. */
export function judge(image: CompiledImage, reads: ImportReads, text: string, segments: boolean): Judgement {
  const skeleton = skeletonOf(image, segments);
  if (skeleton === null) return 'not known';
  try {
    new V8.Instance(skeleton, reads.replay(likeness));
    return 'fits';
  } catch (error) {
    return { error: renamed(error, text) };
  }
}
