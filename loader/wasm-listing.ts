// Everything insitu can say of a WebAssembly module, a component, or an image without running it: what inspect prints.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { OpenFile } from './backing.ts';
import { decode } from './compile/decode.ts';
import { ModuleError } from './compile/module.ts';
import { componentOfFile } from './component/find.ts';
import { corePath } from './component/layout.ts';
import { inFile } from './error.ts';
import { type ImageFacts, imageFacts } from './images/facts.ts';
import { imageOfFile } from './images/find-file.ts';
import { parseImageName, SOURCE } from './images/layout.ts';
import { type Listing, list } from './listing.ts';
import { native } from './native.ts';

type Counts = Record<string, number>;

/** How many it imports and exports, by kind. */
export interface Interface {
  imports: Counts;
  exports: Counts;
}

export interface WasmListing {
  /** The image, and how it would be mapped; null where no store has one. */
  image: (Listing & ImageFacts & { store: string | null }) | null;
  /** Of the module; null where its bytes are not at hand or no module's. */
  interface: Interface | null;
  /** What is wrong with the bytes of a module; null where nothing is. */
  malformed: string | null;
  /** Of a component that is installed: its core modules. */
  cores: ({ path: string } & WasmListing)[] | null;
}

/** @throws LoadError of a file that can't be read, or an image that is no ELF */
export function listModule(path: string): WasmListing {
  const found = imageOfFile(path);
  const image =
    found === undefined ? null : { ...list(found.image), ...factsOf(found.image), store: found.root };
  return { image, ...interfaceOf(path), cores: null };
}

export function listComponent(path: string): WasmListing {
  const found = componentOfFile(path);
  const cores: WasmListing['cores'] = [];
  for (let i = 0; found !== undefined; i++) {
    const core = corePath(found.root, found.sha256, i);
    try {
      cores.push({ path: core, ...listModule(core) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw inFile(core, error);
      break; // they are numbered without a gap
    }
  }
  return { image: null, interface: null, malformed: null, cores: found === undefined ? null : cores };
}

/** Undefined of a shared object that is no image. */
export function listImage(listing: Listing): WasmListing | undefined {
  if (listing.format !== 'elf-shared') return undefined;
  using file = new OpenFile(listing.file);
  const facts = imageFacts(file);
  if (facts === undefined) return undefined;
  const source = join(dirname(listing.file), SOURCE);
  const isStored = parseImageName(basename(listing.file)) !== undefined && existsSync(source);
  const of = isStored ? interfaceOf(source) : { interface: null, malformed: null };
  return { image: { ...listing, ...facts, store: null }, ...of, cores: null };
}

function factsOf(path: string): ImageFacts {
  using file = new OpenFile(path);
  const none = { imageFormat: 0, sha256: null, sourceSize: null, tier: null, memoryImageBytes: null };
  return imageFacts(file) ?? none;
}

function interfaceOf(path: string): Pick<WasmListing, 'interface' | 'malformed'> {
  using file = new OpenFile(path);
  try {
    const { imports, exports } = decode(native.view(file.fd, 0, file.size, path));
    return { interface: { imports: counts(imports), exports: counts(exports) }, malformed: null };
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    return { interface: null, malformed: error.message };
  }
}

function counts(entries: readonly { kind: string }[]): Counts {
  const counted: Counts = {};
  for (const { kind } of entries) counted[kind] = (counted[kind] ?? 0) + 1;
  return counted;
}
