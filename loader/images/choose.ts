// Which store an installation goes to, and what it is stored on.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Backing, sense } from '../backing.ts';
import { tryDirectory } from '../default-region.ts';
import { inFile, LoadError } from '../error.ts';
import { whyNoDax } from '../no-dax.ts';
import { Temporary } from '../store/temporary.ts';
import { LAYOUT, MARKER } from './layout.ts';
import { cacheRoot, chosenRoot, daxCapableMounts, isStore, isTrusted, type Root } from './roots.ts';
import { writeWhole } from './write.ts';

export interface StoreFacts {
  root: string;
  why: Root['why'];
  /** It has been made already. */
  exists: boolean;
  /** Of what its files are stored on; null where no directory can be looked at. */
  medium: Backing['medium'] | null;
  fileSystem: string | null;
  mountPoint: string | null;
  volatile: boolean;
  noexec: boolean;
  writable: boolean;
  /** One clause: what is in the way of running in place from it; null where nothing is. */
  obstacle: string | null;
  /** DAX mounts that would have come first. */
  passedOver: { directory: string; reason: string }[];
}

/**
 * INSITU_STORE, else what ~/.config/insitu/store names, else `insitu` on a DAX file system that can be written, else
 * ~/.cache/insitu.
 */
export function describeStore(environment: NodeJS.ProcessEnv = process.env): StoreFacts {
  const { root, passedOver } = choose(environment);
  const backing = backingOf(root.path);
  const known = typeof backing !== 'string';
  return {
    root: root.path,
    why: root.why,
    exists: isStore(root.path),
    medium: known ? backing.medium : null,
    fileSystem: known ? backing.fileSystem : null,
    mountPoint: known ? backing.mountPoint : null,
    volatile: known && backing.volatile,
    noexec: known && backing.noexec,
    writable: known,
    obstacle: known ? obstacleOf(backing) : backing,
    passedOver,
  };
}

function choose(environment: NodeJS.ProcessEnv): { root: Root; passedOver: StoreFacts['passedOver'] } {
  const passedOver: StoreFacts['passedOver'] = [];
  const chosen = chosenRoot(environment);
  if (chosen) return { root: chosen, passedOver };
  for (const directory of daxCapableMounts()) {
    const path = join(directory, 'insitu');
    const exists = statSync(path, { throwIfNoEntry: false }) !== undefined;
    const backing = tryDirectory(exists ? path : directory);
    if (typeof backing === 'string') passedOver.push({ directory, reason: backing });
    else if (backing.medium !== 'dax') continue;
    else if (backing.noexec) passedOver.push({ directory, reason: 'is mounted noexec' });
    else if (exists && !isTrusted(path)) passedOver.push({ directory, reason: `others can write ${path}` });
    else return { root: { path, why: 'dax' }, passedOver };
  }
  return { root: cacheRoot(environment), passedOver };
}

/** What is stored there, or would be: of the nearest directory that is there. */
function backingOf(root: string): Backing | string {
  let directory = root;
  while (statSync(directory, { throwIfNoEntry: false }) === undefined && directory !== '/')
    directory = dirname(directory);
  return tryDirectory(directory);
}

function obstacleOf(backing: Backing): string | null {
  if (backing.noexec) return `${backing.fileSystem} is mounted noexec: nothing on it may be executed`;
  if (backing.medium !== 'page-cache') return null;
  return whyNoDax(backing) ?? 'what gets mapped is the kernel’s copy in DRAM';
}

/**
 * The root of a store that is there and can be used, made if need be; the chosen one unless one is said.
 * @throws LoadError ERR_STORE (of another layout, or open to others), ERR_NOT_MAPPABLE (mounted noexec), EACCES, EROFS, ENOSPC …
 */
export function openStore(said?: string, environment: NodeJS.ProcessEnv = process.env): string {
  const { path: root, why } = said === undefined ? choose(environment).root : { path: said, why: 'said' };
  const isFound = why === 'dax' || why === 'cache';
  try {
    makeDirectory(root);
    if (isFound && !isTrusted(root))
      throw new LoadError('ERR_STORE', root, 'can be written by others; want it to be root’s or one’s own');
    if (!isStore(root)) makeStore(root);
  } catch (error) {
    throw inFile(root, error);
  }
  const { noexec, fileSystem } = sense(join(root, MARKER));
  if (!noexec) return root;
  throw new LoadError('ERR_NOT_MAPPABLE', root, `${fileSystem} is mounted noexec; want a store elsewhere`);
}

/** As `recursive` does, which goes round for ever where a directory that is there says ENOENT (/proc). */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error;
    makeDirectory(dirname(path));
    makeDirectory(path);
  }
}

function makeStore(root: string): void {
  const marker = join(root, MARKER);
  if (statSync(marker, { throwIfNoEntry: false })?.size)
    throw new LoadError('ERR_STORE', marker, `is of another layout; want '${LAYOUT}'`);
  for (const directory of ['entries', 'index', 'locks'])
    mkdirSync(join(root, directory), { recursive: true });
  using file = new Temporary(root);
  writeWhole(file, Buffer.from(`${LAYOUT}\n`), 0o644);
  file.publish(marker);
}
