// What a sync promises, by what is under a mapping. A store that was not synced is promised nothing, wherever it is: the
// processor or the kernel may have written it back on their own, whole, in part or not at all.
import type { Backing } from './backing.ts';
import { native } from './native.ts';

/** File systems whose fsync(2) keeps what it was given, as far as the device below them does. */
const KEEPING = new Set(['ext4', 'xfs', 'btrfs', 'f2fs', 'zfs']);

export interface Promised {
  /** What a store survives once it was synced; 'unknown' where it depends on what insitu can't see. */
  survives: 'power-cut' | 'unknown' | 'nothing';
  reason: string;
}

export function promiseOf({ medium, mapSync, fileSystem }: Backing): Promised {
  if (medium === 'ram') return { survives: 'nothing', reason: `${fileSystem} is RAM: volatile` };
  if (mapSync) {
    const reason = `${native.writeBackInstruction()} and a fence, without a system call (MAP_SYNC)`;
    return { survives: 'power-cut', reason };
  }
  if (medium !== 'dax' && !KEEPING.has(fileSystem))
    return { survives: 'unknown', reason: `msync(2), and whatever ${fileSystem} makes of it` };
  const reason = `msync(2): as far as the device under ${fileSystem} keeps what it was told to flush`;
  return { survives: 'power-cut', reason };
}
