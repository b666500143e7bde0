// What a region holds, looked at on the host with insitu's own reader: the format is the same in an ordinary file.
import { closeSync, openSync, readSync } from 'node:fs';
import { readCatalog } from '../../../loader/store/catalog.ts';
import type { Superblock } from '../../../loader/store/layout.ts';
import { Store } from '../../../loader/store/region.ts';
import { verifyRegion } from '../../../loader/store/verify.ts';
import { type Held, KEPT, names, versionOf } from './placed.ts';

/**
 * What its catalog names, by content; an entry that insitu verifies and that is not what was placed is broken too.
 * @throws LoadError where it is no valid region
 */
export function heldInRegion(path: string): Held {
  using store = new Store(path);
  const intact = new Map(verifyRegion(path).map((entry) => [entry.name, entry.intact]));
  const fd = openSync(path, 'r');
  try {
    const entries = readCatalog(store).entries.map(({ name, offset, size }): [string, number | 'broken'] => {
      const bytes = Buffer.alloc(size);
      readSync(fd, bytes, 0, size, offset);
      const version = versionOf(name, bytes);
      return [name, intact.get(name) ? version : 'broken'];
    });
    const versions = new Map(entries);
    return { versions, temporaries: 0, begun: isBegun(fd, store.superblock, versions) };
  } finally {
    closeSync(fd);
  }
}

/** Whether an extent that no entry names begins with a version that is newer than theirs. */
function isBegun(fd: number, { dataStart, size, granule }: Superblock, versions: Held['versions']): boolean {
  const head = Buffer.alloc(8);
  for (let at = dataStart; at < size; at += granule) {
    readSync(fd, head, 0, head.length, at);
    const name = names[head.readUInt32LE(0)];
    if (name !== undefined && head.readUInt32LE(4) > Number(versions.get(name) ?? 0)) return true;
  }
  return false;
}

/** They were placed together: all of them or none. */
export function differ({ versions }: Held): string[] {
  const found = new Set(names.map((name) => versions.get(name)));
  const others = [...versions.keys()].filter((name) => name !== KEPT && !names.includes(name as never));
  return [
    ...(found.size > 1
      ? [`entries of one placing differ: ${names.map((name) => versions.get(name)).join(' ')}`]
      : []),
    ...others.map((name) => `entry ${name} was never placed`),
  ];
}
