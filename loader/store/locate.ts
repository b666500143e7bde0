// From a reference to bytes: which file, from where to where.
import { existsSync, readdirSync } from 'node:fs';
import { LoadError } from '../error.ts';
import { lookUp } from './catalog.ts';
import { parseReference, type Reference } from './reference.ts';
import { lockInUse, Store } from './region.ts';
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
  return hold(reference.region ?? regionWith(name, reference, nodes()), reference.name);
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

/** The region that has an entry of this name, which has to be the only one. */
function regionWith(reference: string, { name }: Reference & { is: 'entry' }, nodes: string[]): string {
  const having: string[] = [];
  const reasons: string[] = [];
  for (const path of nodes) {
    try {
      using store = new Store(path);
      lookUp(store, name);
      having.push(path);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      reasons.push(error.code === 'ERR_NO_ENTRY' ? `${path} has none` : error.message);
    }
  }
  const [first, ...more] = having;
  if (first !== undefined && more.length === 0) return first;
  if (first !== undefined) {
    const wanted = having.map((path) => `devdax:${path.slice('/dev/'.length)}/${name}`).join(' or ');
    throw new LoadError('ERR_REFERENCE', reference, `is in ${having.length} regions; want ${wanted}`);
  }
  const looked = nodes.length === 0 ? 'this machine has no device-dax (insitu doctor)' : reasons.join('; ');
  throw new LoadError('ERR_NO_ENTRY', reference, `is in no device-dax region: ${looked}`);
}

/**
 * Holds an entry's space: first the lock, then a look whether the entry is still there. Whoever uses freed space again
 * has committed its being free before he looks for locks (mapped.ts), so one of the two sees the other.
 */
function hold(path: string, name: string): Located {
  const store = new Store(path);
  try {
    for (;;) {
      const { entry, isCurrent } = lookUp(store, name);
      lockInUse(store.region, { start: entry.offset, end: entry.offset + entry.span });
      if (!isCurrent()) continue;
      return {
        path,
        start: entry.offset,
        size: entry.size,
        entry,
        heldBy: store.region.fd,
        [Symbol.dispose]: () => store[Symbol.dispose](),
      };
    }
  } catch (error) {
    store[Symbol.dispose]();
    throw error;
  }
}
