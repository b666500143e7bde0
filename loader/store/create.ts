// Making a region: of a device-dax node, or in an ordinary file.
import { closeSync, existsSync, fsyncSync, openSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { LoadError } from '../error.ts';
import { native } from '../native.ts';
import * as nvm from '../nvm.ts';
import {
  ACTIVE,
  classify,
  encodeActive,
  encodeSuperblock,
  finishedMagic,
  METADATA,
  SLOT_OFFSETS,
  unfinishedMagic,
} from './layout.ts';
import { allocate, checkSameFile, lockForWriting, MappedPart, sizeOf } from './region.ts';
import { encodeSlot } from './slot.ts';

export interface CreateOptions {
  /** Bytes of a new file; a device is used whole. */
  size?: number;
  /** Overwrite what a device holds, or a region that is there already. */
  force?: boolean;
  /** Leave a region that is there already as it is, `force` or not, instead of refusing. */
  keep?: boolean;
  onWait?: () => void;
}

/**
 * Makes an empty region. What a device or file holds already is not overwritten: a device with anything in its first
 * 2 MiB wants `force`, a file with anything in it is refused always. Killed midway, it leaves what may be made anew.
 * @returns false where a region was there and `keep` left it
 * @throws LoadError ERR_REGION (something is there, or no size to be had), ENOSPC, open(2)'s codes
 */
export function createRegion(path: string, options: CreateOptions = {}): boolean {
  checkSize(path, options.size);
  const isOurs = !existsSync(path);
  using region = openForCreation(path, options);
  lockForWriting(region, options.onWait);
  checkSameFile(region);
  const isNew = sizeOf(region) === 0;
  try {
    const size = sizeFor(region, options.size);
    if (isNew) nvm.truncate(region, size);
    return makeIn(region, size, options);
  } catch (error) {
    if (isNew && isOurs) unlinkSync(path);
    else if (isNew) nvm.truncate(region, 0);
    throw error;
  }
}

function openForCreation(path: string, { size }: CreateOptions): nvm.Region {
  try {
    return nvm.open(path, { write: true, create: size !== undefined, mode: 0o644 });
  } catch (error) {
    if ((error as LoadError).code !== 'ENOENT' || size !== undefined) throw error;
    throw new LoadError(
      'ENOENT',
      path,
      'is not there; want a size for a region in a new file (--create=SIZE, create --size=SIZE)',
    );
  }
}

function makeIn(region: nvm.Region, size: number, options: CreateOptions): boolean {
  const { granule, medium } = region.backing;
  const length = Math.max(METADATA, granule);
  const before = Buffer.alloc(METADATA);
  nvm.read(region, before, 0);
  if (!mayWrite(region, before, options)) return false;
  allocate(region, 0, length);
  using part = new MappedPart(region, 0, length, true);
  // What runs from a region that is emptied goes on: its space counts as used before.
  const isUnused = before.every((byte) => byte === 0);
  format(part, size, granule, isUnused ? length : size);
  if (medium !== 'devdax') keepName(region);
  return true;
}

/** Before a file is made in vain. */
function checkSize(path: string, size: number | undefined): void {
  if (size === undefined || (Number.isSafeInteger(size) && size > METADATA)) return;
  const text = `size of ${size} bytes was asked for; want more than the ${METADATA} of the catalog`;
  throw new LoadError('ERR_REGION', path, text);
}

/** The size of the region to be. */
function sizeFor(region: nvm.Region, wanted: number | undefined): number {
  const { path, backing } = region;
  const length = Math.max(METADATA, backing.granule);
  const there = sizeOf(region);
  const whole = (size: number) => size - (size % backing.granule);
  const size = whole(there === 0 ? (wanted ?? 0) : there);
  if (there === 0 && wanted === undefined)
    throw new LoadError(
      'ERR_REGION',
      path,
      'is an empty file; want a size for the region (--create=SIZE, create --size=SIZE)',
    );
  if (there !== 0 && wanted !== undefined && whole(wanted) !== size) {
    const text = `has ${there} bytes, not the ${wanted} asked for; want no size, it is used whole`;
    throw new LoadError('ERR_REGION', path, text);
  }
  if (size <= length) {
    const text = `would be a region of ${size} bytes; want more than the ${length} of its catalog`;
    throw new LoadError('ERR_REGION', path, text);
  }
  return size;
}

/** Whether it may be written over. Other file systems and labels begin in a device's first 2 MiB. */
function mayWrite(region: nvm.Region, start: Buffer, { force, keep }: CreateOptions): boolean {
  const found = classify(start.subarray(0, native.pageSize));
  if (found === 'region' && keep) return false;
  const device = region.backing.medium === 'devdax';
  const isEmpty = start.every((byte) => byte === 0) && (device || !native.hasData(region.fd, start.length));
  if (found === 'unfinished' || isEmpty) return true;
  if (force && (device || found === 'region')) return true;
  const text =
    found === 'region'
      ? 'is a region already; want --force to empty it'
      : device
        ? 'holds something that is no region; want --force to overwrite it'
        : 'is a file that holds something; want a new file, or an empty one';
  throw new LoadError('ERR_REGION', region.path, text);
}

/** The magic is taken away first and set last, each as one store: in between it is a region whose making was interrupted. */
function format(part: MappedPart, size: number, granule: number, reached: number): void {
  const write = (offset: number, bytes: Buffer) => {
    part.store(offset, bytes);
    part.sync(offset, bytes.length);
  };
  const now = new Date();
  const dataStart = Math.max(METADATA, granule);
  const empty = { generation: 1, cursor: dataStart, reached, committed: now, entries: [] };
  write(0, unfinishedMagic());
  write(8, Buffer.alloc(METADATA - 8));
  write(SLOT_OFFSETS[0], encodeSlot(empty));
  write(ACTIVE, encodeActive({ generation: 1, slot: 0 }));
  write(8, encodeSuperblock(size, granule, now).subarray(8));
  write(0, finishedMagic());
}

/** The name of a new file is durable once its directory is. */
function keepName(region: nvm.Region): void {
  fsyncSync(region.fd);
  const directory = openSync(dirname(region.path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
