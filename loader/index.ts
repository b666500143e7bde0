// load(): a stored shared object becomes running code. Each line is a step of the chain, each step a file.
import { type Backing, open } from './backing.ts';
import { LoadError } from './error.ts';
import { type Image, readShared } from './image.ts';
import { link } from './link.ts';
import { type Mapping, map } from './map.ts';
import { native } from './native.ts';
import { type Plan, plan } from './plan.ts';
import { prefault } from './prefault.ts';
import { Report, Stopwatch } from './report.ts';

export interface LoadOptions {
  /** in-place (default): mapped where it is stored; copy: its twin, read into anonymous memory. */
  place?: 'in-place' | 'copy';
  /** Fault all text in during the load instead of at first use. */
  prefault?: boolean;
  /** Refuse (ERR_NOT_IN_PLACE) unless the file is on NVM and no segment has to be copied. */
  requireInPlace?: boolean;
}

/** A library whose code can run. What it exports is found by name. */
export interface Loaded {
  readonly image: Image;
  readonly mapping: Mapping;
  readonly report: Report;
}

/**
 * Loads a shared object. Constructors have run when it returns; it stays mapped until `close`.
 * If the file is truncated while it is mapped, code that touches a lost page ends the process with a message that
 * names file and offset; if it is overwritten, the running code changes with it. Replace files by rename.
 * @throws LoadError, with nothing left mapped.
 */
export function loadSync(path: string, options: LoadOptions = {}): Loaded {
  const { place = 'in-place' } = options;
  const watch = new Stopwatch();
  const backing = open(path);
  try {
    watch.phase('open');
    const image = readShared(backing);
    watch.phase('read');
    const planned = plan(image, backing, place, native.pageSize);
    if (options.requireInPlace) requireInPlace(backing, planned);
    watch.phase('plan');
    const mapping = map(image, planned);
    watch.phase(place === 'copy' ? 'copy' : 'map');
    if (options.prefault) prefault(mapping, watch);
    const after = link(mapping);
    watch.phase('link');
    const [minor, major] = backing.faultsBefore;
    const faults = { minor: after[0] - minor, major: after[1] - major };
    return { image, mapping, report: new Report(place, watch.phases, faults, backing, mapping) };
  } finally {
    backing.close();
  }
}

/** Runs destructors and unmaps. Idempotent. Functions of the library must not be called any more. */
export function close(loaded: Loaded): void {
  native.closeImage(loaded.image.handle);
}

/** Nothing degrades silently: what would not run in place on NVM is an error here, and says why. */
export function requireInPlace(backing: Backing, planned: Plan): void {
  const { path, medium, fileSystem } = backing;
  if (medium !== 'dax' && medium !== 'devdax') {
    const what = medium === 'ram' ? 'a RAM file system' : 'mapped through the page cache';
    throw new LoadError('ERR_NOT_IN_PLACE', path, `is on ${fileSystem}, ${what}; want a DAX file or device-dax`);
  }
  const copied = planned.segments.find((segment) => segment.placement === 'copied');
  if (copied) {
    const text = `PT_LOAD[${copied.index}] must be copied: ${copied.reason}; want every segment in place`;
    throw new LoadError('ERR_NOT_IN_PLACE', path, text, copied.fileOffset);
  }
}
