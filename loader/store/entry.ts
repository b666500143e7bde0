// Entries of regions, found and held. Reading a region takes ten modules: locate.ts loads this one when an entry is named.
import { LoadError } from '../error.ts';
import { lookUp } from './catalog.ts';
import { type Located, provideEntries } from './locate.ts';
import { lockInUse, Store } from './region.ts';

provideEntries({ hold, regionWith });

/** The region that has an entry of this name, which has to be the only one. */
function regionWith(reference: string, name: string, nodes: readonly string[]): string {
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
