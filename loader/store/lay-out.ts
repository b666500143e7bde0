// Storage for a new file, laid out so that 2 MiB pages can map it: each 2 MiB block of the file is one extent on a 2 MiB
// boundary of the medium. File systems promise no such thing unless they were made for it, but they give storage before
// anything is written to it, and take back what lies badly: more is asked for than is needed, and what lies off a
// boundary is cut out of the file, so that what comes behind it moves up.
import { fstatSync, ftruncateSync, statfsSync } from 'node:fs';
import { HUGE } from '../huge-pages.ts';
import { native } from '../native.ts';

const COLLAPSE_RANGE = 0x08; // FALLOC_FL_COLLAPSE_RANGE of fallocate(2)

/** ext4's extents of storage that is not written yet hold 128 MiB less 4 KiB: larger requests split inside of a block. */
const STEP = 64 << 20;

/** How often more is asked for; free storage in small pieces gives less than a block for each block asked for. */
const MOST_ROUNDS = 16;

/** In bytes; `place` is on the medium. */
export interface Piece {
  readonly logical: number;
  readonly place: number;
  readonly length: number;
}

export interface Cut {
  start: number;
  length: number;
}

/**
 * Gives an empty file storage for `size` bytes, for huge pages where that can be had.
 * @returns false when the file system sets no storage aside (EOPNOTSUPP), and nothing was done
 * @throws Error of the system call (ENOSPC …)
 */
export function setAside(path: string, fd: number, size: number, wantHuge: boolean): boolean {
  if (size === 0) return true;
  try {
    extend(fd, 0, size);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EOPNOTSUPP') return false;
    throw error;
  }
  if (wantHuge && size >= HUGE) straighten(path, fd, size);
  return true;
}

function extend(fd: number, from: number, to: number): void {
  for (let at = from; at < to; at += STEP) native.allocate(fd, 0, at, Math.min(STEP, to - at));
}

/** As far as it can be had: without room for more, or on a file system that cuts nothing out, the rest stays as it is. */
function straighten(path: string, fd: number, size: number): void {
  let end = size;
  try {
    let pieces = piecesOf(fd, end);
    for (let round = 0; round < MOST_ROUNDS && wholeBlocks(pieces) < Math.ceil(size / HUGE); round++) {
      const more = (Math.ceil(size / HUGE) - wholeBlocks(pieces) + 1) * HUGE;
      if (pieces.length === 0 || !mayTake(path, more)) break;
      extend(fd, end, end + more);
      end += more;
      pieces = piecesOf(fd, end);
    }
    // From the last to the first, so that those before it stay where they are. What is cut out is free again only now,
    // or it would be given again.
    for (const { start, length } of cutsOf(pieces, size).reverse())
      native.allocate(fd, COLLAPSE_RANGE, start, length);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ENOSPC', 'EDQUOT', 'EOPNOTSUPP', 'EINVAL', 'EFBIG'].includes(code)) throw error;
  } finally {
    ftruncateSync(fd, size);
  }
}

/** Half of what is free is left to others meanwhile. */
function mayTake(path: string, bytes: number): boolean {
  const { bavail, bsize } = statfsSync(path);
  return bytes <= (bavail * bsize) / 2;
}

/** None where the file system does not tell. */
function piecesOf(fd: number, end: number): Piece[] {
  const { told, base } = native.hugeLayout(fd, 0, 0);
  const pieces: Piece[] = [];
  if (!told || end > fstatSync(fd).size) return pieces;
  for (let at = 0; at < end; ) {
    const extent = native.extentAt(fd, at);
    if (extent === null || extent.logical !== at) return [];
    const length = Math.min(extent.length, end - at);
    pieces.push({ logical: at, place: base + extent.physical, length });
    at += length;
  }
  return pieces;
}

/** Bytes from a piece's beginning to its first 2 MiB boundary. */
const headOf = ({ place, length }: Piece) => Math.min(length, (HUGE - (place % HUGE)) % HUGE);

const blocksOf = (piece: Piece) => Math.floor((piece.length - headOf(piece)) / HUGE);

const wholeBlocks = (pieces: readonly Piece[]) => pieces.reduce((n, piece) => n + blocksOf(piece), 0);

/**
 * What to cut out so that the pieces' whole blocks follow on one another, in order, never so much that less than `size`
 * bytes are left. Pure.
 */
export function cutsOf(pieces: readonly Piece[], size: number): Cut[] {
  let left = pieces.reduce((n, { length }) => n + length, 0) - size;
  let kept = 0;
  const cuts: Cut[] = [];
  for (const piece of pieces) {
    if (kept >= size) break;
    const head = headOf(piece);
    const blocks = blocksOf(piece) * HUGE;
    const tail = piece.length - head - blocks;
    for (const { start, length } of [
      { start: piece.logical, length: head },
      { start: piece.logical + head + blocks, length: kept + blocks < size ? tail : 0 },
    ]) {
      if (length > left) return cuts;
      left -= length;
      const last = cuts.at(-1);
      if (last && last.start + last.length === start) last.length += length;
      else if (length > 0) cuts.push({ start, length });
    }
    kept += blocks;
  }
  return cuts;
}
