// From a reference to bytes: which file, from where to where.

import { existsSync, readdirSync } from 'node:fs';
import { LoadError } from '../error.ts';
import { moduleFile, requireHere } from '../root.ts';
import { isReference, parseReference } from './reference.ts';
import type { Entry } from './slot.ts';

/**
 * Bytes of a file: an image or anything else. While it is held, an entry's space is not used for anything else, even
 * when it is taken out of its region; `using` lets go of it.
 */
export interface Located extends Disposable {
  /** Of the file or device-dax node. */
  readonly path: string;
  /** In bytes. */
  readonly start: number;
  /** To the end of the file if undefined. */
  readonly size: number | undefined;
  readonly entry: Entry | null;
  /** The descriptor that holds an entry's space; -1 where there is nothing to hold. */
  readonly heldBy: number;
}

const nothingHeld = { entry: null, heldBy: -1, [Symbol.dispose]() {} };

/**
 * @param nodes the device-dax nodes that `devdax:NAME` is looked for on
 * @throws LoadError ERR_REFERENCE (means nothing, or several things), ERR_NO_ENTRY, and what opening a region throws
 */
export function locate(name: string, nodes: () => string[] = deviceNodes): Located {
  const reference = parseReference(name);
  if (reference.is === 'file') return { path: reference.path, start: 0, size: undefined, ...nothingHeld };
  if (reference.is === 'part') {
    const { path, start, size } = reference;
    return { path, start, size, ...nothingHeld };
  }
  const { hold, regionWith } = entriesNow(name);
  return hold(reference.region ?? regionWith(name, reference.name, nodes()), reference.name);
}

/** entry.ts. */
interface Entries {
  /** @throws LoadError ERR_NO_ENTRY, and what opening a region throws */
  hold(path: string, name: string): Located;
  /** The one region of `nodes` that has an entry of this name. @throws LoadError ERR_REFERENCE, ERR_NO_ENTRY */
  regionWith(reference: string, name: string, nodes: readonly string[]): string;
}

let entries: Entries | undefined;

export function provideEntries(found: Entries): void {
  entries = found;
}

/** Loads what `locate` will want for this name; whoever can wait spares Node before 20.19 a refusal in the source tree. */
export async function readyFor(name: string): Promise<void> {
  if (entries === undefined && isReference(name)) await import('./entry.ts');
}

function entriesNow(name: string): Entries {
  if (entries === undefined) {
    try {
      requireHere(moduleFile('loader/store/entry'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_REQUIRE_ESM') throw error;
    }
  }
  if (entries !== undefined) return entries;
  const text = `is an entry of a region, and Node ${process.version} can't load at once what reads those; want load(), or Node 20.19`;
  throw new LoadError('ERR_REFERENCE', name, text);
}

/** The device-dax nodes of this machine that are mapped as such. */
export function deviceNodes(): string[] {
  const devices = '/sys/bus/dax/devices';
  if (!existsSync(devices)) return [];
  return readdirSync(devices)
    .sort()
    .map((name) => `/dev/${name}`)
    .filter((path) => existsSync(path));
}

/**
 * Where a region is: a path as it is, `devdax:` the machine's only device-dax node, `devdax:dax0.1` this one.
 * @throws LoadError ERR_REFERENCE where there is none, or more than one
 */
export function regionPath(target: string, nodes: () => string[] = deviceNodes): string {
  if (!target.startsWith('devdax:')) return target;
  const name = target.slice('devdax:'.length);
  if (/^dax\d+\.\d+$/.test(name)) return `/dev/${name}`;
  if (name !== '')
    throw new LoadError('ERR_REFERENCE', target, 'is no region; want devdax: or devdax:dax0.0');
  const all = nodes();
  if (all.length === 1) return all[0] as string;
  const found =
    all.length === 0
      ? 'means the device-dax node of a machine that has none (insitu doctor)'
      : `could be any of ${all.join(', ')}; want one of them`;
  throw new LoadError('ERR_REFERENCE', target, found);
}
