// Linear memories: V8's own WebAssembly.Memory, which compiled code uses in place. Its base never moves; its size may
// change whenever JavaScript runs, and an old buffer tells that by its own length.
import { type Handle, wasm } from '../../loader/wasm.ts';
import { engaged } from './accelerator.ts';
import { limitsAsked } from './memory-limits.ts';
import type { Limits } from './shape.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';

const MAX_PAGES = 65536;

export class MemoryState {
  readonly memory: V8Type.Memory;
  readonly address: number;
  /** Accesses that compiled code does not check end in V8's guard pages. */
  readonly guarded: boolean;
  readonly shared: boolean;
  readonly is64: boolean;
  /** Unknown of a memory that the program made itself. */
  readonly limits: Limits | undefined;
  buffer: ArrayBuffer;
  size: number;
  /** Keeps the address good. */
  readonly handle: Handle;

  constructor(memory: V8Type.Memory, id: number, limits: Limits | undefined) {
    const { buffer } = memory;
    this.memory = memory;
    this.shared = !(buffer instanceof ArrayBuffer);
    this.is64 = limits?.is64 ?? false;
    this.limits = limits;
    this.buffer = buffer;
    this.size = buffer.byteLength;
    [this.handle, this.address, this.guarded] = wasm.wasmMemory(
      this.shared ? new Uint8Array(buffer) : buffer,
      id,
      limits?.max ?? MAX_PAGES,
    );
    this.watch();
  }

  private watch(): void {
    if (!this.shared) engaged.accelerator?.watchMemory(this.address, this.buffer);
  }

  /** @throws RangeError as V8's */
  grow(pages: number): number {
    let before: number;
    try {
      before = this.memory.grow(pages);
    } catch (error) {
      if (!this.is64 || !(error instanceof TypeError)) throw error;
      before = Number(this.memory.grow(BigInt(pages) as unknown as number));
    }
    this.refresh();
    return before;
  }

  /** Reads the size again. */
  refresh(): void {
    const { buffer } = this.memory;
    if (buffer === this.buffer && buffer.byteLength === this.size) return;
    this.buffer = buffer;
    this.size = buffer.byteLength;
    wasm.wasmMemoryUpdate(this.address, this.shared ? new Uint8Array(buffer) : buffer);
    this.watch();
  }
}

const states = new WeakMap<V8Type.Memory, MemoryState>();
const byId = new Map<number, WeakRef<MemoryState>>();
let lastId = 0;

export const memoryById = (id: number): MemoryState => byId.get(id)?.deref() as MemoryState;

/** Every memory that is alive. */
export const allMemories: Iterable<Watched> = {
  *[Symbol.iterator]() {
    for (const [id, weak] of byId) {
      const state = weak.deref();
      if (state === undefined) byId.delete(id);
      else yield state;
    }
  },
};

/** A memory that no call touches: where a module has none. */
export const NO_MEMORY = { buffer: new ArrayBuffer(0), size: 0, shared: false, refresh() {} };
export type Watched = Pick<MemoryState, 'buffer' | 'size' | 'shared' | 'refresh'>;

export function stateOf(memory: V8Type.Memory, limits = limitsAsked(memory)): MemoryState {
  const known = states.get(memory);
  if (known !== undefined) {
    known.refresh();
    return known;
  }
  const id = ++lastId;
  const state = new MemoryState(memory, id, limits);
  states.set(memory, state);
  byId.set(id, new WeakRef(state));
  return state;
}

/**
 * A memory with 64-bit addresses is V8's where V8 has such. Elsewhere one with 32-bit addresses stands behind it: what
 * differs is that it cannot grow beyond 4 GiB.
 */
function create64({ min, max, shared }: Limits): V8Type.Memory {
  const descriptor: Record<string, unknown> = { address: 'i64', initial: BigInt(min) };
  if (max !== undefined) descriptor.maximum = BigInt(max);
  if (shared) descriptor.shared = true;
  try {
    return new V8.Memory(descriptor);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return create32({ min, max, shared, is64: false });
  }
}

function create32({ min, max, shared }: Limits): V8Type.Memory {
  const descriptor: Record<string, unknown> = { initial: min };
  if (max !== undefined) descriptor.maximum = Math.min(max, MAX_PAGES);
  if (shared) descriptor.shared = true;
  return new V8.Memory(descriptor);
}

/** @throws RangeError when V8 cannot reserve it */
export function createMemory(limits: Limits): MemoryState {
  return stateOf(limits.is64 ? create64(limits) : create32(limits), limits);
}
