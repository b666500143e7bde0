// The addon as TypeScript sees it. Everything privileged goes through here; nothing is decided in it.

import { existsSync } from 'node:fs';
import { packageRoot, requireHere } from './root.ts';

/** Opaque, type-tagged: one stored image on its way from file to running code. */
export type ImageHandle = object & { readonly __image: never };

/** Counts of pages by where their frames are; see native/census.h. */
export interface Census {
  pages: number;
  present: number;
  nvm: number;
  ram: number;
  other: number;
  unknown: number;
  anonymous: number;
  swapped: number;
  /** False where /proc/self/pagemap could not be opened. */
  readable: boolean;
}

/** The census of one range of an image; `kind` as enum RangeKind of native/ranges.h, `length` in bytes. */
export interface RangeCensus extends Census {
  kind: number;
  address: bigint;
  length: number;
}

/** Of the 2 MiB blocks of a file that lie wholly inside a range of it; see native/layout.h. */
export interface HugeLayout {
  /** The file system tells where the file lies, */
  told: boolean;
  /** and /sys where the file system does on the medium. */
  absolute: boolean;
  /** Where the file system begins on the medium, modulo 2 MiB. */
  base: number;
  blocks: number;
  /** Blocks that are one extent on a 2 MiB boundary. */
  huge: number;
  /** Offset in the file of the first of the others, and by how much it is off. */
  first: number;
  misalignment: number;
}

export interface ImageDetails {
  relocations: { relative: number; symbol: number; irelative: number; tls: number; text: number };
  needed: string[];
  interpreter: string | null;
  soname: string | null;
  runpath: string | null;
  rpath: string | null;
  damaged: boolean;
}

export interface ProcessOutcome {
  exitCode: number | null;
  signal: number | null;
  elapsedNs: number;
  minorFaults: number;
  majorFaults: number;
  /** Null where it could not be looked at. */
  privateBytes: number | null;
  /** Whether the images could be looked at when the program ended. */
  traced: boolean;
  /** What it had mapped executable: the program, its interpreter, its libraries. */
  images: { path: string; bias: bigint; ranges: RangeCensus[] }[];
  /** /proc/pid/exe at the end. */
  executable: string;
  /** The first image is the program that was started; false when it had become another one by then. */
  isWatched: boolean;
}

interface Addon {
  readonly pageSize: number;
  load(path: string, flags: number, start?: number, size?: number): ImageHandle;
  /** One for the whole process, never closed. */
  loadShared(path: string, start?: number, size?: number): ImageHandle;
  loadRecord(image: ImageHandle, slots: Float64Array): void;
  open(path: string, slots: Float64Array, start?: number, size?: number): number;
  close(fd: number): void;
  sense(fd: number, slots: Float64Array): void;
  readImage(
    path: string,
    fd: number,
    start: number,
    size: number,
    slots: Float64Array,
    unit: number,
  ): ImageHandle;
  planOf(
    image: ImageHandle,
    start: number,
    granule: number,
    privateMappings: boolean,
    copy: boolean,
    slots: Float64Array,
  ): void;
  planUsed(image: ImageHandle, slots: Float64Array): void;
  mapForInspection(image: ImageHandle): void;
  closeImage(image: ImageHandle): void;
  imageSymbol(image: ImageHandle, name: string): bigint;
  imageSymbols(image: ImageHandle): string[];
  imageSymbolAt(image: ImageHandle, address: bigint): { name: string; distance: number } | undefined;
  imageDetails(image: ImageHandle): ImageDetails;
  setPendingAddon(image: ImageHandle): boolean;
  /** Else the version that it was built for; 0 of what is no addon. */
  setPendingV8Addon(image: ImageHandle, stub: string, version: number): true | number;
  hugeLayout(fd: number, offset: number, length: number): HugeLayout;
  extentAt(fd: number, offset: number): { logical: number; physical: number; length: number } | null;
  countFaults(fd: number, offset: number, length: number): { pages: number; faults: number } | null;
  allocate(fd: number, mode: number, offset: number, length: number): void;
  fileCapabilities(fd: number): boolean;
  census(address: bigint, length: number): Census;
  imageCensus(image: ImageHandle, bias: bigint): RangeCensus[];
  /** `unit`: of a device-dax, in bytes: writing to the view ends the process then. strict: so do pages that the file has lost. */
  view(fd: number, start: number, size: number, path: string, unit?: number, strict?: boolean): Buffer;
  /** A descriptor of a file in memory, at its beginning. */
  memoryFile(name: string, bytes: Uint8Array, mode: number): number;
  openRegion(path: string, flags: number, mode: number): number;
  mapRegion(
    fd: number,
    start: number,
    length: number,
    protection: number,
    alignment: number,
    path: string,
    slots: Float64Array,
  ): bigint;
  unmapRegion(address: bigint): void;
  protectRegion(address: bigint, length: number, protection: number): void;
  syncRegion(address: bigint, length: number, fd: number): number;
  loadRegion(address: bigint, to: Uint8Array): void;
  storeRegion(address: bigint, from: Uint8Array): void;
  /** kind: 0 none, 1 shared, 2 exclusive; see native/file_range.h. */
  lockRange(fd: number, start: number, length: number, kind: number, wait: boolean): boolean;
  lockedRange(fd: number, start: number, length: number, slots: Float64Array): boolean;
  hasData(fd: number, start: number): boolean;
  allocateRange(fd: number, start: number, length: number): void;
  crc32c(bytes: Uint8Array): number;
  writeBackInstruction(): string;
  /** held: a descriptor that is the runner's to close, or -1. */
  replaceProcess(path: string, argv: string[], environment: string[], held: number): never;
  supervise(
    path: string,
    argv: string[],
    environment: string[],
    file: string,
    start: number,
    quiet: boolean,
    held: number,
  ): ProcessOutcome;
  timeProgram(path: string, argv: string[], environment: string[]): ProcessOutcome;
  usage(slots: Float64Array): void;
  dlopen(path: string): bigint;
  dlsym(handle: bigint, name: string): bigint;
  dlopenBase(handle: bigint): bigint;
  mapFloor(path: string, offset: number, length: number): number;
  touchPages(address: bigint, length: number): number;
  dropPageCache(path: string): number;
  callInt(address: bigint): number;
}

/** Where a prebuilt file of this platform lies. */
export function prebuilt(name: string): string {
  return `${packageRoot}prebuilds/linux-${process.arch}/${name}`;
}

function loadAddon(): Addon {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) {
    throw new Error(
      `insitu: platform is ${process.platform}-${process.arch}; want linux-x64, whose kernel maps NVM (linux-arm64 from source)`,
    );
  }
  const file = prebuilt('insitu.node');
  if (!existsSync(file))
    throw new Error(`insitu: ${file} is not there; want it built for ${process.arch} (make -C native all)`);
  return requireHere(file);
}

export const native: Addon = loadAddon();

/**
 * The numbers of one native call, in and out: this thread's own, good until the next call. native/addon.cc says at
 * each function which slot holds what; the TypeScript beside each call reads them out at once.
 */
export const slots = new Float64Array(32 + 8 * 96);

export const slot = (index: number): number => slots[index] as number;
