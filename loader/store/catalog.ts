// Reading the catalog and committing a new one.
//
// The order of a commit, each step durable before the next begins:
//   1. the data of new entries, in extents that the present catalog does not name (place.ts)
//   2. the new catalog, in the slot that `active` does not name
//   3. `active`, one aligned store of eight bytes
// Whatever happens before 3 is on the medium leaves the old catalog as it was; nothing leaks, because what is free is
// computed from the catalog alone. A slot is only ever written while `active` names the other one.
import { LoadError } from '../error.ts';
import { ACTIVE, type Active, decodeActive, encodeActive } from './layout.ts';
import { allocate, type Store } from './region.ts';
import {
  type Catalog,
  compareNames,
  decodeSlot,
  type Entry,
  encodeSlot,
  findInSlot,
  isWhole,
  usedBytes,
} from './slot.ts';

/** A commit each time between two looks at it; so many, and something else is wrong. */
const ATTEMPTS = 100;

/**
 * The catalog as last committed. No lock is taken: a commit meanwhile is noticed and the reading begun anew.
 * @throws LoadError ERR_CATALOG when what `active` names is damaged. There is no falling back to the other slot: it is
 *   older, its entries may have been overwritten since.
 */
export function readCatalog(store: Store): Catalog {
  const { bytes, active } = readSlot(store);
  return decodeSlot(bytes, active, store.superblock, store.path);
}

/**
 * One entry as last committed, without decoding the others. `isCurrent` says whether no commit has followed.
 * @throws LoadError ERR_NO_ENTRY; ERR_CATALOG as readCatalog
 */
export function lookUp(store: Store, name: string): { entry: Entry; isCurrent: () => boolean } {
  const { metadata, superblock, path } = store;
  const { bytes, active } = readSlot(store);
  // What is not there is worth a look whether it is the catalog's fault.
  const entry =
    findInSlot(bytes, active, superblock, path, name) ??
    find(decodeSlot(bytes, active, superblock, path), name, path);
  const isCurrent = () => decodeActive(metadata.load(ACTIVE, 8), path).generation === active.generation;
  return { entry, isCurrent };
}

/** The used bytes of the slot that `active` names, whole. */
function readSlot({ metadata, superblock, path }: Store): { bytes: Buffer; active: Active } {
  let active = decodeActive(metadata.load(ACTIVE, 8), path);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const offset = superblock.slots[active.slot];
    const used = usedBytes(metadata.load(offset, 64), superblock.slotSize);
    const bytes = metadata.load(offset, used);
    if (isWhole(bytes, active.generation)) return { bytes, active };
    const now = decodeActive(metadata.load(ACTIVE, 8), path);
    if (now.generation === active.generation) {
      const text = `catalog slot ${'AB'[active.slot]} is not the whole of generation ${active.generation}, which is active; want its checksum to hold`;
      throw new LoadError('ERR_CATALOG', path, text, offset);
    }
    active = now;
  }
  throw new LoadError('ERR_CATALOG', path, `catalog changed ${ATTEMPTS} times while it was read`, ACTIVE);
}

/**
 * The catalog for the holder of the writers' lock. `active` may have been stored by a process that was killed before that
 * was durable: until it is, a power cut can bring the catalog before it back, whose slot and whose extents the next
 * commit writes to.
 * @throws LoadError as readCatalog; EIO
 */
export function readForWriting(store: Store): Catalog {
  store.metadata.sync(ACTIVE, 8);
  return readCatalog(store);
}

/** @throws LoadError ERR_NO_ENTRY */
export function find(catalog: Catalog, name: string, path: string): Entry {
  const entry = catalog.entries.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  throw new LoadError('ERR_NO_ENTRY', path, `has no entry ${name}; insitu region ls lists them`);
}

/**
 * Makes `entries` the catalog, durably: when it returns, a power cut leaves the new one, and before that the old one.
 * The writers' lock is held, `before` was read under it, and the data of all entries is durable.
 * @throws LoadError ERR_FULL (more entries than a slot holds), ENOSPC, EIO; nothing has changed then, except where
 *   the message says that it may have
 */
export function commit(
  store: Store,
  before: Catalog,
  entries: readonly Entry[],
  cursor = before.cursor,
): Catalog {
  const { metadata, superblock, region, path } = store;
  const next: Catalog = {
    generation: before.generation + 1,
    slot: before.slot === 0 ? 1 : 0,
    cursor,
    reached: entries.reduce((most, { offset, span }) => Math.max(most, offset + span), before.reached),
    committed: new Date(),
    entries: [...entries].sort((a, b) => compareNames(a.name, b.name)),
  };
  const bytes = encodeSlot(next);
  if (bytes.length > superblock.slotSize) {
    const text = `catalog of ${entries.length} entries takes ${bytes.length} bytes; want ${superblock.slotSize} at most`;
    throw new LoadError('ERR_FULL', path, text);
  }
  const offset = superblock.slots[next.slot];
  // A slot may be a hole of a sparse file: no space is to be an error here, and not a signal at the store below.
  allocate(region, offset, bytes.length);
  metadata.store(offset, bytes);
  metadata.sync(offset, bytes.length);
  metadata.store(ACTIVE, encodeActive(next));
  metadata.sync(ACTIVE, 8);
  return next;
}
