// Which files a shared object needs from where it lies: those that ld.so(8) finds by $ORIGIN in a run path, and those beside it.
import { readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { OpenFile } from '../backing.ts';
import { inFile, LoadError } from '../error.ts';
import type { Format } from '../format.ts';
import { read } from '../image.ts';
import { type ImageDetails, native } from '../native.ts';

export interface Gathered {
  /** That all of them lie in. */
  directory: string;
  /** Relative to it, the one that was asked for first. */
  files: string[];
}

const ORIGIN = /^\$(?:ORIGIN|\{ORIGIN\})(?=\/|$)/;

/**
 * @param path of a shared object or Node addon for this machine
 * @throws LoadError ERR_FORMAT of anything else, and what reading it throws
 */
export function gather(path: string): Gathered {
  const found = [resolve(path)];
  const names = new Set<string>();
  for (const file of found) {
    const { needed, runpath, rpath } = detailsOf(file);
    const directories = (runpath ?? rpath ?? '').split(':').filter((text) => text !== '');
    for (const name of needed) {
      const path = names.has(name) ? undefined : besideOf(file, name, directories);
      if (path !== undefined && !found.includes(path)) found.push(path);
      names.add(name);
    }
  }
  // What it may open by itself, by $ORIGIN or by where it finds itself to be.
  for (const name of readdirSync(dirname(resolve(path))).sort())
    if (isOpenable(join(dirname(resolve(path)), name), found)) found.push(join(dirname(resolve(path)), name));
  const directory = found.map(dirname).reduce(common);
  return { directory, files: found.map((file) => relative(directory, file)) };
}

const isOpenable = (path: string, found: readonly string[]): boolean =>
  /\.so(?:\.[\d.]+)?$/.test(path) &&
  !found.includes(path) &&
  Boolean(statSync(path, { throwIfNoEntry: false })?.isFile());

/** Undefined where another directory comes first, or the system's own are searched. */
function besideOf(file: string, name: string, directories: readonly string[]): string | undefined {
  if (name.includes('/')) return undefined;
  for (const directory of directories) {
    const path = join(directory.replace(ORIGIN, dirname(file)), name);
    if (statSync(path, { throwIfNoEntry: false })?.isFile()) return ORIGIN.test(directory) ? path : undefined;
  }
  return undefined;
}

function common(a: string, b: string): string {
  const [one, other] = [a.split('/'), b.split('/')];
  const end = one.findIndex((part, i) => part !== other[i]);
  return (end < 0 ? one : one.slice(0, end)).join('/') || '/';
}

/** What this machine's loader would make of a file. @throws LoadError of what is no ELF image for this machine */
export function describeLibrary(path: string): { format: Format; details: ImageDetails } {
  using file = new OpenFile(path);
  const image = read(file);
  try {
    native.mapForInspection(image.handle);
    const details = native.imageDetails(image.handle);
    if (details.damaged)
      throw new LoadError(
        'ERR_CHANGED',
        path,
        'lost pages while it was read; want a file that does not shrink',
      );
    return { format: image.format, details };
  } catch (error) {
    throw inFile(path, error);
  } finally {
    native.closeImage(image.handle);
  }
}

function detailsOf(path: string): ImageDetails {
  const { format, details } = describeLibrary(path);
  if (format === 'node-addon' || format === 'elf-shared') return details;
  throw new LoadError('ERR_FORMAT', path, `is ${format}; want a Node addon or shared object`);
}
