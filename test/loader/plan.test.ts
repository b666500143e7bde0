// plan() is pure: an image and what its storage allows in, segments with placement and reason out.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OpenFile } from '../../loader/backing.ts';
import { type Image, read } from '../../loader/image.ts';
import { type Plan, type PlanSegment, plan, type StorageRules } from '../../loader/plan.ts';
import { temporaryDirectory } from '../build/compile.ts';
import { type LibraryOptions, minimalLibrary, minimalProgram } from '../build/elf.ts';
import type { Values } from '../build/fields.ts';
import { generateLibrary } from '../build/generate.ts';

const page = 4096;
const huge = 2 << 20;
const path = join(temporaryDirectory(), 'image');

function imageOf(bytes: Buffer): Image {
  writeFileSync(path, bytes);
  using file = new OpenFile(path);
  return read(file);
}

const library = (values: Values = {}, options: LibraryOptions = {}) =>
  imageOf(minimalLibrary(options).patch(values).bytes());

const ram: StorageRules = { medium: 'ram', granule: page };
const devdax: StorageRules = { medium: 'devdax', granule: huge };

type Row = [prot: string, placement: string, vaddr: number, memSize: number, reason: string];
const rowOf = (s: PlanSegment): Row => [s.prot, s.placement, s.vaddr, s.memSize, s.reason];
const rowsOf = ({ segments }: Plan) => segments.map(rowOf);

const stored = 'read-only: the stored page itself';
const written = 'writable: a page is copied by the first write to it';
const asked = 'a copy-load was asked for';
const noPrivate = 'device-dax has no private mappings';
const shared = 'another segment lies in the same unit of mapping';
const executable =
  'read-only: the stored page itself; a unit of mapping that holds text and other data is executable';
const mismatch = 'address and file offset differ modulo the unit of mapping';

/** File offsets and addresses of the minimal library: see test/build/elf.ts. */
const minimal = minimalLibrary();
const sizes = [0, 1, 2].map((i) => Number(minimal.get(`phdr[${i}].p_memsz`))) as [number, number, number];
const [tables, text, data] = sizes;

const byPage = suite('plan: where a page is the unit of mapping');

for (const medium of ['ram', 'dax', 'page-cache'])
  byPage(`${medium}: nothing is copied`, () => {
    assert.equal(rowsOf(plan(library(), { medium, granule: page })), [
      ['r--', 'in-place', 0, tables, stored],
      ['r-x', 'in-place', 0x1000, text, stored],
      ['rw-', 'cow', 0x3000, data, written],
    ]);
  });

byPage('the frame of the plan', () => {
  const { lo, hi, alignment, congruence, granule } = plan(library(), ram);
  assert.equal([lo, hi, alignment, congruence, granule], [0, 0x5000, page, 0, page]);
});

byPage('offsets and sizes are those of the program headers', () => {
  const { segments } = plan(library(), ram);
  assert.equal(
    segments.map((s) => [s.index, s.type, s.fileOffset, s.fileSize]),
    [0, 1, 2].map((i) => [
      i,
      'PT_LOAD',
      ...['p_offset', 'p_filesz'].map((field) => Number(minimal.get(`phdr[${i}].${field}`))),
    ]),
  );
});

byPage('.bss: zero fill from its first whole page on', () => {
  const rows = rowsOf(plan(library({ 'phdr[2].p_memsz': 0x5000 }), ram));
  assert.equal(rows.slice(2), [
    ['rw-', 'cow', 0x3000, 0x2000, written],
    ['rw-', 'zero', 0x5000, 0x3000, 'zero fill'],
  ]);
});

byPage('.bss that ends on the page of the data needs none', () => {
  assert.is(plan(library({ 'phdr[2].p_memsz': 0x2000 }), ram).segments.length, 3);
  assert.is(plan(library({ 'phdr[2].p_memsz': 0x2001 }), ram).segments.length, 4);
});

byPage('a read-only segment that is longer than its bytes is copied', () => {
  const rows = rowsOf(plan(library({ 'phdr[0].p_memsz': tables + 1 }), ram));
  assert.equal(rows[0], [
    'r--',
    'copied',
    0,
    tables + 1,
    'read-only and longer than its file bytes: the rest must be zero',
  ]);
});

byPage('a segment without bytes is zero fill', () => {
  const rows = rowsOf(plan(library({ 'phdr[1].p_filesz': 0 }), ram));
  assert.equal(rows[1], ['r-x', 'zero', 0x1000, text, 'zero fill']);
});

byPage('a segment of no size is not there', () => {
  const rows = rowsOf(plan(library({ 'phdr[1].p_filesz': 0, 'phdr[1].p_memsz': 0 }), ram));
  assert.equal(
    rows.map(([prot]) => prot),
    ['r--', 'rw-'],
  );
});

byPage('what is not readable is mapped readable: no processor of ours executes it otherwise', () => {
  assert.is(plan(library({ 'phdr[1].p_flags': 1 }), ram).segments[1]?.prot, 'r-x');
});

byPage('no segment is writable and executable', () => {
  for (const storage of [ram, devdax])
    for (const { prot } of plan(library(), storage).segments) assert.ok(['r--', 'r-x', 'rw-'].includes(prot));
});

byPage('an alignment of the image is kept', () => {
  const values = { 'phdr[0].p_align': 0x10000, 'phdr[1].p_align': 0x10000 };
  assert.is(plan(library(values), ram).alignment, 0x10000);
});

byPage('a program at fixed addresses', () => {
  const { lo, hi, alignment, segments } = plan(imageOf(minimalProgram({ kind: 'static' }).bytes()), ram);
  assert.equal([lo, hi, alignment], [0x400000, 0x402000, page]);
  assert.equal(
    segments.map((s) => [s.prot, s.placement, s.vaddr]),
    [
      ['r--', 'in-place', 0x400000],
      ['r-x', 'in-place', 0x401000],
    ],
  );
});

byPage.run();

/** The minimal library with its segments this far apart, in the file and in memory. */
function spread(text: number, dataOffset: number, dataAddress = dataOffset): Image {
  const bytes = minimal.bytes();
  const end = dataOffset + bytes.length - 0x2000;
  const wide = Buffer.alloc(end);
  bytes.copy(wide, 0, 0, 0x1000);
  bytes.copy(wide, text, 0x1000, 0x2000);
  bytes.copy(wide, dataOffset, 0x2000);
  const put = (name: string, value: number) =>
    wide.writeBigUInt64LE(BigInt(value), minimal.field(name).offset);
  put('phdr[1].p_offset', text);
  put('phdr[1].p_vaddr', text);
  for (const header of ['phdr[2]', 'phdr[PT_DYNAMIC]']) {
    put(`${header}.p_offset`, dataOffset);
    put(`${header}.p_vaddr`, dataAddress);
  }
  return imageOf(wide);
}

const byGranule = suite('plan: device-dax, 2 MiB');

byGranule('segments that share a unit are copied, each with the reason', () => {
  assert.equal(rowsOf(plan(library(), devdax)), [
    ['r--', 'copied', 0, tables, shared],
    ['r-x', 'copied', 0x1000, text, shared],
    ['rw-', 'copied', 0x3000, data, noPrivate],
  ]);
});

byGranule('text that has units of its own, congruent, is in place; what is writable never', () => {
  const planned = plan(spread(huge, 2 * huge), devdax);
  assert.equal(rowsOf(planned), [
    ['r--', 'in-place', 0, tables, stored],
    ['r-x', 'in-place', huge, text, stored],
    ['rw-', 'copied', 2 * huge, data, noPrivate],
  ]);
  assert.equal([planned.granule, planned.alignment % huge], [huge, 0]);
});

byGranule('text beside other segments in one unit is copied, tables alone in theirs are not', () => {
  const rows = rowsOf(plan(spread(huge, huge + 0x2000), devdax));
  assert.equal(
    rows.map(([, placement, , , reason]) => [placement, reason]),
    [
      ['in-place', stored],
      ['copied', shared],
      ['copied', noPrivate],
    ],
  );
});

byGranule(
  'what lies in memory as in the file shares units with its like; only the unit that data shares is copied',
  () => {
    using file = new OpenFile(
      generateLibrary({ textMiB: 5, relocations: 'many', dir: temporaryDirectory() }),
    );
    const planned = plan(read(file), devdax);
    const [tables, text, tail, data] = planned.segments;
    assert.is(planned.segments.length, 4);
    assert.equal([tables?.placement, tables?.prot, tables?.reason], ['in-place', 'r--', executable]);
    assert.equal([text?.placement, text?.prot, text?.reason], ['in-place', 'r-x', executable]);
    assert.equal([tail?.placement, tail?.prot, tail?.reason], ['copied', 'r-x', shared]);
    assert.equal([data?.placement, data?.reason], ['copied', noPrivate]);
    const end = (s: PlanSegment | undefined) => (s?.vaddr ?? 0) + (s?.memSize ?? 0);
    assert.equal([end(text), end(text) % huge, tail?.fileOffset], [tail?.vaddr, 0, tail?.vaddr]);
    assert.is((text?.memSize ?? 0) + (tail?.memSize ?? 0), 5 << 20);
  },
);

byGranule('the image starts inside a unit', () => {
  const image = spread(huge, 2 * huge);
  const reasons = (start: number) => plan(image, devdax, 'in-place', start).segments.map((s) => s.reason);
  assert.equal(reasons(page), [mismatch, mismatch, noPrivate]);
  assert.equal(reasons(huge), [stored, stored, noPrivate]);
});

byGranule('1 GiB units', () => {
  const rows = rowsOf(plan(spread(huge, 2 * huge), { medium: 'devdax', granule: 1 << 30 }));
  assert.equal(
    rows.map(([, placement, , , reason]) => [placement, reason]),
    [
      ['copied', shared],
      ['copied', shared],
      ['copied', noPrivate],
    ],
  );
});

byGranule('a unit of one page on device-dax: only what is writable is copied', () => {
  const rows = rowsOf(plan(library(), { medium: 'devdax', granule: page }));
  assert.equal(
    rows.map(([, placement, , , reason]) => [placement, reason]),
    [
      ['in-place', stored],
      ['in-place', stored],
      ['copied', noPrivate],
    ],
  );
});

byGranule.run();

const copied = suite('plan: the copy-load, its twin');

const images: [string, () => Image][] = [
  ['library', () => library()],
  ['with TLS and RELRO', () => library({}, { tls: true, relro: true, initArray: true })],
  ['with .bss of pages', () => library({ 'phdr[2].p_memsz': 0x9000 })],
  ['program', () => imageOf(minimalProgram({ kind: 'pie' }).bytes())],
  ['spread', () => spread(huge, 2 * huge)],
];

for (const [name, make] of images)
  copied(
    `${name}: the same bytes at the same addresses, all copied, and the reason is that it was asked for`,
    () => {
      const image = make();
      const inPlace = plan(image, ram);
      for (const storage of [ram, devdax]) {
        const copy = plan(image, storage, 'copy');
        assert.equal(
          copy.segments.map((s) => [
            s.index,
            s.fileOffset,
            s.fileSize,
            s.vaddr,
            s.prot,
            s.placement,
            s.reason,
          ]),
          image.segments.map((s) => {
            const prot = inPlace.segments.find((planned) => planned.index === s.index)?.prot;
            return [s.index, s.fileOffset, s.fileSize, s.vaddr, prot, 'copied', asked];
          }),
        );
        assert.equal(
          copy.segments.map((s) => s.memSize),
          image.segments.map((s) => s.memSize),
        );
        assert.equal([copy.lo, copy.hi, copy.granule], [inPlace.lo, inPlace.hi, page]);
      }
    },
  );

copied('planned twice is planned alike, and the image is as it was', () => {
  const image = library();
  const before = JSON.stringify(image);
  assert.equal(plan(image, devdax), plan(image, devdax));
  plan(image, ram, 'copy');
  assert.equal(plan(image, ram), plan(image, ram));
  assert.is(JSON.stringify(image), before);
});

copied.run();

const largeTexts = suite('plan: text of more than 2 MiB');

/** Text of two huge pages from `offset` on; data behind it. */
function largeText(offset: number, vaddr: number): Image {
  const bytes = minimal.bytes();
  const end = offset + 2 * huge;
  const wide = Buffer.alloc(end + bytes.length - 0x2000);
  bytes.copy(wide, 0, 0, 0x1000);
  bytes.copy(wide, offset, 0x1000, 0x2000);
  bytes.copy(wide, end, 0x2000);
  const put = (name: string, value: number) =>
    wide.writeBigUInt64LE(BigInt(value), minimal.field(name).offset);
  put('phdr[1].p_offset', offset);
  put('phdr[1].p_vaddr', vaddr);
  put('phdr[1].p_filesz', 2 * huge);
  put('phdr[1].p_memsz', 2 * huge);
  for (const header of ['phdr[2]', 'phdr[PT_DYNAMIC]']) {
    put(`${header}.p_offset`, end);
    put(`${header}.p_vaddr`, vaddr + 2 * huge + 0x1000);
  }
  return imageOf(wide);
}

largeTexts('is placed so that huge pages can map it: bias is congruent to its offset modulo 2 MiB', () => {
  for (const [offset, vaddr] of [
    [0x1000, 0x1000],
    [0x1000, 0x3000],
    [huge, huge + 0x1000],
  ] as const) {
    const { alignment, congruence } = plan(largeText(offset, vaddr), ram);
    assert.equal([alignment, (congruence + vaddr - offset) % huge], [huge, 0]);
  }
});

largeTexts('and where the image starts counts too', () => {
  const image = largeText(0x1000, 0x1000);
  const { alignment, congruence } = plan(image, ram, 'in-place', 0x5000);
  assert.equal([alignment, congruence], [huge, 0x5000]);
});

largeTexts('smaller text is placed anywhere', () => {
  assert.equal([plan(library(), ram).alignment, plan(library(), ram).congruence], [page, 0]);
});

largeTexts.run();
