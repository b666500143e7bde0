// What is to be said of a WebAssembly program when it has ended, in the shape of other programs' reports.
import { readFileSync } from 'node:fs';
import { sense } from '../../loader/backing.ts';
import type { Evidence } from '../../loader/evidence.ts';
import type { RunReport } from '../program/supervise.ts';
import type { WasmProgram } from './program.ts';

export interface Ended {
  exitCode: number;
  /** Of linking and running, in ns. */
  elapsedNs: number;
  faults: { minor: number; major: number };
}

export const noImage: Evidence = {
  source: 'none',
  ranges: [],
  totals: {},
  summary: 'V8 compiled it: none of its code is in a file',
};

/** To be taken before the process ends: where the image's pages are now. */
export function reportOf(program: WasmProgram, place: 'in-place' | 'copy', ended: Ended): RunReport {
  const { path: file, loaded, why } = program;
  const { exitCode, elapsedNs, faults } = ended;
  const common = { file, format: 'wasm-module', kind: null, why, place, exitCode, signal: null } as const;
  const measured = { faults, privateBytes: privateBytes() };
  if (loaded === null) {
    const phases = [{ name: 'run', ns: elapsedNs }];
    const none = { segments: [], bytesInPlace: 0, bytesCopied: 0, hugePages: null, evidence: noImage };
    return { ...common, way: 'v8', backing: sense(file), phases, ...none, ...measured };
  }
  const { backing, segments, phases, bytesInPlace, bytesCopied, hugePages, evidence } = loaded.report;
  const linkNs = phases.find(({ name }) => name === 'instantiate')?.ns ?? 0;
  const all = [...phases, { name: 'run', ns: elapsedNs - linkNs }];
  const image = { backing, segments, phases: all, bytesInPlace, bytesCopied, hugePages, evidence };
  return { ...common, way: 'image', ...image, ...measured };
}

/** Anonymous memory of this process, Node's included, in bytes. */
export function privateBytes(): number | null {
  try {
    const found = /^Anonymous:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'));
    return found === null ? null : 1024 * Number(found[1]);
  } catch {
    return null;
  }
}
