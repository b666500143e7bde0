// An app's files, addons and WebAssembly images into one region, from which it runs (runtime/bundle).
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { sense } from '../backing.ts';
import { inFile, LoadError } from '../error.ts';
import { archNow, imageName, sampleKey, sampleOf } from '../images/layout.ts';
import { listStore } from '../images/list.ts';
import { native } from '../native.ts';
import { roundUp, unitOf } from '../store/allocate.ts';
import { readCatalog } from '../store/catalog.ts';
import { createRegion } from '../store/create.ts';
import { METADATA } from '../store/layout.ts';
import { placeInRegion, removeEntry, type ToPlace } from '../store/place.ts';
import { Store } from '../store/region.ts';
import type { Entry } from '../store/slot.ts';
import { AppFile, type Image } from './app-file.ts';
import { collectApp, type Item } from './collect.ts';
import { APP } from './layout.ts';
import { Workshop } from './workshop.ts';

export interface BundleOptions {
  /** File that is run, from the app's root; what package.json calls main, else index.js, if not said. */
  entry?: string;
  /** Where images are taken from. */
  store: string;
}

export interface Bundled {
  region: string;
  /** Of the app's entry in the region, bytes. */
  place: { start: number; size: number };
  entry: string;
  files: number;
  /** Bytes of the region's file. */
  size: number;
  /** Paths of addons and shared objects that are mapped by themselves. */
  libraries: string[];
  images: { sha256: string; module: string }[];
  /** Links that lead out of the directory (collect.ts). */
  outside: string[];
  /** Modules that V8 will compile. */
  withoutImage: string[];
}

/**
 * Writes an app into a region: a new file, which is there when it is whole, or a device-dax node.
 * @throws LoadError ERR_NO_ENTRY where nothing is to be run, ENOSPC, and what reading and placing throws; a file that was
 *   there stays as it was then
 */
export function bundle(directory: string, region: string, { entry, store }: BundleOptions): Bundled {
  const target = resolve(region);
  const { items, outside } = collectApp(directory, [target]);
  const first = entryOf(directory, items, entry);
  const { images, hidden } = imagesFor(directory, items, store);
  items.push(...hidden);
  let place: Bundled['place'];
  const isDevice = statSync(target, { throwIfNoEntry: false })?.isCharacterDevice() ?? false;
  try {
    using workshop = new Workshop(isDevice ? tmpdir() : dirname(target));
    const made = isDevice ? target : join(workshop.directory, 'region');
    const prefix = `app-${randomBytes(4).toString('hex')}-`;
    const own = ownEntries(items, images, prefix);
    const app = new AppFile(join(workshop.directory, APP), items, images, first);
    // With room for V8's code cache, of several Nodes (insitu run --warm); what is not used takes no storage.
    const sizes = [...own.map(({ path }) => statSync(path).size), app.size, 4 * app.scriptSize + ROOM];
    createRegion(made, isDevice ? { keep: true } : { size: sizeFor(sizes) });
    const placed = placeInRegion(own, made);
    app.finish(new Map(own.map(({ path }, i) => [path, placed[i] as Entry])));
    const [entry] = placeInRegion([{ path: app.path, name: APP }], made) as [Entry];
    place = { start: entry.offset, size: entry.size };
    if (isDevice) removeOthers(made, prefix);
    else publish(made, target);
  } catch (error) {
    throw inFile(region, error);
  }
  const known = new Set(images.map(({ module }) => module.path));
  const pathsOf = (wanted: (item: Item) => boolean) => items.filter(wanted).map(({ path }) => path);
  return {
    ...{ region: target, place, entry: first.path, files: pathsOf(({ kind }) => kind === 'file').length },
    size: isDevice ? sense(target).size : statSync(target).size,
    libraries: pathsOf(({ hasOwnEntry }) => hasOwnEntry),
    outside,
    images: images.map(({ sha256, module }) => ({ sha256, module: module.path })),
    withoutImage: pathsOf(({ format, path }) => format === 'wasm' && !known.has(path)),
  };
}

function publish(made: string, target: string): void {
  renameSync(made, target);
  const directory = openSync(dirname(target), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

const ROOM = 16 << 20;

/** With room for the gaps before what starts at 2 MiB. */
function sizeFor(sizes: readonly number[]): number {
  const granule = native.pageSize;
  const spans = sizes.map(
    (size) => roundUp(Math.max(size, 1), unitOf(size, granule)) + unitOf(size, granule),
  );
  return roundUp(Math.max(METADATA, granule), granule) + spans.reduce((sum, span) => sum + span, 0);
}

/** @throws LoadError ERR_NO_ENTRY */
function entryOf(directory: string, items: readonly Item[], said: string | undefined): Item {
  const names =
    said === undefined ? [mainOf(directory), 'index.js'] : [relative(directory, resolve(directory, said))];
  for (const name of names.filter((name) => name !== undefined))
    for (const path of [name, `${name}.js`, `${name}.cjs`, `${name}.mjs`, `${name}/index.js`]) {
      const named = items.find((item) => item.path === path.replace(/^\.\//, ''));
      const target = named?.kind === 'link' ? `${named.source}` : named?.path;
      const found = items.find((item) => item.path === target && item.kind === 'file');
      if (found) return found;
    }
  const text = `has no ${names.filter(Boolean).join(' nor ')} to run; want --entry FILE`;
  throw new LoadError('ERR_NO_ENTRY', directory, text);
}

function mainOf(directory: string): string | undefined {
  try {
    const { main } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { main?: unknown };
    return typeof main === 'string' ? main.replace(/\/+$/, '') : undefined;
  } catch {
    return undefined;
  }
}

/** Images of the store for modules of the app, those among them that a script of it brings in its text. */
function imagesFor(
  directory: string,
  items: readonly Item[],
  store: string,
): { images: Image[]; hidden: Item[] } {
  const top = realpathSync(directory);
  const bySha = new Map<string, Item>();
  for (const item of items)
    if (item.format === 'wasm' && typeof item.source === 'string')
      bySha.set(createHash('sha256').update(readFileSync(item.source)).digest('hex'), item);
  const [images, hidden]: [Image[], Item[]] = [[], []];
  for (const { sha256, from, images: stored } of listStore(store)) {
    const image = stored.find(({ name }) => name === imageName(archNow() as 'x86-64'));
    const isOurs = bySha.has(sha256) || from.some((path) => !relative(top, path).startsWith('..'));
    if (image?.record === null || image === undefined || !isOurs) continue;
    const source = join(dirname(image.path), 'source.wasm');
    const module = bySha.get(sha256) ?? hiddenModule(sha256, source);
    if (!bySha.has(sha256)) hidden.push(module);
    const bytes = readFileSync(source);
    const key = sampleKey(bytes.length, (at, length) => bytes.subarray(at, at + length));
    images.push({ sha256, path: image.path, module, sample: sampleOf(key) });
  }
  return { images, hidden };
}

const hiddenModule = (sha256: string, source: string): Item => ({
  ...{ path: `.insitu/${sha256}.wasm`, kind: 'file', format: 'wasm', mode: 0o100444, mtimeMs: 0, source },
  ...{ hasOwnEntry: false, needed: [] },
});

/** Each path once, under a name that says what it is, and of which bundle. */
function ownEntries(items: readonly Item[], images: readonly Image[], prefix: string): ToPlace[] {
  const paths = new Set([
    ...items.filter(({ hasOwnEntry }) => hasOwnEntry).map(({ source }) => source as string),
    ...images.map(({ path }) => path),
  ]);
  return [...paths].map((path, i) => ({ path, name: `${prefix}${i}-${basename(path).slice(-200)}` }));
}

const OF_BUNDLES = /^(?:app-[0-9a-f]{8}-|code-)/;

/** What earlier bundles have left in a region, which nothing refers to any more. */
function removeOthers(region: string, prefix: string): void {
  let names: string[];
  {
    using store = new Store(region);
    names = readCatalog(store).entries.map(({ name }) => name);
  }
  for (const name of names) if (OF_BUNDLES.test(name) && !name.startsWith(prefix)) removeEntry(region, name);
}
