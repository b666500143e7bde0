// Where the pages of a program, its interpreter and its libraries were when it ended.
import { type Medium, OpenFile, sense } from '../../loader/backing.ts';
import {
  asEvidence,
  type Evidence,
  type FileEvidence,
  sourceOf,
  summarise,
  totalsOf,
} from '../../loader/evidence.ts';
import { type HugePages, hugePagesOfImage } from '../../loader/huge-pages.ts';
import { read } from '../../loader/image.ts';
import { native, type ProcessOutcome } from '../../loader/native.ts';
import type { Start } from './index.ts';

export function evidenceOf(outcome: ProcessOutcome, start: Start): Evidence {
  if (!outcome.traced) return nothing('the program could not be looked at when it ended (ptrace)');
  const files = outcome.images.map(({ path, ranges }, i): FileEvidence => {
    const medium = i === 0 && outcome.isWatched ? start.backing.medium : mediumOf(path);
    const evidence = asEvidence(ranges, medium);
    return { path, medium, ranges: evidence, totals: totalsOf(evidence) };
  });
  const [first] = files;
  if (first === undefined || first.ranges.length === 0)
    return { ...nothing('no image was to be found in the program when it ended'), files };
  const { ranges, totals, medium } = first;
  const summary = `${becoming(outcome, start)}${summarise(ranges, medium)}`;
  return { source: sourceOf(files.flatMap((file) => file.ranges)), ranges, totals, summary, files };
}

/** Whether huge pages can map its text where it is stored; null of a script, and of a copy. */
export function hugePagesOf({ file: path, start, located, way, place, format }: Start): HugePages | null {
  if (format !== 'elf-program' || place === 'copy') return null;
  using file = new OpenFile(path, start, located.size);
  const image = read(file);
  try {
    return hugePagesOfImage(file, image, way === 'execve');
  } finally {
    native.closeImage(image.handle);
  }
}

/** A program may have become another one by execve(2); a script is run by its interpreter from the start. */
function becoming({ isWatched, executable }: ProcessOutcome, { format }: Start): string {
  if (isWatched) return '';
  return format === 'script' ? `of its interpreter ${executable}: ` : `it had become ${executable}: `;
}

/** By its name, which may be another file's by now; null where there is none. */
function mediumOf(path: string): Medium | null {
  try {
    return sense(path).medium;
  } catch {
    return null;
  }
}

function nothing(summary: string): Evidence {
  return { source: 'none', ranges: [], totals: {}, summary };
}
