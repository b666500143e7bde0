// A recorded trace: what the program did to the region, in program order. Written by recorder/trace.cc, one JSON object a
// line; offsets and sizes are bytes of the region.
import { readFileSync } from 'node:fs';

/** What one instruction, or a system call ('kernel'), changed. Bytes between changed ones may be in it unchanged. */
export interface StoreEvent {
  e: 'store';
  at: number;
  bytes: Buffer;
  kind: 'store' | 'nontemporal' | 'kernel';
  /** The code that did it: FILE+0xOFFSET. */
  where: string;
}

/** clwb, clflushopt or clflush of the 64-byte line at `at`. */
export interface WriteBackEvent {
  e: 'write-back';
  at: number;
  by: string;
  where: string;
}

/** sfence or mfence; 'locked' is an instruction that has a fence's effect besides its own. */
export interface FenceEvent {
  e: 'fence';
  by: 'sfence' | 'mfence' | 'locked';
  where: string;
}

/** A system call (msync, fsync, fdatasync) has returned: the range is durable. */
export interface DurableEvent {
  e: 'durable';
  at: number;
  size: number;
  by: string;
  where: string;
}

/** What the program told of its progress. */
export interface MarkEvent {
  e: 'mark';
  text: string;
}

/** The recorder made an instruction of the program a no-op. */
export interface PatchedEvent {
  e: 'patched';
  what: string;
  where: string;
}

export type Event = StoreEvent | WriteBackEvent | FenceEvent | DurableEvent | MarkEvent | PatchedEvent;

export interface Trace {
  events: readonly Event[];
  /** The region before the first event. */
  image: Buffer;
  /** Instructions that were single-stepped. */
  steps: number;
}

type Line = (Omit<StoreEvent, 'bytes'> & { hex: string }) | Exclude<Event, StoreEvent> | EndLine;
interface EndLine {
  e: 'end';
  events: number;
  steps: number;
}

/** @throws Error when the trace was cut off: a recording that was not finished says nothing */
export function readTrace(path: string): Trace {
  const lines = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const end = lines.pop();
  if (end?.e !== 'end' || end.events !== lines.length)
    throw new Error(`${path} has ${lines.length} events and no end; want a recording that was finished`);
  const events = lines.map((line): Event => {
    if (line.e === 'end') throw new Error(`${path} ends before its last line`);
    if (line.e !== 'store') return line;
    const { hex, ...rest } = line;
    return { ...rest, bytes: Buffer.from(hex, 'hex') };
  });
  return { events, image: readFileSync(`${path}.image`), steps: end.steps };
}
