// Regions to test with: made in files, their bytes patched one field at a time.
import '../../loader/store/entry.ts'; // what loadSync would require: tsx makes a second copy of what is required
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import * as assert from 'uvu/assert';
import { LoadError } from '../../loader/error.ts';
import { native } from '../../loader/native.ts';
import { createRegion } from '../../loader/store/create.ts';
import { placeInRegion } from '../../loader/store/place.ts';
import { temporaryDirectory } from '../build/compile.ts';

export const KIB = 1 << 10;
export const MIB = 1 << 20;
export const SLOTS = [0x10000, 0x80000] as const;
/** Of the second catalog of a region: the first commit goes into slot B. */
export const SLOT = SLOTS[1];

const ram = mkdtempSync('/dev/shm/insitu-test-');
process.on('exit', () => rmSync(ram, { recursive: true, force: true }));
export const places = { ram, 'page-cache': temporaryDirectory() };
export type Place = keyof typeof places;

let count = 0;
export const fresh = (place: Place = 'ram', name = 'file') => join(places[place], `${name}-${count++}`);

/** A file of these bytes. */
export function stored(content: Buffer | string, place: Place = 'ram'): string {
  const path = fresh(place);
  writeFileSync(path, content);
  return path;
}

export function region(size = 4 * MIB, place: Place = 'ram'): string {
  const path = fresh(place, 'region');
  createRegion(path, { size });
  return path;
}

/** A region with entries a, b and c of 100, 5000 and 9000 bytes, in that order and behind each other. */
export function threeEntries(size = 2 * MIB + 64 * KIB): string {
  const path = region(size);
  const files = [100, 5000, 9000].map((bytes, i) => ({
    path: stored(Buffer.alloc(bytes, i + 1)),
    name: 'abc'.charAt(i),
  }));
  placeInRegion(files, path);
  return path;
}

/** Where an entry of threeEntries begins. */
export const ENTRY = (index: number) => SLOT + 64 + index * 104;

export function sealSuperblock(bytes: Buffer): void {
  bytes.writeUInt32LE(native.crc32c(bytes.subarray(0, 252)), 252);
}

/** The checksum of a slot, over what it says is in use. */
export function sealSlot(bytes: Buffer, at: number): void {
  const used = Number(bytes.readBigUInt64LE(at + 24));
  bytes.writeUInt32LE(0, at + 20);
  bytes.writeUInt32LE(native.crc32c(bytes.subarray(at, at + used)), at + 20);
}

/** Changes the bytes of a region's file. */
export function patch(path: string, change: (bytes: Buffer) => void): string {
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes);
  return path;
}

/** The LoadError of an action, which must have this code and say so in one line. */
export function refused(action: () => unknown, code: string, message: RegExp): LoadError {
  let error: unknown;
  try {
    action();
  } catch (thrown) {
    error = thrown;
  }
  assert.instance(error, LoadError, `want ${code}, got ${error}`);
  const { message: text } = error as LoadError;
  assert.is((error as LoadError).code, code, text);
  assert.match(text, message);
  assert.not.match(text, /\n/);
  return error as LoadError;
}
