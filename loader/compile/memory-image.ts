// The first content of memories, as whole pages: what active data segments with constant offsets write. It is mapped
// copy-on-write, so nothing is copied at instantiation but what the program then writes to. A memory that is imported
// may hold something already; where it does, the patches are copied, which are the bytes that segments really have.
import type { DataSegment, Module } from './module.ts';
import { Reader } from './reader.ts';

export interface Run {
  memory: number;
  /** In the memory, bytes; a multiple of a page. */
  at: number;
  bytes: Uint8Array;
}

/** Of memories that are imported. */
export interface Patch {
  /** Index of the run that holds the bytes. */
  run: number;
  /** In the memory, bytes. */
  at: number;
  size: number;
}

export interface MemoryImage {
  runs: Run[];
  patches: Patch[];
  /** Data segments that are wholly in it. */
  taken: Set<number>;
}

const PAGE = 4096;
const WASM_PAGE = 65536;
/** A gap of so many zero bytes is left out of the image. */
const GAP = 16 * PAGE;
/** Larger images than that are not made: such offsets would cost more on the medium than a copy costs at start. */
const MAX_IMAGE = 1 << 30;

interface Placed {
  index: number;
  memory: number;
  at: number;
  segment: DataSegment;
}

/** The offset of a segment, when it is one constant. */
function constantOffset(module: Module, segment: DataSegment): number | null {
  if (segment.mode.kind !== 'active') return null;
  const { start, end } = segment.mode.offset;
  const reader = new Reader(module.bytes, start, end);
  const opcode = reader.u8();
  const value = opcode === 0x41 ? reader.s32() >>> 0 : opcode === 0x42 ? Number(reader.s64()) : -1;
  return value >= 0 && reader.u8() === 0x0b ? value : null;
}

/** All segments up to the first that has to be evaluated, or would trap: those behind it must not be seen before. */
function placeable(module: Module): Placed[] {
  const placed: Placed[] = [];
  for (const [index, segment] of module.data.entries()) {
    if (segment.mode.kind !== 'active') continue;
    const memory = segment.mode.index;
    const at = constantOffset(module, segment);
    const size = segment.bytes.end - segment.bytes.start;
    const limit = (module.memories[memory]?.min ?? 0) * WASM_PAGE;
    if (at === null || at + size > limit || at + size > MAX_IMAGE) break;
    placed.push({ index, memory, at, segment });
  }
  return placed;
}

function runsOf(placed: Placed[]): { memory: number; from: number; to: number }[] {
  const runs: { memory: number; from: number; to: number }[] = [];
  const sorted = [...placed].sort((a, b) => a.memory - b.memory || a.at - b.at);
  for (const { memory, at, segment } of sorted) {
    const size = segment.bytes.end - segment.bytes.start;
    if (size === 0) continue;
    const from = Math.floor(at / PAGE) * PAGE;
    const to = Math.ceil((at + size) / PAGE) * PAGE;
    const last = runs[runs.length - 1];
    if (last !== undefined && last.memory === memory && from <= last.to + GAP)
      last.to = Math.max(last.to, to);
    else runs.push({ memory, from, to });
  }
  return runs;
}

/** In order, and without overlaps: all of a run's bytes are as the last segment left them. */
function merged(patches: Patch[]): Patch[] {
  const result: Patch[] = [];
  for (const patch of [...patches].sort((a, b) => a.run - b.run || a.at - b.at)) {
    const last = result[result.length - 1];
    if (last !== undefined && last.run === patch.run && patch.at <= last.at + last.size)
      last.size = Math.max(last.size, patch.at + patch.size - last.at);
    else result.push({ ...patch });
  }
  return result;
}

export function memoryImage(module: Module): MemoryImage {
  // Elements are written before data: where that can trap, nothing of the data may be there.
  const placed = placeable(module);
  const runs = runsOf(placed).map(({ memory, from, to }) => ({
    memory,
    at: from,
    bytes: new Uint8Array(to - from),
  }));
  const patches: Patch[] = [];
  for (const { memory, at, segment } of placed) {
    const bytes = module.bytes.subarray(segment.bytes.start, segment.bytes.end);
    const run = runs.findIndex(
      (one) => one.memory === memory && at >= one.at && at < one.at + one.bytes.length,
    );
    if (bytes.length === 0) continue;
    (runs[run] as Run).bytes.set(bytes, at - (runs[run] as Run).at);
    if (memory < module.imported.memories) patches.push({ run, at, size: bytes.length });
  }
  return { runs, patches: merged(patches), taken: new Set(placed.map(({ index }) => index)) };
}
