// A program run as a child, and what is to be said of it when it has ended.
import type { Backing } from '../../loader/backing.ts';
import { inFile } from '../../loader/error.ts';
import type { Evidence } from '../../loader/evidence.ts';
import type { Format, ProgramKind } from '../../loader/format.ts';
import type { HugePages } from '../../loader/huge-pages.ts';
import { native, type ProcessOutcome } from '../../loader/native.ts';
import type { PlanSegment } from '../../loader/plan.ts';
import type { Faults, Phase } from '../../loader/report.ts';
import { evidenceOf, hugePagesOf } from './evidence.ts';
import { OWN_ENVIRONMENT, type Start } from './index.ts';

export interface RunReport {
  /** As the user calls it: its path, or the entry of a region. */
  file: string;
  format: Format;
  kind: ProgramKind | null;
  /** image and v8: a WebAssembly program, in a process of insitu's own. */
  way: 'execve' | 'runner' | 'image' | 'v8';
  why: string;
  place: 'in-place' | 'copy';
  backing: Backing;
  segments: readonly PlanSegment[];
  phases: readonly Phase[];
  exitCode: number | null;
  signal: number | null;
  /** Bytes of text and read-only data mapped as stored, and of segments read into anonymous memory; both planned. */
  bytesInPlace: number;
  bytesCopied: number;
  faults: Faults;
  /** Anonymous memory when it ended; null where it could not be looked at. */
  privateBytes: number | null;
  /** Whether huge pages can map its text, and if not, what is in the way; null of a script, and of a copy. */
  hugePages: HugePages | null;
  /** Where the file's pages were when the program ended. */
  evidence: Evidence;
}

/**
 * Runs the program as a child, waits, and reports. Terminal, standard descriptors and signals are the program's.
 * @throws LoadError when it could not be started
 */
export function supervise(start: Start, quiet = false): RunReport {
  let outcome: ProcessOutcome;
  let hugePages: HugePages | null;
  const traced = start.privileges === ''; // the kernel grants none to a program that is traced
  try {
    hugePages = hugePagesOf(start);
    outcome = native.supervise(
      start.command,
      [...start.argv],
      OWN_ENVIRONMENT,
      traced ? start.file : '',
      start.start,
      quiet,
      start.located.heldBy,
    );
  } catch (error) {
    throw inFile(start.command, error);
  } finally {
    start.located[Symbol.dispose]();
  }
  const bytes = (placement: string) =>
    start.segments.reduce((n, s) => (s.placement === placement ? n + s.fileSize : n), 0);
  const { name: file, format, kind, way, why, place, backing, segments } = start;
  return {
    ...{ file, format, kind, way, why, place, backing, segments },
    phases: [{ name: 'run', ns: outcome.elapsedNs }],
    exitCode: outcome.exitCode,
    signal: outcome.signal,
    bytesInPlace: bytes('in-place'),
    bytesCopied: bytes('copied'),
    faults: { minor: outcome.minorFaults, major: outcome.majorFaults },
    privateBytes: outcome.privateBytes,
    hugePages,
    evidence: evidenceOf(outcome, start),
  };
}
