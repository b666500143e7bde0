import type { Mapping } from './map.ts';
import { native } from './native.ts';
import type { Stopwatch } from './report.ts';

/** Faults every page of text in now, so that none is met at run time. */
export function prefault(mapping: Mapping, watch: Stopwatch): void {
  for (const { prot, vaddr, memSize } of mapping.plan.segments)
    if (prot === 'r-x') native.touchPages(mapping.bias + BigInt(vaddr), memSize);
  watch.phase('prefault');
}
