// Where this package lies, and its own files in it: the source tree (.ts), the same compiled file by file (.js, for the
// machine tests), or the bundle in dist/ (.cjs). Paths and no URLs: on the way of every start, those cost more.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

const here = import.meta.filename;
const built = here.slice(here.lastIndexOf('.') + 1) as 'ts' | 'js' | 'cjs';
const isBundle = built === 'cjs';
const top = isBundle ? here.slice(0, here.lastIndexOf('/dist/') + 6) : `${dirname(dirname(here))}/`;

/** The directory that holds package.json; ends with a slash. */
export const packageRoot = built === 'ts' ? top : `${dirname(top)}/`;

/** The file of a module that is an entry of the bundle, too. @param name its path in the source tree, without `.ts` */
export const moduleFile = (name: string): string => `${top}${name}.${built}`;

/** Where the code of one directory of the source tree is now: in the bundle nothing tells directories apart. */
export const codeOf = (directory: string): string => (isBundle ? top : top + directory);

/** Resolves packages, addons and files of ours; in the bundle that is `require` itself (esbuild.config.ts). */
export const requireHere = createRequire(import.meta.filename);
