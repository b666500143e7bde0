// Which parts of a region processes have mapped or are about to: what was freed there is not free yet.
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import type { Region } from '../nvm.ts';
import type { Range } from './allocate.ts';
import { lockedRanges } from './region.ts';

export interface InUse {
  readonly ranges: readonly Range[];
  /**
   * Not all of them may be known: the file system's locks end before mappings do (overlayfs), and so many processes of
   * other users could not be looked at. 0 = all are known that were made by insitu, and all of this user's.
   */
  readonly unseen: number;
}

/**
 * Two ways, as neither sees all. Whatever insitu maps is locked for as long as it is mapped, across users and PID
 * namespaces (native/file_range.h). Mappings of anybody else, and those on overlayfs, are in /proc/PID/maps, which the
 * system shows to root, and to others of their own processes.
 */
export function rangesInUse(region: Region, all: Range): InUse {
  const { ranges, unseen } = mappedRanges(region.path);
  const locksLast = region.backing.fileSystem !== 'overlayfs';
  const data = ranges.filter(({ start, end }) => start < all.end && end > all.start);
  return { ranges: [...lockedRanges(region, all), ...data], unseen: locksLast ? 0 : unseen };
}

function mappedRanges(path: string): { ranges: Range[]; unseen: number } {
  const isOf = matcher(path);
  const ranges: Range[] = [];
  let unseen = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
        const range = isOf(line);
        if (range !== undefined) ranges.push(range);
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES' || code === 'EPERM') unseen++; // else it has ended meanwhile
    }
  }
  return { ranges, unseen };
}

/** By numbers or by name: on some file systems (overlayfs, btrfs) maps has another device than stat(2). */
function matcher(path: string): (line: string) => Range | undefined {
  const { dev, ino } = statSync(path, { bigint: true });
  const name = Buffer.from(realpathSync(path)).toString('latin1');
  const major = ((dev >> 32n) & 0xfffff000n) | ((dev >> 8n) & 0xfffn);
  const minor = ((dev >> 12n) & 0xffffff00n) | (dev & 0xffn);
  const numbers = `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')} ${ino}`;
  return (line) => {
    if (!line.includes(numbers) && !line.endsWith(name)) return undefined;
    const match = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) (\S+ \d+) *(.*)$/.exec(line);
    if (match === null || (match[4] !== numbers && match[5] !== name)) return undefined;
    const [begin, end, offset] = [1, 2, 3].map((i) => Number.parseInt(match[i] as string, 16));
    if (begin === undefined || end === undefined || offset === undefined) return undefined;
    return { start: offset, end: offset + (end - begin) };
  };
}
