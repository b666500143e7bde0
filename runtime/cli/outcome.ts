// How a verb ends: messages and exit codes of the habit.
import { LoadError } from '../../loader/error.ts';

/** A command line that can't be understood: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function messageOf(error: unknown): string {
  if (error instanceof UsageError) return `${error.message} (--help tells more)`;
  if (error instanceof LoadError) return error.message;
  if (!(error instanceof Error)) return String(error);
  return process.env.INSITU_DEBUG ? (error.stack ?? error.message) : error.message;
}

const NOT_FOUND = new Set(['ENOENT', 'ENOTDIR', 'ERR_NO_ENTRY']);

/** 2 usage, 127 not found, 126 could not be executed, 1 anything else. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return 2;
  if (!(error instanceof LoadError)) return 1;
  if (error.code === 'ERR_PROTOTYPE') return 2;
  return NOT_FOUND.has(error.code) ? 127 : 126;
}
