// Relocation, RELRO, then text made executable through protect, last; then constructors.
import { dirname } from 'node:path';
import { inFile } from './error.ts';
import type { Mapping } from './map.ts';
import { native, slots } from './native.ts';

/** This thread's minor and major faults when linking was done. */
export type FaultsAfter = readonly [minor: number, major: number];

/** @throws LoadError; the mapping is gone then. */
export function link(mapping: Mapping): FaultsAfter {
  const { image } = mapping;
  try {
    native.linkImage(image.handle, slots, image.hasRunPath ? searchDirectories(mapping) : undefined);
  } catch (error) {
    throw inFile(image.path, error);
  }
  return [slots[0] as number, slots[1] as number];
}

/**
 * Where needed libraries are looked for before the system's own search: DT_RPATH (unless DT_RUNPATH is there),
 * LD_LIBRARY_PATH, DT_RUNPATH, with $ORIGIN expanded (ld.so(8)).
 */
function searchDirectories(mapping: Mapping): string[] {
  const { runpath, rpath } = native.imageDetails(mapping.image.handle);
  const origin = dirname(mapping.image.path);
  const expand = (list: string | null | undefined) =>
    (list ?? '')
      .split(':')
      .filter((directory) => directory !== '')
      .map((directory) => directory.replace(/\$ORIGIN|\$\{ORIGIN\}/g, origin));
  return [...expand(runpath === null ? rpath : null), ...expand(process.env.LD_LIBRARY_PATH), ...expand(runpath)];
}
