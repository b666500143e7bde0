// Where the pages of a mapping physically are, by frame number. Looked up when asked for: residency is measured, never
// inferred from how something was mapped.
import type { Medium } from './backing.ts';
import { type Census, type ImageHandle, native, slot, slots } from './native.ts';
import { planUsed } from './plan.ts';

export type RangeName = 'text' | 'rodata' | 'relro' | 'data' | 'bss';

/** One range of the image. Counts are of pages; only resident pages can be shown to be anywhere. */
export interface RangeEvidence extends Census {
  name: RangeName;
  address: bigint;
  bytes: number;
}

export interface Evidence {
  /** What the counts rest on. */
  source: 'frame numbers' | 'page types, frame numbers are hidden' | 'none';
  ranges: RangeEvidence[];
  /** One line for people. */
  summary: string;
}

interface Range {
  name: RangeName;
  vaddr: number;
  end: number;
}

const down = (value: number, page: number) => value - (value % page);
const up = (value: number, page: number) => down(value + page - 1, page);

/** Page-aligned ranges by what they are for; RELRO is cut out of the segment that it is a part of. */
function rangesOf(handle: ImageHandle, page: number): Range[] {
  const ranges: Range[] = [];
  const add = (name: RangeName, vaddr: number, end: number) => {
    if (end > vaddr) ranges.push({ name, vaddr, end });
  };
  const { segments } = planUsed(handle);
  native.relro(handle, slots);
  const relro = { start: slot(0), end: down(slot(0) + slot(1), page) };
  for (const segment of segments) {
    const start = down(segment.vaddr, page);
    const end = up(segment.vaddr + segment.memSize, page);
    if (segment.prot === 'r-x') add('text', start, end);
    else if (segment.prot === 'r--') add('rodata', start, end);
    else if (segment.placement === 'zero') add('bss', start, end);
    else {
      const split =
        relro.start >= start && relro.start < end ? Math.max(start, Math.min(relro.end, end)) : start;
      add('relro', start, split);
      add('data', split, end);
    }
  }
  return ranges;
}

/** Takes the census of a loaded image. */
export function takeEvidence(handle: ImageHandle, bias: bigint, medium: Medium): Evidence {
  const ranges = rangesOf(handle, native.pageSize).map(({ name, vaddr, end }): RangeEvidence => {
    const address = bias + BigInt(vaddr);
    return { name, address, bytes: end - vaddr, ...native.census(address, end - vaddr) };
  });
  return { source: sourceOf(ranges), ranges, summary: summarise(ranges, medium) };
}

export function sourceOf(ranges: readonly Census[]): Evidence['source'] {
  if (!ranges.every((range) => range.readable)) return 'none';
  return ranges.some((range) => range.unknown > 0) ? 'page types, frame numbers are hidden' : 'frame numbers';
}

/** What the text pages' frames show, and nothing beyond it. */
export function summarise(ranges: readonly (Census & { name: RangeName })[], medium: Medium): string {
  const source = sourceOf(ranges);
  if (source === 'none') return 'where the pages are could not be read (/proc/self/pagemap)';
  const text = ranges.filter((range) => range.name === 'text');
  const sum = (key: 'present' | 'nvm' | 'ram' | 'anonymous') => text.reduce((n, range) => n + range[key], 0);
  const own = sum('present') - sum('anonymous');
  const of = `of ${sum('present')} resident text pages`;
  if (source !== 'frame numbers')
    return `${own} ${of} are the file's own; frame numbers need CAP_SYS_ADMIN, so their medium is not shown`;
  if (medium === 'dax' || medium === 'devdax')
    return `${sum('nvm')} ${of} lie in NVM, ${sum('ram')} in System RAM`;
  const storage = medium === 'ram' ? 'the RAM file system itself (volatile)' : 'the page cache';
  return `${own} ${of} are frames of ${storage}, ${sum('anonymous')} are copies; ${sum('nvm')} lie in NVM`;
}
