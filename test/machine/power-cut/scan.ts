// Which records a stream's storage holds. Runs in the guest on file systems that it has recovered, and on the host on
// images of devices.
import { decode, isGenuine } from './record.ts';
import { geometryOf, offsetOf, passOf, type Stream, slotOf } from './streams.ts';

export interface Found {
  /** Records that are whole, in order. */
  whole: number[];
  /** Slots whose checksum holds, and that are not what was written there: a torn record taken for whole. */
  forged: number;
}

/** Bytes of a ring or of a file; fewer at its end. */
export type Read = (offset: number, length: number) => Buffer;

export const inBuffer =
  (bytes: Buffer): Read =>
  (offset, length) =>
    bytes.subarray(offset, offset + length);

/** @param parts the ring as pass -1, or the files by their pass */
export function scan(stream: Stream, parts: Iterable<readonly [pass: number, read: Read]>): Found {
  const { slots, room } = geometryOf(stream);
  const found: Found = { whole: [], forged: 0 };
  for (const [pass, read] of parts)
    for (let slot = 0; slot < slots; slot++) {
      const record = decode(read(offsetOf(stream, slot), room));
      if (record === null) continue;
      const { seq } = record;
      const inPlace =
        record.stream === stream.id &&
        slotOf(stream, seq) === slot &&
        (pass < 0 || passOf(stream, seq) === pass);
      if (inPlace && isGenuine(record, room)) found.whole.push(seq);
      else found.forged++;
    }
  found.whole.sort((a, b) => a - b);
  return found;
}

/** As text of one word: '0-3,5-8', and a second one for the forged. */
export function format({ whole, forged }: Found): string {
  const ranges: [number, number][] = [];
  for (const seq of whole) {
    const last = ranges.at(-1);
    if (last?.[1] === seq - 1) last[1] = seq;
    else ranges.push([seq, seq]);
  }
  return `${ranges.map(([first, last]) => `${first}-${last}`).join(',') || 'none'} ${forged}`;
}

export function parse(ranges: string, forged: string): Found {
  const whole =
    ranges === 'none'
      ? []
      : ranges.split(',').flatMap((range) => {
          const [first = 0, last = 0] = range.split('-').map(Number);
          return Array.from({ length: last - first + 1 }, (_, i) => first + i);
        });
  return { whole, forged: Number(forged) };
}
