// A plan carried out: segments mapped where they lie, or read into anonymous memory where the plan says so. One native
// call; nothing of it is executable until link.ts has relocated it.
import { inFile } from './error.ts';
import type { Image } from './image.ts';
import { native, slots } from './native.ts';
import type { Placement, Plan, Protection } from './plan.ts';

/** Addresses are of this process. Valid until the image is closed. */
export interface Mapping {
  readonly image: Image;
  readonly plan: Plan;
  /** Lowest mapped address. */
  readonly base: bigint;
  /** Address in memory minus link-time address. */
  readonly bias: bigint;
  /** Bytes of file mapped as they are stored, whole pages; private (cow) ones included. */
  readonly bytesMapped: number;
  /** Bytes read into anonymous memory. */
  readonly bytesCopied: number;
}

const protections: Record<Protection, number> = { 'r--': 1, 'rw-': 3, 'r-x': 5 };
const placements: Record<Placement, number> = { 'in-place': 0, cow: 1, zero: 2, copied: 3 };

/** @throws LoadError; nothing stays mapped then. The image's backing must be open. */
export function map(image: Image, plan: Plan): Mapping {
  slots[0] = plan.segments.length;
  slots[1] = plan.lo;
  slots[2] = plan.hi;
  slots[3] = plan.alignment;
  slots[4] = plan.congruence;
  slots[5] = plan.granule;
  let at = 32;
  for (const segment of plan.segments) {
    slots[at] = segment.fileOffset;
    slots[at + 1] = segment.fileSize;
    slots[at + 2] = segment.vaddr;
    slots[at + 3] = segment.memSize;
    slots[at + 4] = protections[segment.prot];
    slots[at + 5] = placements[segment.placement];
    at += 6;
  }
  try {
    native.mapImage(image.handle, slots);
  } catch (error) {
    throw inFile(image.path, error);
  }
  return {
    image,
    plan,
    base: BigInt(slots[0] as number),
    bias: BigInt(slots[1] as number),
    bytesMapped: slots[2] as number,
    bytesCopied: slots[3] as number,
  };
}
