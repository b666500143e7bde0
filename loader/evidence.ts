// Where the pages of a mapping physically are, by frame number. Looked up when asked for: residency is measured, never
// inferred from how something was mapped.
import type { Medium } from './backing.ts';
import { type Census, type ImageHandle, native, type RangeCensus } from './native.ts';

export type RangeName = 'text' | 'rodata' | 'relro' | 'data' | 'bss';

/** By enum RangeKind of native/ranges.h. */
export const rangeNames: readonly RangeName[] = ['text', 'rodata', 'relro', 'data', 'bss'];

/** One range of the image. Counts are of pages; only resident pages can be shown to be anywhere. */
export interface RangeEvidence extends Omit<Census, 'anonymous'> {
  name: RangeName;
  address: bigint;
  bytes: number;
  /** Pages that are no longer the file's own: copied, or written to. Null where that cannot be told. */
  anonymous: number | null;
}

/** Sums over ranges, in pages; null where not all of it can be told. */
export interface Counts {
  pages: number;
  resident: number | null;
  nvm: number | null;
  ram: number | null;
  /** Neither in NVM nor in System RAM. */
  elsewhere: number | null;
  /** No longer the file's own: copied, or written to. */
  private: number | null;
  swapped: number | null;
}

export type Totals = Partial<Record<RangeName, Counts>>;

/** One image that a program had mapped. */
export interface FileEvidence {
  path: string;
  /** What the file is stored on; null where it could not be opened any more. */
  medium: Medium | null;
  /** None where the mapped file was no longer to be read, as when it had been replaced. */
  ranges: RangeEvidence[];
  totals: Totals;
}

export interface Evidence {
  /** What the counts rest on. */
  source: 'frame numbers' | 'page types, frame numbers are hidden' | 'none';
  ranges: RangeEvidence[];
  /** The ranges added up by what they are for; without those that the image has none of. */
  totals: Totals;
  /** One line for people. */
  summary: string;
  /** Of a program: itself, its interpreter and its libraries, in that order; `ranges` are those of the first. */
  files?: FileEvidence[];
}

/** The census of native code as evidence: what frame numbers alone could tell is not told without them. */
export function asEvidence(ranges: readonly RangeCensus[], medium: Medium | null): RangeEvidence[] {
  const isDax = medium === 'dax' || medium === 'devdax';
  return ranges.map(({ kind, address, length, anonymous, ...census }) => ({
    name: rangeNames[kind] as RangeName,
    address,
    bytes: length,
    ...census,
    anonymous: isDax && census.unknown > 0 ? null : anonymous,
  }));
}

/** Takes the census of an image that this process has mapped with `bias`, by whomever. */
export function takeEvidence(handle: ImageHandle, bias: bigint, medium: Medium): Evidence {
  const ranges = asEvidence(native.imageCensus(handle, bias), medium);
  return { source: sourceOf(ranges), ranges, totals: totalsOf(ranges), summary: summarise(ranges, medium) };
}

export function totalsOf(ranges: readonly RangeEvidence[]): Totals {
  const names = rangeNames.filter((name) => ranges.some((range) => range.name === name));
  return Object.fromEntries(names.map((name) => [name, countsOf(ranges.filter((r) => r.name === name))]));
}

function countsOf(ranges: readonly RangeEvidence[]): Counts {
  const readable = ranges.every((range) => range.readable);
  const framed = readable && ranges.every((range) => range.unknown === 0);
  const sum = (value: (range: RangeEvidence) => number) => ranges.reduce((n, range) => n + value(range), 0);
  const own = readable && ranges.every((range) => range.anonymous !== null);
  return {
    pages: sum((range) => range.pages),
    resident: readable ? sum((range) => range.present) : null,
    nvm: framed ? sum((range) => range.nvm) : null,
    ram: framed ? sum((range) => range.ram) : null,
    elsewhere: framed ? sum((range) => range.other) : null,
    private: own ? sum((range) => range.anonymous as number) : null,
    swapped: readable ? sum((range) => range.swapped) : null,
  };
}

/**
 * Bytes of pages that lie in NVM: DRAM that a copy would take, or the page cache. Null where frames are hidden.
 */
export function dramSaved({ totals }: Evidence): number | null {
  const counts = Object.values(totals).map(({ nvm }) => nvm);
  if (counts.includes(null)) return null;
  return counts.reduce<number>((sum, nvm) => sum + (nvm as number), 0) * native.pageSize;
}

export function sourceOf(ranges: readonly RangeEvidence[]): Evidence['source'] {
  if (!ranges.every((range) => range.readable)) return 'none';
  return ranges.some((range) => range.unknown > 0) ? 'page types, frame numbers are hidden' : 'frame numbers';
}

/** What the text pages' frames show, and nothing beyond it. */
export function summarise(ranges: readonly RangeEvidence[], medium: Medium | null): string {
  const source = sourceOf(ranges);
  if (source === 'none') return 'where the pages are could not be read (/proc/self/pagemap)';
  const text = ranges.filter((range) => range.name === 'text');
  const sum = (key: 'present' | 'nvm' | 'ram' | 'anonymous') =>
    text.reduce((n, range) => n + (range[key] ?? 0), 0);
  const own = sum('present') - sum('anonymous');
  const of = `of ${sum('present')} resident text pages`;
  if (source !== 'frame numbers') {
    const hidden = 'frame numbers need CAP_SYS_ADMIN, so their medium is not shown';
    if (text.some((range) => range.anonymous === null))
      return `${sum('present')} text pages are resident; ${hidden}`;
    return `${own} ${of} are the file's own; ${hidden}`;
  }
  if (medium === 'dax' || medium === 'devdax')
    return `${sum('nvm')} ${of} lie in NVM, ${sum('ram')} in System RAM`;
  const storage =
    medium === 'ram' ? 'the RAM file system itself (volatile)' : 'the page cache, itself a copy';
  return `${own} ${of} are frames of ${storage}, ${sum('anonymous')} are copies; ${sum('nvm')} lie in NVM`;
}
