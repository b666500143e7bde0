// Storage for a new file, laid out so that 2 MiB pages can map it: each 2 MiB block of the file is one extent on a 2 MiB
// boundary of the medium. File systems give no such promise unless they were made for it, but they give storage before
// anything is written to it, and take back what lies badly.
import { ftruncateSync } from 'node:fs';
import { HUGE } from '../huge-pages.ts';
import { native } from '../native.ts';

const COLLAPSE_RANGE = 0x08; // FALLOC_FL_COLLAPSE_RANGE of fallocate(2)

/** ext4's extents of storage that is not written yet hold 128 MiB less 4 KiB: larger requests split inside of a block. */
const STEP = 64 << 20;

/** Each costs a transaction of the file system; a file of 4 GiB in the worst place takes two for each block of it. */
const MOST_CUTS = 4096;

/**
 * Gives an empty file storage for `size` bytes, for huge pages where it can be had: what lies off a boundary is cut out
 * of the file, so that what comes behind it moves up, and replaced at the end.
 * @returns false when the file system sets no storage aside (EOPNOTSUPP), and nothing was done
 * @throws Error of the system call (ENOSPC …)
 */
export function setAside(fd: number, size: number, wantHuge: boolean): boolean {
  if (size === 0) return true;
  try {
    extend(fd, 0, size);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EOPNOTSUPP') return false;
    throw error;
  }
  if (wantHuge && size >= HUGE) straighten(fd, size);
  return true;
}

function extend(fd: number, from: number, to: number): void {
  for (let at = from; at < to; at += STEP) native.allocate(fd, 0, at, Math.min(STEP, to - at));
}

/** Cuts until every block lies well, or no more can be done: no room, no such call, or no end to it. */
function straighten(fd: number, size: number): void {
  let end = size;
  try {
    for (let cuts = 0; cuts < MOST_CUTS; cuts++) {
      const { told, blocks, huge, first, base } = native.hugeLayout(fd, 0, size);
      if (!told || huge === blocks) break;
      const length = toCut(fd, first, base);
      if (length === 0) break;
      // First the new storage, then the cut: what is cut out could be given again at once.
      extend(fd, end, end + length);
      end += length;
      native.allocate(fd, COLLAPSE_RANGE, first, length);
      end -= length;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EOPNOTSUPP' && code !== 'EINVAL' && code !== 'EDQUOT') throw error;
  } finally {
    ftruncateSync(fd, size);
  }
}

/** Bytes from block `at` on to the next place on a boundary, or to the end of an extent that holds no whole block. */
function toCut(fd: number, at: number, base: number): number {
  const extent = native.extentAt(fd, at);
  if (extent === null || extent.logical > at) return 0;
  const left = extent.logical + extent.length - at;
  const off = (base + extent.physical + at - extent.logical) % HUGE;
  const skip = off === 0 ? 0 : HUGE - off;
  return skip > 0 && skip + HUGE <= left ? skip : left;
}
