// load(): a stored shared object becomes running code.
//
//   open -> read -> plan -> map | copy -> link -> report
//
// The chain itself is native/load.cc, one call: crossing into JavaScript between its steps cost more than the steps
// (RATIONALE.md). The steps that are of use by themselves have a file each here: backing (open), format and image
// (detect, read), plan, report.
import { checkName, inFile, LoadError } from './error.ts';
import { type ImageHandle, native } from './native.ts';
import { appendPerfMap, perfMapWanted } from './perf-map.ts';
import { locate } from './store/locate.ts';
import { isReference } from './store/reference.ts';

export interface LoadOptions {
  /** in-place (default): mapped where it is stored; copy: its twin, read into anonymous memory. */
  place?: 'in-place' | 'copy';
  /** Fault all text in during the load instead of at first use. */
  prefault?: boolean;
  /** Refuse (ERR_NOT_IN_PLACE) unless the file is on NVM and nothing but its writable data has to be copied. */
  requireInPlace?: boolean;
}

const COPY = 1;
const REQUIRE_IN_PLACE = 2;
const PREFAULT = 4;

/**
 * Loads a shared object. Constructors have run when it returns; it stays mapped until `close`.
 * If the file is truncated while it is mapped, code that touches a lost page ends the process with a message that
 * names file and offset; if it is overwritten, the running code changes with it. Replace files by rename.
 * @param path a file; or FILE@OFFSET, devdax:NAME, devdax:dax0.0/NAME, region:PATH/NAME (store/reference.ts). An
 *   entry's space in its region is not used for anything else until the library is closed.
 * @returns the handle of a library whose code can run
 * @throws LoadError, with nothing left mapped
 */
export function load(path: string, options?: LoadOptions): ImageHandle {
  let flags = 0;
  if (options !== undefined) {
    if (options.place === 'copy') flags |= COPY;
    if (options.requireInPlace) flags |= REQUIRE_IN_PLACE;
    if (options.prefault) flags |= PREFAULT;
  }
  try {
    const image = isReference(checkName(path)) ? loadPart(path, flags) : native.load(path, flags);
    if (perfMapWanted && flags & COPY) appendPerfMap(image);
    return image;
  } catch (error) {
    throw inFile(path, error);
  }
}

/** What lies within a file. */
function loadPart(name: string, flags: number): ImageHandle {
  using located = locate(name);
  const { path, start, size, entry } = located;
  if (entry !== null && !entry.kind.startsWith('elf-') && entry.kind !== 'node-addon')
    throw new LoadError('ERR_FORMAT', name, `is ${entry.kind}; want a shared object`);
  return native.load(path, flags, start, size);
}

/** Runs destructors and unmaps. Idempotent. Functions of the library must not be called any more. */
export function close(loaded: ImageHandle): void {
  native.closeImage(loaded);
}
