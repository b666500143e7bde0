// What a region holds, and whether it is still what was placed.
import { createHash } from 'node:crypto';
import { OpenFile } from '../backing.ts';
import { read } from '../image.ts';
import { native } from '../native.ts';
import { plan } from '../plan.ts';
import { freeRanges, largest } from './allocate.ts';
import { find, readCatalog } from './catalog.ts';
import { MappedPart, Store } from './region.ts';
import type { Catalog, Entry } from './slot.ts';

const CHUNK = 1 << 20;

/** About text that can't be mapped in place because of the device's unit of mapping. */
const REMEDY =
  '; link it with -Wl,-z,max-page-size=0x200000 -Wl,-z,separate-code, or make the namespace with ndctl --align=4k';

/** How an entry's text would be mapped where it is stored. */
export interface TextPlacement {
  /** All of it. */
  readonly inPlace: boolean;
  /** Bytes that would have to be copied. */
  readonly copied: number;
  /** Why, and what to do about it. */
  readonly reason: string;
}

export interface ListedEntry extends Entry {
  /** The largest power of two that its offset is a multiple of, up to 1 GiB. */
  readonly alignment: number;
  /** Null of what has no text. */
  readonly text: TextPlacement | null;
}

export interface RegionListing {
  readonly path: string;
  readonly medium: string;
  readonly size: number;
  readonly granule: number;
  readonly generation: number;
  readonly committed: Date;
  readonly free: { readonly bytes: number; readonly largest: number };
  readonly entries: readonly ListedEntry[];
}

/** @throws LoadError as opening a region and reading its catalog */
export function listRegion(path: string): RegionListing {
  using store = new Store(path);
  const catalog = readCatalog(store);
  const { size, dataStart } = store.superblock;
  const taken = catalog.entries.map(({ offset, span }) => ({ start: offset, end: offset + span }));
  const free = freeRanges({ start: dataStart, end: size }, taken);
  return {
    path,
    medium: store.region.backing.medium,
    size,
    granule: store.granule,
    generation: catalog.generation,
    committed: catalog.committed,
    free: {
      bytes: free.reduce((n, range) => n + range.end - range.start, 0),
      largest: largest(free, store.granule),
    },
    entries: listEntries(path, catalog),
  };
}

function listEntries(path: string, { entries }: Catalog): ListedEntry[] {
  return entries.map((entry) => ({
    ...entry,
    alignment: alignmentOf(entry.offset),
    text: textOf(path, entry),
  }));
}

function alignmentOf(offset: number): number {
  let alignment = 1;
  while (alignment < 2 ** 30 && offset % (2 * alignment) === 0) alignment *= 2;
  return alignment;
}

/** How an entry's text would be mapped there. */
export function textOf(path: string, entry: Entry): TextPlacement | null {
  if (!entry.kind.startsWith('elf-') && entry.kind !== 'node-addon') return null;
  using file = new OpenFile(path, entry.offset, entry.size);
  try {
    const image = read(file);
    const { segments } = plan(image, file.backing, 'in-place', entry.offset);
    native.closeImage(image.handle);
    if (file.backing.noexec)
      return { inPlace: false, copied: 0, reason: 'is on a mount that allows no execution (noexec)' };
    const parts = segments.filter(({ prot, placement }) => prot === 'r-x' && placement === 'copied');
    const copied = parts.reduce((n, { fileSize }) => n + fileSize, 0);
    const [first] = parts;
    const remedy = file.backing.granule > native.pageSize ? REMEDY : '';
    return { inPlace: !first, copied, reason: first ? `${first.reason}${remedy}` : '' };
  } catch (error) {
    // It is not what was placed any more: nothing would be copied, it would be refused.
    return { inPlace: false, copied: 0, reason: `can't be loaded: ${(error as Error).message}` };
  }
}

/**
 * Reads every entry, or the one of this name, and compares it with what was placed.
 * @returns of each its name and whether its bytes are those that were placed
 * @throws LoadError as opening a region and reading its catalog; ERR_NO_ENTRY
 */
export function verifyRegion(
  path: string,
  name?: string,
): { name: string; intact: boolean; sha256: string }[] {
  using store = new Store(path);
  const catalog = readCatalog(store);
  const entries = name === undefined ? catalog.entries : [find(catalog, name, path)];
  return entries.map((entry) => {
    const sha256 = hashOf(store, entry);
    return { name: entry.name, intact: sha256 === entry.sha256, sha256 };
  });
}

function hashOf(store: Store, { offset, size, span }: Entry): string {
  using extent = new MappedPart(store.region, offset, span);
  const hash = createHash('sha256');
  for (let done = 0; done < size; done += CHUNK)
    hash.update(extent.load(offset + done, Math.min(CHUNK, size - done)));
  return hash.digest('hex');
}
