// The addon's part for compiled modules, as TypeScript sees it (native/wasm/binding.cc). Addresses are numbers: they lie
// below 2^47. Nothing here checks them; runtime/wasm keeps every handle for as long as an address of it is in use.
import { inFile } from './error.ts';
import { type ImageHandle, native } from './native.ts';
import { looksLikePart, parseReference } from './store/reference.ts';

/** Keeps what an address belongs to alive. */
export type Handle = object & { readonly __handle: never };
export type Owned = [handle: Handle, address: number];

export interface WasmAddon {
  /** What an index says of a file that was seen before; `target`: SHA256/NAME. `index`: its path in a store. */
  wasmKnownImage(
    path: string,
    stores: readonly string[],
    index: string,
  ): [store: number, target: string] | undefined;
  wasmThread(service: (instance?: number, index?: number) => unknown): ArrayBuffer;
  /** The same for all threads of this process, and for no other. */
  wasmSecret(): string;
  /** Addresses for the accelerator (native/v8): of what it calls, and of this thread's runtime. */
  wasmBridge(): [bridge: number, runtime: number];
  wasmImage(image: ImageHandle): number;
  wasmShape(image: ImageHandle): [names: string, words: Uint32Array];
  wasmFacts(image: ImageHandle): { sha256: Buffer; sourceSize: number; tier: number; instanceSize: number };
  wasmMemory(buffer: ArrayBuffer | Uint8Array, id: number, maxPages: number): [...Owned, guarded: boolean];
  wasmMemoryUpdate(address: number, buffer: ArrayBuffer | Uint8Array): void;
  wasmTable(functions: boolean, size: number, max: number): Owned;
  wasmTableSize(table: number): number;
  wasmTableGet(table: number, functions: boolean, index: number): void;
  wasmTableSet(table: number, functions: boolean, index: number): void;
  wasmTableGrow(table: number, functions: boolean, count: number): number;
  wasmCell(): Owned;
  wasmCellLoad(address: number, bytes: number): void;
  wasmCellStore(address: number, bytes: number): void;
  /** Indices of the types that functions of JavaScript can be called by. */
  wasmThunkTypes(image: ImageHandle): number[];
  /** Links and initializes; the status in its slot. `functions`: index and address of each that is compiled code. */
  wasmInstance(
    image: ImageHandle,
    functions: number[],
    tables: number[],
    memories: number[],
    globals: number[],
    tags: number[],
    copy: boolean,
  ): [...Owned, hasStart: boolean];
  wasmStart(instance: number): void;
  wasmRecord(instance: number, place: number, typeIndex: number): number;
  wasmPlaceOf(instance: number, functionIndex: number): number;
  wasmTableOf(instance: number, index: number): number;
  wasmGlobalOf(instance: number, index: number): number;
  wasmTagOf(instance: number, index: number): number;
  wasmFunctionWords(instance: number, place: number): void;
  wasmFunctionFacts(): [instance: number, functionIndex: number, place?: number];
  wasmThrown(): number;
  /** Numbers of references that tables and globals hold; null while compiled code is being run. */
  wasmLiveReferences(): number[] | null;
  wasmHostFor(image: ImageHandle, typeIndex: number, dispatcher: () => void): Owned;
  wasmTrace(): (number | string)[];
  wasmCall(): void;
}

export const wasm = native as unknown as WasmAddon;

const WASM = 8;
const COPY = 1;
const REQUIRE_IN_PLACE = 2;

/** Maps an image that insitu install made, by its path or as FILE@OFFSET+SIZE. @throws LoadError ERR_IMAGE, ERR_CPU and what load() throws */
export function loadWasmImage(
  path: string,
  place: 'in-place' | 'copy',
  requireInPlace: boolean,
): ImageHandle {
  try {
    const flags = WASM | (place === 'copy' ? COPY : 0) | (requireInPlace ? REQUIRE_IN_PLACE : 0);
    if (!looksLikePart(path)) return native.load(path, flags);
    const part = parseReference(path);
    return part.is === 'part'
      ? native.load(part.path, flags, part.start, part.size)
      : native.load(path, flags);
  } catch (error) {
    throw inFile(path, error);
  }
}
