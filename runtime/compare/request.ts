import type { Totals } from '../../loader/evidence.ts';

export type WayName =
  | 'in-place'
  | 'copy-load'
  | 'dlopen'
  | 'execve'
  | 'mmap-floor'
  | 'v8'
  | 'v8-eager'
  | 'wasmtime';

/** What a sample process is to do. Sizes and offsets in bytes. */
export interface Request {
  file: string;
  way: WayName;
  /** Load one other small file the same way first. */
  warm: boolean;
  text: { vaddr: number; offset: number; length: number };
  /** Bytes of text and read-only data: what any way but a copy maps as it is stored. */
  readOnlyBytes: number;
  /** Afterwards, untimed: touch all text, and look where the pages are. */
  evidence?: boolean;
  /** Lowest link-time address and length of the image. */
  lo: number;
  span: number;
  call?: { prototype: string; args: string[] };
  program?: {
    command: string;
    argv: string[];
    warmArgv: string[];
    environment: string[];
    bytesInPlace: number;
    bytesCopied: number;
  };
}

/** What it answers. */
export interface Sample {
  ns: number;
  phases: Record<string, number>;
  bytesInPlace: number;
  bytesCopied: number;
  minorFaults: number;
  majorFaults: number;
  privateBytes: number;
  /** Pages by what they are for, and where they were in the end. */
  evidence?: Totals;
  /** How a program ended: a way that fails is no faster. */
  ending?: string;
}

/** Starts the line that holds the sample: the library may print as well. */
export const SAMPLE_MARK = 'insitu sample: ';
