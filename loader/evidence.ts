// Where the pages of a mapping physically are, by frame number. Looked up when asked for: residency is measured, never
// inferred from how something was mapped.
import type { Medium } from './backing.ts';
import type { Mapping } from './map.ts';
import { type Census, native } from './native.ts';

/** One range of the image. Counts are of pages; only resident pages can be shown to be anywhere. */
export interface RangeEvidence extends Census {
  name: 'text' | 'rodata' | 'relro' | 'data' | 'bss';
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
  name: RangeEvidence['name'];
  vaddr: number;
  end: number;
}

const down = (value: number, page: number) => value - (value % page);
const up = (value: number, page: number) => down(value + page - 1, page);

/** Page-aligned ranges by what they are for; RELRO is cut out of the segment that it is a part of. */
export function rangesOf(mapping: Mapping, page: number): Range[] {
  const { relro } = mapping.image;
  const relroEnd = down(relro.vaddr + relro.size, page);
  const ranges: Range[] = [];
  const add = (name: Range['name'], vaddr: number, end: number) => {
    if (end > vaddr) ranges.push({ name, vaddr, end });
  };
  for (const segment of mapping.plan.segments) {
    const start = down(segment.vaddr, page);
    const end = up(segment.vaddr + segment.memSize, page);
    if (segment.prot === 'r-x') add('text', start, end);
    else if (segment.prot === 'r--') add('rodata', start, end);
    else if (segment.placement === 'zero') add('bss', start, end);
    else {
      const split = relro.size > 0 && relro.vaddr >= start && relro.vaddr < end ? Math.min(relroEnd, end) : start;
      add('relro', start, split);
      add('data', split, end);
    }
  }
  return ranges;
}

/** Takes the census. The mapping must still be there. */
export function takeEvidence(mapping: Mapping, medium: Medium, page: number): Evidence {
  const ranges = rangesOf(mapping, page).map(({ name, vaddr, end }): RangeEvidence => {
    const address = mapping.bias + BigInt(vaddr);
    return { name, address, bytes: end - vaddr, ...native.census(address, end - vaddr) };
  });
  const hidden = ranges.some((range) => range.unknown > 0);
  const readable = ranges.every((range) => range.readable);
  const source = !readable ? 'none' : hidden ? 'page types, frame numbers are hidden' : 'frame numbers';
  return { source, ranges, summary: summarise(source, ranges, medium) };
}

function summarise(source: Evidence['source'], ranges: RangeEvidence[], medium: Medium): string {
  if (source === 'none') return 'where the pages are could not be read (/proc/self/pagemap)';
  const text = ranges.filter((range) => range.name === 'text');
  const sum = (key: 'present' | 'nvm' | 'ram' | 'anonymous') => text.reduce((n, range) => n + range[key], 0);
  const own = sum('present') - sum('anonymous');
  const of = `of ${sum('present')} resident text pages`;
  if (source !== 'frame numbers')
    return `${own} ${of} are the file's own; frame numbers need CAP_SYS_ADMIN, so their medium is not shown`;
  if (medium === 'dax' || medium === 'devdax') return `${sum('nvm')} ${of} lie in NVM, ${sum('ram')} in System RAM`;
  const storage = medium === 'ram' ? 'the RAM file system itself, which is volatile' : 'the page cache';
  return `${own} ${of} are frames of ${storage}; ${sum('nvm')} lie in NVM`;
}
