// What the program opened so far, for the report.
import { once } from '../../loader/once.ts';
import { startEnvironment } from '../../loader/start-environment.ts';
import type { OpenedReport } from '../library/opened-report.ts';

/** Of one call of process.dlopen that went well. */
export interface OpenedLibrary {
  /** As the program calls it. */
  path: string;
  /** Its copy that was opened; null where it was itself. */
  stored: string | null;
  reason: string;
  /** Bytes. */
  size: number;
  /** Milliseconds until it was open, its own start included. */
  readyMs: number;
  /** Minor faults of the process meanwhile. */
  faults: number;
}

/** Of this thread, in order; `mapped` looks where the pages are. */
export const opened = once('libraries', (): (OpenedLibrary & { mapped?: () => OpenedReport[] })[] => []);
const KEPT = 1000;

type Told = Omit<OpenedLibrary, 'readyMs' | 'faults'> & { mapped?: () => OpenedReport[] };

/** Opens a library, and keeps what is to be said of it where a report is wanted. */
export function note(library: Told, open: () => unknown): unknown {
  if (!startEnvironment.INSITU_REPORT) return open();
  const [began, faults] = [performance.now(), process.resourceUsage().minorPageFault];
  const result = open();
  const readyMs = performance.now() - began;
  const more = process.resourceUsage().minorPageFault - faults;
  if (opened.length < KEPT) opened.push({ ...library, readyMs, faults: more });
  return result;
}
