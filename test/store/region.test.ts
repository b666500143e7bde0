// Regions as they are used: made, filled, read; on a RAM file system and through the page cache.
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, symlinkSync, truncateSync } from 'node:fs';
import { basename, relative } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../loader/native.ts';
import { commit, readCatalog } from '../../loader/store/catalog.ts';
import { createRegion } from '../../loader/store/create.ts';
import { locate } from '../../loader/store/locate.ts';
import { placeInRegion, removeEntry } from '../../loader/store/place.ts';
import { lockForWriting, Store } from '../../loader/store/region.ts';
import { listRegion, verifyRegion } from '../../loader/store/verify.ts';
import { minimalLibrary, minimalProgram } from '../build/elf.ts';
import { runBy } from '../loader/child.ts';
import type { Stage } from '../loader/stage.ts';
import { fresh, MIB, type Place, patch, places, refused, region, SLOTS, stored } from './regions.ts';

const page = native.pageSize;

const listed = (path: string) => listRegion(path).entries.map(({ name }) => name);
const placedAt = (path: string) =>
  Object.fromEntries(listRegion(path).entries.map((e) => [e.name, e.offset]));

/** An entry's bytes as somebody else would read them. */
function contentOf(path: string, name: string): Buffer {
  using located = locate(`region:${path}/${name}`);
  return readFileSync(path).subarray(located.start, located.start + (located.size ?? 0));
}

for (const place of Object.keys(places) as Place[]) {
  const test = suite(`region on ${place}`);

  test('is made empty', () => {
    const path = region(4 * MIB, place);
    const { size, granule, entries, free, medium, generation } = listRegion(path);
    assert.equal([size, granule, entries.length, medium, generation], [4 * MIB, page, 0, place, 1]);
    assert.equal(free, { bytes: 2 * MIB, largest: 2 * MIB });
  });

  test('gives back what was placed', () => {
    const path = region(8 * MIB, place);
    const contents: Record<string, Buffer> = {
      small: Buffer.from('x'),
      empty: Buffer.alloc(0),
      page: Buffer.alloc(page, 7),
      large: Buffer.alloc(2 * MIB + 5, 9),
    };
    const files = Object.entries(contents).map(([name, bytes]) => ({ path: stored(bytes, place), name }));
    placeInRegion(files, path);
    assert.equal(listed(path), ['empty', 'large', 'page', 'small']);
    for (const [name, bytes] of Object.entries(contents))
      assert.ok(bytes.equals(contentOf(path, name)), name);
    assert.ok(verifyRegion(path).every(({ intact }) => intact));
    const large = listRegion(path).entries.find(({ name }) => name === 'large');
    assert.is(large?.offset && large.offset % (2 * MIB), 0, 'for huge pages');
  });

  test('zeros lie behind an entry, whatever was there', () => {
    const path = region(2 * MIB + 2 * page, place);
    placeInRegion([{ path: stored(Buffer.alloc(2 * page, 0xff), place), name: 'junk' }], path);
    removeEntry(path, 'junk');
    const [entry] = placeInRegion([{ path: stored('hello', place), name: 'a' }], path);
    const end = 2 * MIB + page;
    assert.equal([entry?.offset, entry?.span], [2 * MIB, page]);
    assert.ok(
      readFileSync(path)
        .subarray(2 * MIB + 5, end)
        .every((byte) => byte === 0),
    );
  });

  test('replaces by name, and takes out', () => {
    const path = region(4 * MIB, place);
    const put = (text: string) => placeInRegion([{ path: stored(text, place), name: 'a' }], path);
    put('one');
    put('two');
    assert.is(contentOf(path, 'a').toString(), 'two');
    removeEntry(path, 'a');
    assert.equal(listed(path), []);
    assert.is(listRegion(path).free.bytes, 2 * MIB);
    refused(() => removeEntry(path, 'a'), 'ERR_NO_ENTRY', /has no entry a/);
    refused(() => locate(`region:${path}/a`), 'ERR_NO_ENTRY', /insitu region ls/);
  });

  test('no room is an error, not a signal', () => {
    const path = region(2 * MIB + 4 * page, place);
    placeInRegion([{ path: stored('1', place), name: 'a' }], path);
    const big = stored(Buffer.alloc(4 * page), place);
    const before = readFileSync(path);
    refused(
      () => placeInRegion([{ path: big, name: 'b' }], path),
      'ERR_FULL',
      /wanted 16384 bytes in one piece, the largest free one has 12288/,
    );
    assert.ok(before.equals(readFileSync(path)));
  });

  test.run();
}

const creating = suite('creating');

creating('a file that holds something is never overwritten', () => {
  const path = stored(Buffer.alloc(3 * MIB, 1));
  for (const force of [false, true])
    refused(() => createRegion(path, { force }), 'ERR_REGION', /holds something; want a new file/);
  const late = patch(stored(Buffer.alloc(3 * MIB)), (bytes) => bytes.writeUInt8(1, 2 * MIB - 1));
  refused(() => createRegion(late), 'ERR_REGION', /holds something/);
  assert.is(statSync(stored('short')).size, 5);
  refused(() => createRegion(stored('short')), 'ERR_REGION', /would be a region of 4096|of 0 bytes/);
});

creating('a region that is there is refused, kept or emptied', () => {
  const path = region();
  placeInRegion([{ path: stored('1'), name: 'a' }], path);
  refused(() => createRegion(path), 'ERR_REGION', /is a region already; want --force/);
  for (const force of [false, true])
    assert.is(createRegion(path, { keep: true, force, size: 4 * MIB }), false);
  assert.equal(listed(path), ['a']);
  assert.is(createRegion(path, { force: true }), true);
  assert.equal(listed(path), []);
});

creating('holes, and what was left unfinished, become one', () => {
  const holes = stored('');
  truncateSync(holes, 4 * MIB);
  assert.is(createRegion(holes), true);
  const path = patch(region(), (bytes) => void Buffer.from('INSITU\x1aU', 'latin1').copy(bytes));
  assert.is(createRegion(path), true);
  assert.equal(listed(path), []);
});

creating('what lies behind zeros is not overwritten', () => {
  const bytes = Buffer.alloc(4 * MIB);
  bytes.fill(7, 3 * MIB);
  const path = stored(bytes);
  for (const force of [false, true])
    refused(() => createRegion(path, { force }), 'ERR_REGION', /is a file that holds something/);
  assert.ok(bytes.equals(readFileSync(path)));
});

creating('sizes', () => {
  for (const size of [0, 1, 2 * MIB, -1, 1.5, Number.NaN]) {
    const path = fresh();
    refused(() => createRegion(path, { size }), 'ERR_REGION', /want more than the 2097152 of the catalog/);
    assert.is(statSync(path, { throwIfNoEntry: false }), undefined);
  }
  refused(() => createRegion(fresh()), 'ENOENT', /is not there; want a size/);
  refused(() => createRegion(stored('')), 'ERR_REGION', /is an empty file; want a size/);
  refused(
    () => createRegion(stored(Buffer.alloc(4 * MIB)), { size: 8 * MIB }),
    'ERR_REGION',
    /not the 8388608/,
  );
  const path = fresh();
  createRegion(path, { size: 2 * MIB + 2 * page - 1 });
  assert.is(listRegion(path).size, 2 * MIB + page);
});

creating('what is no file', () => {
  refused(() => createRegion(places.ram, { size: 4 * MIB }), 'EISDIR', /EISDIR/);
  refused(() => createRegion('/dev/null', { size: 4 * MIB }), 'ERR_NOT_MAPPABLE', /character device/);
  refused(() => createRegion('/nowhere/x', { size: 4 * MIB }), 'ENOENT', /ENOENT/);
});

creating('of a sparse file, storage only for its catalog', () => {
  const path = region(1024 * MIB);
  assert.ok(statSync(path).blocks * 512 < 4 * MIB);
});

creating.run();

const placing = suite('placing');

placing('kinds by their bytes', () => {
  const path = region();
  const kinds: Record<string, Buffer | string> = {
    'elf-program': minimalProgram({ kind: 'static' }).bytes(),
    'elf-shared': minimalLibrary().bytes(),
    'wasm-module': Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    'wasm-component': Buffer.from([0, 0x61, 0x73, 0x6d, 0xd, 0, 1, 0]),
    script: '#!/bin/sh\n',
    data: '\x7fELF, and nothing else',
  };
  const files = Object.entries(kinds).map(([name, bytes]) => ({ path: stored(bytes as Buffer), name }));
  for (const { kind, name } of placeInRegion(files, path)) assert.is(kind, name);
  const text = Object.fromEntries(listRegion(path).entries.map((entry) => [entry.name, entry.text?.inPlace]));
  assert.is(text['elf-program'], true);
  assert.is(text['elf-shared'], true);
  assert.is(text.data, undefined);
});

placing('all files or none', () => {
  const path = region();
  const before = readFileSync(path);
  const [good, missing] = [stored('1'), fresh()];
  const both = [good, missing].map((file, i) => ({ path: file, name: `${i}` }));
  const error = refused(() => placeInRegion(both, path), 'ENOENT', /ENOENT/);
  assert.is(error.path, missing);
  assert.equal(listed(path), []);
  assert.ok(before.subarray(0, 2 * MIB).equals(readFileSync(path).subarray(0, 2 * MIB)));
});

placing('names', () => {
  const path = region();
  const file = stored('1');
  refused(() => placeInRegion([{ path: file, name: 'a/b' }], path), 'ERR_NAME', /has a '\/' in it.*--name/);
  const twice = [file, stored('2')].map((each) => ({ path: each, name: 'a' }));
  refused(() => placeInRegion(twice, path), 'ERR_NAME', /has the name of .*, a; want each name once/);
  placeInRegion(
    ['b', 'Z', 'ä', '🙂', 'a'].map((name) => ({ path: file, name })),
    path,
  );
  assert.equal(listed(path), ['Z', 'a', 'b', 'ä', '🙂'], 'in the order of their bytes');
});

placing('what is no file to place', () => {
  const path = region();
  const fifo = fresh();
  execFileSync('mkfifo', [fifo]);
  const place = (file: string) => placeInRegion([{ path: file, name: 'a' }], path);
  refused(() => place(fifo), 'ERR_NOT_MAPPABLE', /is a FIFO/);
  refused(() => place(places.ram), 'ERR_NOT_MAPPABLE', /is a directory/);
  refused(() => place('/dev/zero'), 'ERR_NOT_MAPPABLE', /character device/);
  refused(() => place(path), 'ERR_NAME', /is the region itself/);
  refused(() => place('/proc/self/status'), 'ERR_CHANGED', /grew while it was read; want the 0 bytes/);
  assert.equal(listed(path), []);
});

placing('what was never used comes first, then what was freed longest ago', () => {
  const path = region(2 * MIB + 4 * page);
  const put = (name: string) => placeInRegion([{ path: stored(name), name }], path);
  for (const name of 'abc') put(name);
  removeEntry(path, 'a');
  removeEntry(path, 'b');
  put('d'); // the fourth page, never used
  put('e'); // where a was
  put('f'); // where b was
  const at = (index: number) => 2 * MIB + index * page;
  assert.equal(placedAt(path), { c: at(2), d: at(3), e: at(0), f: at(1) });
});

placing('a catalog that is full', () => {
  const path = region(16 * MIB);
  const file = stored('1');
  const names = Array.from({ length: 1304 }, (_, i) => `${i}`.padStart(255, 'x'));
  const files = names.map((name) => ({ path: file, name }));
  refused(
    () => placeInRegion(files, path),
    'ERR_FULL',
    /catalog of 1304 entries takes 459072 bytes; want 458752/,
  );
  assert.equal(listed(path), []);
  placeInRegion(files.slice(0, 1303), path);
  assert.is(listed(path).length, 1303);
});

placing('paths: relative, by a link', () => {
  const path = region();
  placeInRegion([{ path: stored('1'), name: 'a' }], relative(process.cwd(), path));
  const link = fresh();
  symlinkSync(path, link);
  assert.equal(listed(link), ['a']);
  using located = locate(`region:${link}/a`);
  assert.is(located.start, 2 * MIB);
});

placing.run();

const committing = suite('committing');

interface Step {
  call: 'store' | 'sync';
  offset: number;
  length: number;
  /** As it is in the file when the step begins. */
  active: bigint;
}

/** What the NVM interface is asked to do, by offset in the region, while a file is placed. */
function stepsOf(path: string, act: () => void): Step[] {
  const steps: Step[] = [];
  const starts = new Map<bigint, { start: number; length: number }>();
  const { mapRegion, unmapRegion, storeRegion, syncRegion } = native;
  const note = (call: Step['call'], address: bigint, length: number) => {
    for (const [base, { start, length: mapped }] of starts)
      if (address >= base && address < base + BigInt(mapped))
        steps.push({
          call,
          offset: start + Number(address - base),
          length,
          active: readFileSync(path).readBigUInt64LE(256),
        });
  };
  native.mapRegion = (fd, start, length, ...rest) => {
    const address = mapRegion(fd, start, length, ...rest);
    starts.set(address, { start, length });
    return address;
  };
  // Its addresses may be given again.
  native.unmapRegion = (address) => {
    starts.delete(address);
    unmapRegion(address);
  };
  native.storeRegion = (address, from) => {
    note('store', address, from.length);
    storeRegion(address, from);
  };
  native.syncRegion = (address, length, fd) => {
    note('sync', address, length);
    return syncRegion(address, length, fd);
  };
  try {
    act();
  } finally {
    Object.assign(native, { mapRegion, unmapRegion, storeRegion, syncRegion });
  }
  return steps;
}

committing('data, then the other slot, then eight bytes; each durable before the next', () => {
  const path = region();
  for (const round of [1, 2, 3, 4]) {
    const file = stored(Buffer.alloc(5000, round));
    const steps = stepsOf(path, () => placeInRegion([{ path: file, name: 'a' }], path));
    const active = BigInt(round);
    const slot = SLOTS[round % 2] as number;
    const data = 2 * MIB + (round - 1) * 2 * page;
    const brief = steps.map(({ call, offset, length }) => [call, offset, length]);
    assert.equal(brief, [
      ['sync', 256, 8], // whoever stored it may have been killed before it was durable
      ['store', data, 5000],
      ['store', data + 5000, 2 * page - 5000],
      ['sync', data, 2 * page],
      ['store', slot, 64 + 104],
      ['sync', slot, 64 + 104],
      ['store', 256, 8],
      ['sync', 256, 8],
    ]);
    for (const step of steps.slice(0, -1))
      assert.is(step.active >> 1n, active, 'the old catalog counts until the end');
    const named = SLOTS[Number(steps[0]?.active) & 1];
    assert.is.not(named, slot, 'the slot that counts is not written to');
  }
});

committing('the generation goes up by one and the slots take turns', () => {
  const path = region();
  using store = new Store(path, { write: true });
  lockForWriting(store.region);
  let catalog = readCatalog(store);
  for (const wanted of [2, 3, 4, 5]) {
    catalog = commit(store, catalog, []);
    assert.equal([catalog.generation, catalog.slot], [wanted, 1 - (wanted % 2)]);
    assert.equal(readCatalog(store), catalog);
  }
});

committing('a medium that does not keep what was stored', () => {
  const path = region();
  const file = stored('1');
  const { syncRegion } = native;
  native.syncRegion = () => -5;
  try {
    refused(() => placeInRegion([{ path: file, name: 'a' }], path), 'EIO', /could not be made durable/);
  } finally {
    native.syncRegion = syncRegion;
  }
  assert.equal(listed(path), []);
});

committing.run();

const disk = suite('a full disk');

/** A Node that has a RAM file system of so many bytes at /mnt, for itself. */
const withDisk = (size: string) => {
  const mount = `mount -t tmpfs -o size=${size} tmpfs /mnt && exec "$@"`;
  return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', mount, 'sh'];
};
const mayMount = runBy(withDisk('4m'), () => 1).status === 0;
const needsMount = mayMount ? disk : disk.skip;

needsMount('no room for the catalog', () => {
  const { status, stderr, stdout } = runBy(withDisk('1m'), ({ fs, store, thrown }) => {
    const error = thrown(() => store.createRegion('/mnt/region', { size: 1 << 26 }));
    return [error?.code, error?.path, fs.existsSync('/mnt/region')];
  });
  assert.is(status, 0, stderr);
  assert.equal(JSON.parse(stdout), ['ENOSPC', '/mnt/region', false]);
});

needsMount('no room for an entry: nothing has changed, and a smaller one fits', () => {
  const [large, small] = [4, 1].map((size) => stored(Buffer.alloc(size * MIB, 1))) as [string, string];
  const act = ({ store, thrown }: Stage, tooLarge: string, fits: string) => {
    const path = '/mnt/region';
    store.createRegion(path, { size: 1 << 26 });
    store.placeInRegion([{ path: fits, name: 'a' }], path);
    const error = thrown(() => store.placeInRegion([{ path: tooLarge, name: 'b' }], path));
    store.placeInRegion([{ path: fits, name: 'c' }], path);
    const intact = store.verifyRegion(path).map(({ name, intact }) => [name, intact]);
    return [error?.code, error?.message.includes('posix_fallocate'), intact];
  };
  const { status, stderr, stdout } = runBy(withDisk('6m'), act, large, small);
  assert.is(status, 0, stderr);
  const intact = [
    ['a', true],
    ['c', true],
  ];
  assert.equal(JSON.parse(stdout), ['ENOSPC', true, intact]);
});

needsMount('a region that may only be read', () => {
  const path = region();
  placeInRegion([{ path: stored('1'), name: 'a' }], path);
  const bind =
    'mount --bind "$(dirname "$INSITU_REGION")" /mnt && mount -o remount,bind,ro /mnt && exec "$@"';
  const way = [
    'env',
    `INSITU_REGION=${path}`,
    'unshare',
    '-m',
    '--propagation',
    'private',
    'sh',
    '-c',
    bind,
    'sh',
  ];
  const act = ({ store, thrown }: Stage, region: string, file: string) => [
    store.listRegion(region).entries.length,
    thrown(() => store.placeInRegion([{ path: file, name: 'b' }], region))?.code,
    thrown(() => store.removeEntry(region, 'a'))?.code,
    thrown(() => store.createRegion(region, { force: true }))?.code,
  ];
  const { status, stderr, stdout } = runBy(way, act, `/mnt/${basename(path)}`, stored('2'));
  assert.is(status, 0, stderr);
  assert.equal(JSON.parse(stdout), [1, 'EROFS', 'EROFS', 'EROFS']);
});

disk.run();
