// Libraries that are compiled here, one row for each thing that C++ and the linker can ask of a loader. `make` runs in
// the test's process, `check` in a child of its own, so that a crash is that row's failure and nobody else's.
import { elfRows } from './built-elf.ts';
import { languageRows } from './built-language.ts';
import { threadRows } from './built-threads.ts';

export type Files = Record<string, string>;

export interface BuiltRow {
  name: string;
  /** Compiles into a directory on the RAM file system; answers paths by any name. */
  make: (directory: string) => Files;
  check: (files: Files) => void | Promise<void>;
  /** The same with dlopen, in another child: standard output must be the same. */
  reference?: (files: Files) => void | Promise<void>;
  /** Why it cannot be run here. */
  skip?: () => string | undefined;
  /** The child must die by SIGSEGV, saying this. */
  dies?: RegExp;
}

export const builtRows: BuiltRow[] = [...languageRows, ...threadRows, ...elfRows];
