// What the program opened so far, for the report.
import { once } from '../../loader/once.ts';

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

/** Of this thread, in order. */
export const opened = once('libraries', (): OpenedLibrary[] => []);
