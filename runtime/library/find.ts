import { existsSync, realpathSync } from 'node:fs';

/**
 * A file as named. Symbolic links are resolved, so that $ORIGIN and messages mean the library itself.
 */
export function findLibrary(name: string): string {
  return existsSync(name) ? realpathSync(name) : name;
}
