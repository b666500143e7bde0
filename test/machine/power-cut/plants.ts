// Faults planted in images, to see the checker find them.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRegion } from '../../../loader/store/create.ts';
import { placeInRegion } from '../../../loader/store/place.ts';
import type { Check } from '../checks.ts';
import { complaints, contentOf, KEPT, names } from './placed.ts';
import { encode, seal } from './record.ts';
import { differ, heldInRegion } from './region.ts';
import { inBuffer, scan } from './scan.ts';
import { extentOf, geometryOf, isSynced, offsetOf, type Stream, slotOf, streams } from './streams.ts';
import { judge, type Verdict } from './verdict.ts';

const FLIPS = 100;
const ring = streams.find(({ kind }) => kind === 'ring') as Stream;
const { slots, room } = geometryOf(ring);
/** The ring is in its third pass; this one and the next are synced, and so is the victim. */
const last = Math.ceil((2 * slots + slots / 2) / 5) * 5;
const victim = last - 10;

type Random = () => number;

const whole = (value: number, random: Random) => Math.floor(value * random());

function flip(bytes: Buffer, at: number, random: Random): void {
  bytes[at] = (bytes[at] as number) ^ (1 << whole(8, random));
}

function fullRing(): Buffer {
  const bytes = Buffer.alloc(extentOf(ring));
  for (let seq = 0; seq <= last; seq++) put(bytes, seq, encode(ring.id, seq, room));
  return bytes;
}

/** As the slot is when nothing is left of what it held. */
function put(bytes: Buffer, seq: number, record: Buffer): void {
  const start = offsetOf(ring, slotOf(ring, seq));
  bytes.fill(0, start, start + room);
  record.copy(bytes, start);
}

/** The verdict on a ring with something done to the victim's slot. */
function after(change: (slot: Buffer, bytes: Buffer) => void): Verdict {
  const bytes = fullRing();
  const start = offsetOf(ring, slotOf(ring, victim));
  change(bytes.subarray(start, start + room), bytes);
  return judge(ring, scan(ring, [[-1, inBuffer(bytes)]]), last);
}

const sees = ({ lost, forged }: Verdict) => forged === 0 && lost.length === 1 && lost[0] === victim;

function records(random: Random): [name: string, ok: boolean][] {
  const original = encode(ring.id, victim, room);
  const before = encode(ring.id, victim - slots, room);
  const flips = Array.from({ length: FLIPS }, () =>
    after((slot) => flip(slot, whole(original.length, random), random)),
  );
  const forged = after((slot) => {
    flip(slot, original.length - 1, random);
    seal(slot.subarray(0, original.length));
  });
  const untouched = after(() => {});
  return [
    [
      'nothing planted: nothing found',
      untouched.lost.length + untouched.forged === 0 && isSynced(victim) && isSynced(last + 1),
    ],
    [`${FLIPS} records with a bit flipped`, flips.every(sees)],
    ['a record that is missing', sees(after((slot) => slot.fill(0)))],
    ['a record that is the one before it', sees(after((_, bytes) => put(bytes, victim, before)))],
    ['a record of which the first cache line is new', sees(after((slot) => before.copy(slot, 64, 64)))],
    [
      'a record told and not begun',
      judge(ring, scan(ring, [[-1, inBuffer(fullRing())]]), last + 1).lost.length === 1,
    ],
    ['a torn record with a checksum that holds', forged.forged === 1],
  ];
}

/** A region in an ordinary file. @returns what was told of it */
function makeRegion(path: string, directory: string): Map<string, number> {
  createRegion(path, { size: 16 << 20 });
  const sourceOf = (name: string) => join(directory, `plant-${name}`);
  const place = (all: readonly string[], version: number) => {
    for (const name of all) writeFileSync(sourceOf(name), contentOf(name, version));
    placeInRegion(
      all.map((name) => ({ path: sourceOf(name), name })),
      path,
    );
  };
  place([KEPT], 0);
  place(names, 7);
  place(names, 8);
  return new Map([[KEPT, 0], ...names.map((name): [string, number] => [name, 8])]);
}

function wrongWith(path: string, told: ReadonlyMap<string, number>): string[] {
  try {
    const held = heldInRegion(path);
    return [...complaints(held, told), ...differ(held)];
  } catch (error) {
    return [(error as Error).message];
  }
}

function regions(random: Random, directory: string): [name: string, ok: boolean][] {
  const path = join(directory, 'plants');
  const copy = join(directory, 'plants-copy');
  const told = makeRegion(path, directory);
  const bytes = readFileSync(path);
  const active = bytes.readBigUInt64LE(256);
  const slot = Number(bytes.readBigUInt64LE(active & 1n ? 64 : 56));
  const used = Number(bytes.readBigUInt64LE(slot + 24));
  const seen = (change: (bytes: Buffer) => void) => {
    copyFileSync(path, copy);
    const changed = readFileSync(copy);
    change(changed);
    writeFileSync(copy, changed);
    return wrongWith(copy, told).length > 0;
  };
  const flips = (start: number, length: number, count: number) =>
    Array.from({ length: count }, () =>
      seen((all) => flip(all, start + whole(length, random), random)),
    ).every(Boolean);
  const large = bytes.indexOf(contentOf('large', 8));
  const more = new Map(told).set('small', 9);
  return [
    ['a region with nothing planted: nothing found', wrongWith(path, told).length === 0],
    ['a catalog with a bit flipped', flips(slot, used, 20)],
    ['a superblock with a bit flipped', flips(0, 264, 10)],
    ['an entry with a bit flipped', flips(large, contentOf('large', 8).length, 5)],
    ['a version told and not there', wrongWith(path, more).length === 1],
    ['the catalog before the last', seen((all) => all.writeBigUInt64LE((active - 2n) ^ 1n, 256))],
  ];
}

/** @param directory for temporary files */
export function planted(random: Random, directory: string): Check[] {
  return [...records(random), ...regions(random, directory)].map(([name, ok]) => ({
    name: `checker, planted: ${name}`,
    ok,
    detail: ok ? 'seen' : 'not seen',
  }));
}
