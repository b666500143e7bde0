// What is recorded, and the command that does it. The guest records on real DAX, the host's tests on a RAM file system.
import { spawnSync } from 'node:child_process';
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as nvm from '../../../loader/nvm.ts';
import { createRegion } from '../../../loader/store/create.ts';
import { LOG_SIZE } from './records.ts';

export interface Recording {
  name: string;
  /** append: records to a log through nvm.store and nvm.sync. commit: `insitu place` and `insitu region rm`. */
  program: 'append' | 'commit';
  medium: 'devdax' | 'fsdax' | 'ram';
  /** Records, or steps. */
  count: number;
  /** This instruction is made a no-op in the text of the running program: it has to be caught. */
  removed?: 'sfence' | 'clwb';
}

/** A device-dax node of 4 KiB units, whose content is lost; and a directory of a file system with DAX. */
export const guestRecordings: readonly Recording[] = [
  { name: 'sync-devdax', program: 'append', medium: 'devdax', count: 20 },
  { name: 'sync-fsdax', program: 'append', medium: 'fsdax', count: 8 },
  { name: 'commit-devdax', program: 'commit', medium: 'devdax', count: 7 },
  { name: 'commit-fsdax', program: 'commit', medium: 'fsdax', count: 2 },
  { name: 'sync-devdax-no-clwb', program: 'append', medium: 'devdax', count: 3, removed: 'clwb' },
  { name: 'commit-devdax-no-sfence', program: 'commit', medium: 'devdax', count: 2, removed: 'sfence' },
];

export const hostRecordings: readonly Recording[] = [
  { name: 'sync-ram', program: 'append', medium: 'ram', count: 8 },
  { name: 'commit-ram', program: 'commit', medium: 'ram', count: 3 },
  { name: 'commit-ram-no-sfence', program: 'commit', medium: 'ram', count: 1, removed: 'sfence' },
];

export interface Places {
  /** The recorder's binary, and the command that runs programs.ts. */
  recorder: string;
  program: readonly string[];
  /** The node itself on device-dax, else a directory. */
  region: string;
  /** Directory for NAME.trace and NAME.trace.image. */
  output: string;
}

/** Where the data of a region begins (loader/store/layout.ts). */
const DATA = 2 << 20;
/** Of a region in a file: few pages for data, so that what was freed is used again. */
const REGION_SIZE = DATA + (64 << 10);
/** Of a region on a device: as far as these programs get. What lay behind it would be missing, and be found missing. */
const WATCHED = 4 << 20;

/** @throws Error with the recorder's own words when it fails */
export function record(recording: Recording, places: Places): void {
  const { name, program, medium, count, removed } = recording;
  const path = medium === 'devdax' ? places.region : join(places.region, `${name}.region`);
  try {
    prepare(recording, path);
    const length = program === 'append' ? LOG_SIZE : medium === 'devdax' ? WATCHED : REGION_SIZE;
    const { status, stderr, error } = spawnSync(
      places.recorder,
      [
        ...['--region', path, '--length', String(length), '--trace', join(places.output, `${name}.trace`)],
        // Without DAX the kernel refuses MAP_SYNC, and insitu takes msync instead: here it is to write lines back.
        ...(medium === 'ram' ? ['--grant-sync'] : []),
        ...(removed ? ['--remove', removed] : []),
        ...['--', ...places.program, program, String(count), path],
      ],
      { encoding: 'utf8' },
    );
    if (status !== 0)
      throw new Error(`${name} could not be recorded (${error?.message ?? status}): ${stderr}`);
  } finally {
    if (medium !== 'devdax') rmSync(path, { force: true });
  }
}

function prepare({ program, medium }: Recording, path: string): void {
  if (program === 'append') {
    if (medium === 'devdax') return; // whatever is there: a log is read up to what is no record of it
    writeFileSync(path, '');
    truncateSync(path, LOG_SIZE);
    return;
  }
  createRegion(path, medium === 'devdax' ? { force: true } : { size: REGION_SIZE });
  if (medium !== 'devdax') return;
  // Where an earlier recording has left the same bytes, stores would change nothing.
  using region = nvm.open(path, { write: true });
  nvm.write(region, Buffer.alloc(WATCHED - DATA), DATA);
}
