// Which stores there are to look in. For the load path: nothing is probed, written or created, and little is imported.
import { readFileSync, statSync } from 'node:fs';
import { LAYOUT, MARKER } from './layout.ts';

export interface Root {
  readonly path: string;
  /** Who chose it. */
  readonly why: 'INSITU_STORE' | 'configured' | 'dax' | 'cache';
}

/** File systems that can have DAX and answer at once. */
const DAX_CAPABLE = new Set(['ext4', 'ext2', 'xfs', 'erofs', 'virtiofs', 'famfs']);

/** INSITU_STORE, or the first line of the configuration: then it is the only one. */
export function chosenRoot(environment: NodeJS.ProcessEnv = process.env): Root | undefined {
  const named = environment.INSITU_STORE;
  if (named) return { path: absolute(named), why: 'INSITU_STORE' };
  const line = readText(configurationPath(environment)).split('\n', 1)[0]?.trim();
  return line ? { path: absolute(line), why: 'configured' } : undefined;
}

/** One line: the path of a store. */
export function configurationPath(environment: NodeJS.ProcessEnv = process.env): string {
  return `${environment.XDG_CONFIG_HOME || `${home(environment)}/.config`}/insitu/store`;
}

/** The user's own, where nothing else is; of a user without a home, in /tmp. */
export function cacheRoot(environment: NodeJS.ProcessEnv = process.env): Root {
  const at = home(environment);
  const cache = environment.XDG_CACHE_HOME || (at && `${at}/.cache`);
  return { path: cache ? `${cache}/insitu` : `/tmp/insitu-${process.getuid?.()}`, why: 'cache' };
}

/** Mount points where `insitu` would be a store in place. */
export function daxCapableMounts(): string[] {
  const points: string[] = [];
  for (const line of readText('/proc/self/mountinfo').split('\n')) {
    const [head = '', tail = ''] = line.split(' - ');
    const point = head.split(' ')[4];
    if (point === undefined || point === '/' || !DAX_CAPABLE.has(tail.split(' ')[0] ?? '')) continue;
    points.push(point.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))));
  }
  return points;
}

/** Stores that there are for a load to look in, in order. */
export function rootsToRead(environment: NodeJS.ProcessEnv = process.env): Root[] {
  const chosen = chosenRoot(environment);
  if (chosen) return [chosen];
  const onDax = daxCapableMounts().map((point): Root => ({ path: `${point}/insitu`, why: 'dax' }));
  return [...onDax, cacheRoot(environment)].filter(({ path }) => isStore(path) && isTrusted(path));
}

export const isStore = (root: string): boolean => readText(`${root}/${MARKER}`).startsWith(`${LAYOUT}\n`);

/** What somebody else could have put there is not run: a store that was found is root's or one's own. */
export function isTrusted(path: string): boolean {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return false;
  return (status.uid === 0 || status.uid === process.getuid?.()) && (status.mode & 0o022) === 0;
}

function home(environment: NodeJS.ProcessEnv): string {
  if (environment.HOME) return environment.HOME;
  // What node:os would ask the system for; it costs more to load than all of this file.
  const user = new RegExp(`^[^:]*:[^:]*:${process.getuid?.()}:[^:]*:[^:]*:(/[^:]*)`, 'm');
  return user.exec(readText('/etc/passwd'))?.[1] ?? '';
}

const absolute = (path: string): string => (path.startsWith('/') ? path : `${process.cwd()}/${path}`);

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // not there, or not for us
  }
}
