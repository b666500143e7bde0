// What is to be mapped how. Pure: numbers in, numbers out, so that every rule is a row of a table in the tests.
import type { Image, Segment } from './image.ts';

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
  /** bias = congruence (mod alignment). */
  readonly alignment: number;
  readonly congruence: number;
  /** Unit of the backing's mappings in bytes. */
  readonly granule: number;
}

/** What of the backing matters. */
export interface PlanBacking {
  readonly medium: string;
  readonly granule: number;
}

const HUGE = 2 << 20;
const PF_X = 1;
const PF_W = 2;
const MAX_ALIGNMENT = 1 << 30;

const down = (value: number, unit: number) => value - (value % unit);
const up = (value: number, unit: number) => down(value + unit - 1, unit);

function protection(flags: number): Protection {
  return flags & PF_W ? 'rw-' : flags & PF_X ? 'r-x' : 'r--';
}

/** Why a segment of this file can't be mapped where it lies; empty when it can. */
function obstacle(segment: Segment, image: Image, backing: PlanBacking, page: number): string {
  const { flags, vaddr, fileOffset, fileSize, memSize } = segment;
  const unit = backing.granule;
  if (flags & PF_W && backing.medium === 'devdax') return 'device-dax has no private mappings';
  if (!(flags & PF_W) && memSize > fileSize)
    return 'read-only and longer than its file bytes: the rest must be zero';
  if (unit === page) return '';
  if ((vaddr - fileOffset) % unit !== 0) return `address and file offset differ modulo ${unit} bytes`;
  const alone = image.segments.every(
    (other) =>
      other === segment ||
      other.vaddr >= up(vaddr + memSize, unit) ||
      up(other.vaddr + other.memSize, page) <= down(vaddr, unit),
  );
  return alone ? '' : `shares a unit of mapping of ${unit} bytes with another segment`;
}

function segmentsOf(segment: Segment, reasonToCopy: string, page: number): PlanSegment[] {
  const { index, flags, fileOffset, fileSize, vaddr, memSize } = segment;
  const prot = protection(flags);
  const common = { index, type: 'PT_LOAD' as const, prot };
  if (fileSize === 0)
    return [{ ...common, fileOffset, fileSize, vaddr, memSize, placement: 'zero', reason: 'zero fill' }];
  if (reasonToCopy !== '')
    return [{ ...common, fileOffset, fileSize, vaddr, memSize, placement: 'copied', reason: reasonToCopy }];
  if (prot !== 'rw-')
    return [{ ...common, fileOffset, fileSize, vaddr, memSize, placement: 'in-place', reason: 'read-only' }];
  const stored = Math.min(memSize, up(vaddr + fileSize, page) - vaddr);
  const data: PlanSegment = {
    ...common,
    fileOffset,
    fileSize,
    vaddr,
    memSize: stored,
    placement: 'cow',
    reason: 'writable: a page is copied by the first write to it',
  };
  if (stored === memSize) return [data];
  const rest = { ...common, fileOffset: fileOffset + stored, fileSize: 0, vaddr: vaddr + stored };
  return [data, { ...rest, memSize: memSize - stored, placement: 'zero', reason: 'zero fill' }];
}

/** Text of 2 MiB and more is put where huge pages could map it: congruent to its file offset modulo 2 MiB. */
function alignmentOf(image: Image, start: number, backing: PlanBacking, page: number) {
  const text = image.segments.find((s) => s.flags & PF_X && s.fileSize >= HUGE);
  let alignment = Math.max(page, backing.granule, Math.min(image.maxAlign, MAX_ALIGNMENT));
  if (!text) return { alignment, congruence: 0 };
  const difference = start + text.fileOffset - text.vaddr;
  const wanted = ((difference % HUGE) + HUGE) % HUGE;
  if (alignment > page && wanted % Math.min(alignment, HUGE) !== 0) return { alignment, congruence: 0 };
  alignment = Math.max(alignment, HUGE);
  return { alignment, congruence: wanted };
}

/**
 * Plans the in-place mapping of an image, or with `place` = 'copy' its twin, the copy-load.
 * @param start where the image starts in its file, in bytes
 * @param page page size in bytes
 */
export function plan(
  image: Image,
  backing: PlanBacking,
  place: 'in-place' | 'copy',
  page: number,
  start = 0,
): Plan {
  const segments: PlanSegment[] = [];
  for (const segment of image.segments) {
    const reason = place === 'copy' ? 'copy-load was asked for' : obstacle(segment, image, backing, page);
    segments.push(...segmentsOf(segment, reason, page));
  }
  const granule = place === 'copy' ? page : backing.granule;
  const aligned = alignmentOf(image, start, place === 'copy' ? { ...backing, granule } : backing, page);
  return { segments, lo: image.lo, hi: image.hi, granule, ...aligned };
}
