// What is to be mapped how. The rules themselves are native/plan.cc, one set for libraries and for insitu-exec, which
// has no JavaScript; this is their meaning in TypeScript.
import type { Image } from './image.ts';
import { type ImageHandle, native, slot, slots } from './native.ts';

/**
 * in-place: the stored page itself; cow: the stored page until the first write; zero: anonymous zero fill (.bss);
 * copied: read into anonymous memory, always with a reason.
 */
export type Placement = 'in-place' | 'cow' | 'zero' | 'copied';
export type Protection = 'r--' | 'r-x' | 'rw-';

/** Sizes and offsets in bytes; `fileOffset` counts from the start of the image. */
export interface PlanSegment {
  /** Of the program header. */
  readonly index: number;
  readonly type: 'PT_LOAD';
  readonly fileOffset: number;
  readonly fileSize: number;
  readonly vaddr: number;
  readonly memSize: number;
  readonly prot: Protection;
  readonly placement: Placement;
  readonly reason: string;
}

export interface Plan {
  readonly segments: readonly PlanSegment[];
  readonly lo: number;
  readonly hi: number;
  /** bias = congruence (mod alignment), in bytes. */
  readonly alignment: number;
  readonly congruence: number;
  /** Unit of the file's mappings in bytes. */
  readonly granule: number;
}

/** What of the storage matters to a plan. */
export interface StorageRules {
  readonly medium: string;
  readonly granule: number;
}

const protections: Record<number, Protection> = { 1: 'r--', 3: 'rw-', 5: 'r-x' };
const placements: readonly Placement[] = ['in-place', 'cow', 'zero', 'copied'];
const reasons = [
  '',
  'read-only: the stored page itself',
  'writable: a page is copied by the first write to it',
  'zero fill',
  'a copy-load was asked for',
  'read-only and longer than its file bytes: the rest must be zero',
  'device-dax has no private mappings',
  'address and file offset differ modulo the unit of mapping',
  'another segment lies in the same unit of mapping',
  'read-only: the stored page itself; a unit of mapping that holds text and other data is executable',
] as const;

/**
 * Plans the in-place mapping of an image, or with `place` = 'copy' its twin, the copy-load. Pure.
 * @param start where the image starts in its file, in bytes
 */
export function plan(
  image: Image,
  storage: StorageRules,
  place: 'in-place' | 'copy' = 'in-place',
  start = 0,
): Plan {
  native.planOf(image.handle, start, storage.granule, storage.medium !== 'devdax', place === 'copy', slots);
  return planInSlots();
}

/** The plan that a loaded image was mapped by. */
export function planUsed(handle: ImageHandle): Plan {
  native.planUsed(handle, slots);
  return planInSlots();
}

function planInSlots(): Plan {
  const segments: PlanSegment[] = [];
  for (let i = 0; i < slot(0); i++) {
    const k = 32 + 8 * i;
    segments.push({
      index: slot(k),
      type: 'PT_LOAD',
      fileOffset: slot(k + 1),
      fileSize: slot(k + 2),
      vaddr: slot(k + 3),
      memSize: slot(k + 4),
      prot: protections[slot(k + 5)] as Protection,
      placement: placements[slot(k + 6)] as Placement,
      reason: reasons[slot(k + 7)] as string,
    });
  }
  return { segments, lo: slot(1), hi: slot(2), alignment: slot(3), congruence: slot(4), granule: slot(5) };
}
