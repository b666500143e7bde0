// What must be there after a power cut, given what was told before it.
import type { Found } from './scan.ts';
import { geometryOf, isSynced, passOf, type Stream } from './streams.ts';

export interface Verdict {
  /** Synced records that had to be there whole, and are not. */
  lost: number[];
  forged: number;
  /** How many had to be there. */
  required: number;
  /** Of those that were stored and never synced. */
  notPromised: { stored: number; survived: number };
}

/**
 * @param told the last record that was told to be synced; -1: none. The host may know of fewer than there were.
 */
export function judge(stream: Stream, { whole, forged }: Found, told: number): Verdict {
  const there = new Set(whole);
  const newest = whole.findLast(isSynced) ?? -1;
  const last = Math.max(newest, told);
  const all = Array.from(
    { length: last - firstKept(stream, last) + 1 },
    (_, i) => firstKept(stream, last) + i,
  );
  const required = all.filter(isSynced);
  const unsynced = all.filter((seq) => !isSynced(seq));
  return {
    lost: required.filter((seq) => !there.has(seq)),
    forged,
    required: required.length,
    notPromised: { stored: unsynced.length, survived: unsynced.filter((seq) => there.has(seq)).length },
  };
}

/**
 * What comes before was overwritten or removed, or may have been. In a ring: what comes after `last`, up to the next record
 * that is synced, may be on its way. Of files, the one before the last one stays until a record in the last one is synced.
 */
function firstKept(stream: Stream, last: number): number {
  const { slots } = geometryOf(stream);
  if (stream.kind !== 'ring') return Math.max(0, (passOf(stream, last) - 1) * slots);
  let onItsWay = last + 1;
  while (!isSynced(onItsWay)) onItsWay++;
  return Math.max(0, onItsWay - slots + 1);
}
