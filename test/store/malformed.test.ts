// Regions that are none, or damaged: one patched field a row. Checksums are right unless the row is about them: what a
// hostile writer could have signed must be refused for what it says.
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../loader/native.ts';
import { readCatalog } from '../../loader/store/catalog.ts';
import { locate } from '../../loader/store/locate.ts';
import { placeInRegion, removeEntry } from '../../loader/store/place.ts';
import { Store } from '../../loader/store/region.ts';
import { listRegion, verifyRegion } from '../../loader/store/verify.ts';
import {
  ENTRY,
  fresh,
  patch,
  places,
  refused,
  region,
  SLOT,
  SLOTS,
  sealSlot,
  sealSuperblock,
  stored,
  threeEntries,
} from './regions.ts';

interface Row {
  name: string;
  change: (bytes: Buffer) => void;
  code: string;
  message: RegExp;
}

const u32 = (at: number, value: number) => (bytes: Buffer) => void bytes.writeUInt32LE(value >>> 0, at);
const u16 = (at: number, value: number) => (bytes: Buffer) => void bytes.writeUInt16LE(value, at);
const u64 = (at: number, value: number | bigint) => (bytes: Buffer) =>
  void bytes.writeBigUInt64LE(BigInt(value), at);
const text = (at: number, value: string | Buffer) => (bytes: Buffer) =>
  void Buffer.from(value).copy(bytes, at);

const inSuperblock = (name: string, change: Row['change'], code: string, message: RegExp): Row => ({
  name: `superblock: ${name}`,
  change: (bytes) => {
    change(bytes);
    sealSuperblock(bytes);
  },
  code,
  message,
});
const inSlot = (name: string, change: Row['change'], message: RegExp): Row => ({
  name: `catalog: ${name}`,
  change: (bytes) => {
    change(bytes);
    sealSlot(bytes, SLOT);
  },
  code: 'ERR_CATALOG',
  message,
});
const unsealed = (name: string, change: Row['change'], message: RegExp): Row => ({
  name,
  change,
  code: 'ERR_CATALOG',
  message,
});

const page = native.pageSize;
const size = 2 ** 21 + 2 ** 16;
const A = ENTRY(0);
const B = ENTRY(1);
const C = ENTRY(2);

const rows: Row[] = [
  {
    name: 'superblock: zeros',
    change: text(0, Buffer.alloc(page)),
    code: 'ERR_REGION',
    message: /is empty .*; want a region/,
  },
  inSuperblock('an ELF file', text(0, '\x7fELF'), 'ERR_REGION', /is no region/),
  inSuperblock('unfinished', text(0, 'INSITU\x1aU'), 'ERR_REGION', /making was interrupted/),
  inSuperblock('version 0', u32(8, 0), 'ERR_REGION', /format version 0; want 1/),
  inSuperblock('version 2', u32(8, 2), 'ERR_REGION', /format version 2; want 1/),
  inSuperblock(
    'unknown feature',
    u64(32, 0x10),
    'ERR_REGION',
    /features 0x10 that this version does not know/,
  ),
  inSuperblock(
    'size over 2^53',
    u64(16, 2n ** 53n),
    'ERR_CATALOG',
    /region size is 0x20000000000000; want less/,
  ),
  inSuperblock('size all ones', u64(16, 2n ** 64n - 1n), 'ERR_CATALOG', /region size is 0xf+; want less/),
  inSuperblock('size 0', u64(16, 0), 'ERR_CATALOG', /region size is 0x0; want/),
  inSuperblock(
    'size of the metadata alone',
    u64(16, 2 ** 21),
    'ERR_CATALOG',
    /region size is 0x200000; want/,
  ),
  inSuperblock(
    'size not of granules',
    u64(16, size - 1),
    'ERR_CATALOG',
    /region size is .*; want a multiple/,
  ),
  inSuperblock(
    'larger than its file',
    u64(16, size + page),
    'ERR_TRUNCATED',
    /has 2162688 bytes; want the 2166784/,
  ),
  inSuperblock('granule 0', u64(24, 0), 'ERR_CATALOG', /granule is 0x0; want a power of two/),
  inSuperblock('granule 3 pages', u64(24, 3 * page), 'ERR_CATALOG', /granule is 0x3000; want a power of two/),
  inSuperblock('granule below a page', u64(24, page / 2), 'ERR_CATALOG', /granule is 0x800; want/),
  inSuperblock('granule over the size', u64(24, 2 ** 30), 'ERR_CATALOG', /start of data is 0x200000; want/),
  inSuperblock('data in the catalog', u64(80, 2 ** 20), 'ERR_CATALOG', /start of data is 0x100000; want/),
  inSuperblock('slot A over the superblock', u64(56, 0), 'ERR_CATALOG', /offset of slot A is 0x0; want/),
  inSuperblock('slot A unaligned', u64(56, 0x10008), 'ERR_CATALOG', /offset of slot A is 0x10008/),
  inSuperblock('slot B in the data', u64(64, 0x200000), 'ERR_CATALOG', /offset of slot B is 0x200000/),
  inSuperblock('slots that overlap', u64(64, 0x11000), 'ERR_CATALOG', /offset of slot B .*do not overlap/),
  inSuperblock('slots of no size', u64(72, 0), 'ERR_CATALOG', /slot size is 0x0/),
  inSuperblock('slots too large', u64(72, 2 ** 22), 'ERR_CATALOG', /slot size is 0x400000/),
  unsealed('superblock: a bit flipped', u32(96, 1), /superblock has checksum 0x[0-9a-f]+; want 0x/),
  unsealed('superblock: checksum gone', u32(252, 0), /superblock has checksum/),

  unsealed('active: 0', u64(256, 0), /active word is 0x0; want generation/),
  unsealed('active: generation 0 of slot B', u64(256, 1), /active word is 0x1; want/),
  unsealed('active: all ones', u64(256, 2n ** 64n - 1n), /active word is 0xf+; want/),
  unsealed('active: the older slot', u64(256, 4), /slot A is not the whole of generation 2, which is active/),
  unsealed('active: a later generation', u64(256, 9), /slot B is not the whole of generation 4/),
  unsealed('catalog: a bit flipped', u32(A + 80, 1), /slot B is not the whole of generation 2/),
  unsealed('catalog: checksum', u32(SLOT + 20, 7), /slot B is not the whole/),
  unsealed('catalog: magic', text(SLOT, 'INSITU\x1aR'), /slot B is not the whole/),
  unsealed('catalog: zeros', text(SLOT, Buffer.alloc(0x1000)), /slot B is not the whole/),
  unsealed('catalog: cut short', text(C + 50, Buffer.alloc(60)), /slot B is not the whole/),
  unsealed('catalog: no used bytes', u64(SLOT + 24, 0), /slot B is not the whole/),
  unsealed('catalog: used beyond the slot', u64(SLOT + 24, 0x70008), /slot B is not the whole/),
  unsealed('catalog: used all ones', u64(SLOT + 24, 2n ** 64n - 1n), /slot B is not the whole/),
  inSlot('another generation', u64(SLOT + 8, 1), /slot B is not the whole of generation 2/),
  inSlot('more entries than bytes', u32(SLOT + 16, 4), /catalog ends inside entry 3 of 4/),
  inSlot('4294967295 entries', u32(SLOT + 16, -1), /catalog ends inside entry 3 of 4294967295/),
  inSlot('fewer entries than bytes', u32(SLOT + 16, 2), /104 bytes behind its 2 entries; want none/),
  inSlot('an entry of no bytes', u32(A, 0), /catalog ends inside entry 0/),
  inSlot('an entry of half a word', u32(A, 100), /catalog ends inside entry 0/),
  inSlot('an entry beyond the end', u32(C, 112), /catalog ends inside entry 2/),
  inSlot('an entry of 4 GiB', u32(C, -8), /catalog ends inside entry 2/),
  inSlot('a name beyond its entry', u16(A + 6, 9), /name of 9 bytes ends behind its entry of 104/),
  inSlot('no name', u16(A + 6, 0), /name of an entry, "", is no name/),
  inSlot('a name with a slash', text(A + 96, '/'), /name of an entry, "\/", has a '\/' in it/),
  inSlot('a name with a NUL', text(A + 96, '\0'), /has a control character in it/),
  inSlot('a name with an escape', text(A + 96, '\x1b'), /has a control character in it/),
  inSlot('a name that is no UTF-8', text(A + 96, Buffer.from([0xff])), /is no UTF-8/),
  inSlot('a name that is a dot', text(A + 96, '.'), /is no name/),
  inSlot('the same name twice', text(B + 96, 'a'), /entry a follows a; want names in order, each once/),
  inSlot('names out of order', text(B + 96, 'z'), /entry c follows z; want names in order/),
  inSlot('an unknown kind', u16(A + 4, 99), /entry a is of kind 99; want 0 to 6/),
  inSlot('an offset between granules', u64(A + 8, 0x200010), /entry a at 0x200010 .* not of whole granules/),
  inSlot('an entry over the catalog', u64(A + 8, SLOTS[0]), /entry a at 0x10000 .* outside of the data/),
  inSlot('an entry over the superblock', u64(A + 8, 0), /entry a at 0x0 .* outside of the data/),
  inSlot('an entry behind the end', u64(C + 8, size), /entry c at .* outside of the data/),
  inSlot('an entry over the end', u64(C + 24, 2 ** 20), /entry c at .* outside of the data/),
  inSlot('an offset near 2^53', u64(C + 8, 2 ** 53 - page), /entry c at 0x1ffffffffff000 .* outside/),
  inSlot('an offset over 2^53', u64(C + 8, 2n ** 63n), /offset of c is 0x8000000000000000; want less/),
  inSlot('a span near 2^53', u64(C + 24, 2 ** 53 - page), /entry c at .* outside of the data/),
  inSlot('no span', u64(A + 24, 0), /entry a .* not of whole granules/),
  inSlot('more bytes than its extent', u64(A + 16, page + 1), /entry a has 4097 bytes in an extent of 4096/),
  inSlot(
    'entries over each other',
    u64(A + 8, 0x202000),
    /entries a and b overlap at 0x202000|entries b and a/,
  ),
  inSlot('one extent twice', u64(C + 8, 0x201000), /entries b and c overlap/),
  inSlot('a time over 2^53', u64(A + 40, 2n ** 60n), /time of a is/),
];

const malformed = suite('regions that are malformed');

const whole = readFileSync(threeEntries());

/** Looking up one entry does not decode the others: what is wrong with them alone is not its matter. */
function locatedOrRefused(path: string, code: string, message: RegExp): void {
  const look = () => {
    using found = locate(`region:${path}/a`);
    return [found.start, found.size, found.entry?.name];
  };
  let found: unknown[] | undefined;
  try {
    found = look();
  } catch {
    refused(look, code, message);
    return;
  }
  assert.equal(found, [0x200000, 100, 'a']);
}

for (const { name, change, code, message } of rows)
  malformed(name, () => {
    const path = patch(stored(whole), change);
    const reading = () => {
      using store = new Store(path);
      return readCatalog(store);
    };
    refused(reading, code, message);
    locatedOrRefused(path, code, message);
    const before = readFileSync(path);
    refused(() => placeInRegion([{ path: stored('x'), name: 'x' }], path), code, message);
    refused(() => removeEntry(path, 'a'), code, message);
    assert.ok(before.equals(readFileSync(path)), 'a damaged region is not written to');
    rmSync(path);
  });

malformed('the unpatched region is whole', () => {
  const path = threeEntries();
  assert.equal(
    listRegion(path).entries.map(({ name, offset, size, span }) => [name, offset, size, span]),
    [
      ['a', 0x200000, 100, 4096],
      ['b', 0x201000, 5000, 8192],
      ['c', 0x203000, 9000, 12288],
    ],
  );
  assert.ok(verifyRegion(path).every(({ intact }) => intact));
});

malformed('features that allow reading only', () => {
  const path = patch(threeEntries(), (bytes) => {
    bytes.writeBigUInt64LE(1n, 40);
    sealSuperblock(bytes);
  });
  assert.is(listRegion(path).entries.length, 3);
  refused(() => removeEntry(path, 'a'), 'ERR_REGION', /only read; want a later insitu/);
});

malformed('features that are no matter', () => {
  const path = patch(threeEntries(), (bytes) => {
    bytes.writeBigUInt64LE(2n ** 63n, 48);
    sealSuperblock(bytes);
  });
  removeEntry(path, 'a');
  assert.is(listRegion(path).entries.length, 2);
});

for (const [name, content, code, message] of [
  ['an empty file', Buffer.alloc(0), 'ERR_REGION', /has 0 bytes; want a region/],
  ['a short file', Buffer.from('hello'), 'ERR_TRUNCATED', /has 5 bytes; want a region/],
  ['zeros', Buffer.alloc(2 ** 21), 'ERR_REGION', /is empty/],
] as const)
  malformed(`no region: ${name}`, () => {
    refused(() => listRegion(stored(content)), code, message);
  });

malformed('no region: nothing, a directory, a device', () => {
  refused(() => listRegion(fresh()), 'ENOENT', /ENOENT/);
  refused(() => listRegion(places.ram), 'ERR_NOT_MAPPABLE', /is a directory/);
  refused(() => listRegion('/dev/null'), 'ERR_NOT_MAPPABLE', /is a character device that is not device-dax/);
});

for (const length of [0, 100, page, SLOT, SLOT + 200, 2 ** 21 - 1, 2 ** 21, size - 1])
  malformed(`cut off at ${length} bytes`, () => {
    const path = threeEntries();
    truncateSync(path, length);
    refused(() => listRegion(path), length === 0 ? 'ERR_REGION' : 'ERR_TRUNCATED', /bytes; want/);
  });

malformed('shrunk while it is mapped', () => {
  const path = threeEntries();
  using store = new Store(path, { write: true });
  truncateSync(path, page);
  refused(() => readCatalog(store), 'ERR_CATALOG', /lost pages while it was mapped/);
});

malformed('bytes that are not those that were placed', () => {
  const path = patch(threeEntries(), (bytes) => bytes.writeUInt8(0, 0x201000 + 4999));
  assert.equal(
    verifyRegion(path).map(({ name, intact }) => [name, intact]),
    [
      ['a', true],
      ['b', false],
      ['c', true],
    ],
  );
  refused(() => verifyRegion(path, 'd'), 'ERR_NO_ENTRY', /has no entry d/);
});

malformed('a region that has another one copied over it keeps to its size', () => {
  const path = region();
  const [small, large] = [readFileSync(threeEntries()), readFileSync(path)];
  writeFileSync(path, Buffer.concat([small, large.subarray(small.length)]));
  assert.is(listRegion(path).size, size);
});

malformed.run();
