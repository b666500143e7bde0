// Node addons and shared objects that the program opens: their copies in the store in their place, which ld.so maps as it
// would map them. What is stored on a DAX or RAM file system is thereby in place, for every thread, and Node does for it
// whatever it does for any other addon.
import { statSync } from 'node:fs';
import { libraryOfFile } from '../../loader/libraries/find.ts';
import { moduleFile, requireHere } from '../../loader/root.ts';
import { startEnvironment } from '../../loader/start-environment.ts';
import { note } from './opened.ts';

const { INSITU } = startEnvironment;

/**
 * What is in the store since before this process began: it might have opened the file itself by then, in another thread, and
 * would have two of it.
 */
function isOlder(path: string): boolean {
  return statSync(path).ctimeMs < Date.now() - process.uptime() * 1000;
}

function find(path: string): [stored: string | null, reason: string] {
  if (INSITU === 'copy') return [null, 'INSITU=copy: opened as it is'];
  try {
    const found = libraryOfFile(path)?.path;
    if (found !== undefined) return isOlder(found) ? [found, 'in place'] : [null, 'stored only since'];
  } catch (error) {
    return [null, (error as Error).message];
  }
  if (INSITU !== 'learn' && INSITU !== 'collect') return [null, 'not in a store'];
  const { learnFile } = requireHere(moduleFile('runtime/hook/learn')) as typeof import('./learn.ts');
  return [null, learnFile(path)];
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

const isOfLoader = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException | null)?.code === 'ERR_DLOPEN_FAILED';

/**
 * As process.dlopen. A copy that cannot be opened is passed over; what the addon itself throws when it starts is thrown.
 * @param dlopen Node's own
 * @param args of the call
 */
export function open(dlopen: (...args: unknown[]) => unknown, path: string, args: unknown[]): unknown {
  const [stored, reason] = find(path);
  const openIt = (at: string | null, why: string) =>
    note({ path, stored: at, reason: why, size: sizeOf(at ?? path) }, () =>
      dlopen(args[0], at ?? path, ...args.slice(2)),
    );
  if (stored === null) return openIt(null, reason);
  try {
    return openIt(stored, reason);
  } catch (error) {
    if (!isOfLoader(error)) throw error;
    return openIt(null, `${stored}: ${(error as Error).message}`);
  }
}
