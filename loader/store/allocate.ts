// Where the next entry goes. Pure: from what is taken to what is free.

/** [start, end) in bytes. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

const MIB2 = 2 << 20;

/** What an entry starts at a multiple of, and takes whole ones of: large ones can be mapped by huge pages. */
export function unitOf(size: number, granule: number): number {
  return size >= MIB2 && granule < MIB2 ? MIB2 : granule;
}

export const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** What of `all` none of `taken` covers, in order. Ranges of `taken` may overlap, and reach beyond `all`. */
export function freeRanges(all: Range, taken: readonly Range[]): Range[] {
  const free: Range[] = [];
  let at = all.start;
  for (const range of [...taken].sort((a, b) => a.start - b.start)) {
    if (range.start > at) free.push({ start: at, end: Math.min(range.start, all.end) });
    at = Math.max(at, range.end);
    if (at >= all.end) return free;
  }
  if (at < all.end) free.push({ start: at, end: all.end });
  return free;
}

/**
 * The first place of `span` bytes at a multiple of `unit` from `cursor` on, and then from the beginning. As `cursor`
 * is where the last allocation ended, what was never used comes first, and after that what was freed longest ago.
 * @returns its start; undefined when nothing fits
 */
export function firstFit(
  free: readonly Range[],
  cursor: number,
  span: number,
  unit: number,
): number | undefined {
  const fit = ({ start, end }: Range) => {
    const at = roundUp(start, unit);
    return at + span <= end ? at : undefined;
  };
  const behind = free
    .filter(({ end }) => end > cursor)
    .map(({ start, end }) => ({ start: Math.max(start, cursor), end }));
  for (const range of [...behind, ...free]) {
    const at = fit(range);
    if (at !== undefined) return at;
  }
  return undefined;
}

/** Bytes of the largest place at a multiple of `unit`. */
export function largest(free: readonly Range[], unit: number): number {
  return free.reduce((most, { start, end }) => Math.max(most, end - roundUp(start, unit)), 0);
}
