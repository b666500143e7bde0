// A WebAssembly module installed on a medium: its text in place, its linear memory in place until it is written to. Leaves a
// row for each medium in the file that its argument names.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import { LoadError } from '../../../loader/error.ts';
import type { Evidence } from '../../../loader/evidence.ts';
import { describeStore } from '../../../loader/images/choose.ts';
import { installFile } from '../../../loader/images/install.ts';
import { damageOf } from '../../../loader/images/record.ts';
import { list } from '../../../loader/listing.ts';
import { loadModule } from '../../../runtime/library/module.ts';
import { DATA } from '../module.ts';
import { add, type Count, faultsOf, pagesInRam, partsOf, payload, Resident, root } from './children.ts';

const MiB = 1 << 20;
const [resultFile = '/dev/null'] = process.argv.slice(2);
const child = join(root, 'build/test/machine/guest/wasm-child.js');

interface Medium {
  name: string;
  at: string;
  /** Where pages of it are. */
  where: 'nvm' | 'ram';
  /** A copy from it is looked at, too. */
  copied?: boolean;
}

const media: readonly Medium[] = [
  { name: 'ext4 as made by default', at: '/mnt/ext4-default', where: 'nvm', copied: true },
  { name: 'xfs, 2 MiB stripes', at: '/mnt/xfs', where: 'nvm' },
  { name: 'ext4 on virtio-blk', at: '/mnt/ext4-block', where: 'ram' },
];

interface Row {
  medium: string;
  text: Count;
  memory: Count;
  /** Of its memory, after three pages were written to. */
  written: Count;
}

interface Loaded {
  pid: number;
  /** Of the image's file: what is executable, and what may be written to. */
  text: Count;
  memory: Count;
  /** Pages of its memory that are in System RAM, counted from the first page of its data. */
  inRam: number[];
  said: { image: string; wrong: number; evidence: Evidence; bytesCopied: number };
  end: () => ReturnType<Resident['end']>;
}

async function load(file: string, place: 'in-place' | 'copy', ...addresses: number[]): Promise<Loaded> {
  const resident = await Resident.start(process.execPath, [child, file, place, ...addresses.map(String)]);
  const said: Loaded['said'] = JSON.parse(resident.line.split(' ').slice(2).join(' '));
  const parts = partsOf(resident.pid, said.image);
  const writable = parts.filter(
    ({ protection, pages }) => protection.startsWith('rw') && pages >= DATA.pages,
  );
  const [first] = writable;
  const inRam =
    first === undefined
      ? []
      : pagesInRam(resident.pid, first.start, first.pages * 4096).map(
          (at) => Number(at - first.start) / 4096,
        );
  return {
    pid: resident.pid,
    text: add(parts.filter(({ protection }) => protection.includes('x'))),
    memory: add(writable),
    inRam,
    said,
    end: () => resident.end(),
  };
}

async function ended(...loaded: Loaded[]): Promise<void> {
  for (const { code, stderr } of await Promise.all(loaded.map((one) => one.end())))
    assert.equal(code, 0, stderr);
}

const rows: Row[] = [];

for (const medium of media) {
  const test = suite(`WebAssembly on ${medium.name}`);
  const { at, where } = medium;
  const elsewhere = where === 'nvm' ? 'ram' : 'nvm';
  const file = join(at, 'module.wasm');
  const store = join(at, 'insitu');
  let image = '';
  const row = { medium: medium.name } as Row;

  test('is installed', async () => {
    mkdirSync(store, { recursive: true });
    process.env.INSITU_STORE = store;
    copyFileSync(join(payload, 'module.wasm'), file);
    const installed = await installFile(file, {
      root: store,
      tier: 'quick',
      compiler: { command: ['none'], family: 'gcc', version: 'of the host', arch: 'x86-64' },
      compile: async (_, __, { output }) => copyFileSync(join(payload, 'module.so'), output),
    });
    image = installed.image;
    assert.equal(installed.status, 'compiled');
    const { medium: found, obstacle } = describeStore();
    assert.equal(found, where === 'nvm' ? 'dax' : 'page-cache');
    assert.equal(obstacle === null, where === 'nvm');
  });

  test('its text, and its memory until it is written to', async () => {
    const pages = [0, 17, DATA.pages - 1];
    const loading = [
      load(file, 'in-place'),
      load(file, 'in-place', ...pages.map((i) => DATA.at + i * 4096 + 5)),
    ];
    const [read, written] = (await Promise.all(loading)) as [Loaded, Loaded];
    for (const { said, text } of [read, written]) {
      assert.deepEqual([said.image, said.wrong, said.bytesCopied], [image, 0, 0]);
      assert.deepEqual([text.pages > 1024, text.present, text[where]], [true, text.pages, text.pages]);
      const { totals } = said.evidence;
      assert.deepEqual([totals.text?.resident, totals.text?.[where]], [text.pages, text.pages]);
    }
    const { memory } = read;
    assert.deepEqual([memory.pages, memory.present, memory[where]], [DATA.pages, DATA.pages, DATA.pages]);
    assert.equal(memory[elsewhere], 0);
    if (where === 'nvm') {
      assert.deepEqual(read.inRam, []);
      assert.deepEqual(written.inRam, pages, 'the pages that were written to');
      assert.equal(written.memory.nvm, DATA.pages - pages.length);
    }
    await ended(read, written);
    assert.equal(damageOf(image), undefined, 'what was written is not in the file');
    Object.assign(row, { text: read.text, memory, written: written.memory });
  });

  if (medium.copied)
    test('a copy has none of it there', async () => {
      const copy = await load(file, 'copy');
      assert.deepEqual([copy.said.wrong, copy.text.present], [0, 0]);
      const { text } = copy.said.evidence.totals;
      assert.ok(text !== undefined && text.pages > 1024);
      assert.deepEqual([text.nvm, text.ram, text.private], [0, text.pages, text.pages]);
      assert.equal(add(partsOf(copy.pid, image)).nvm, 0);
      await ended(copy);
    });

  if (where === 'nvm')
    test('2 MiB pages: the store lays it out for them', () => {
      const { possible, huge } = list(image).hugePages;
      assert.deepEqual([possible, huge], [true, 2]);
      assert.equal(faultsOf(image, 2 * MiB, 4 * MiB), 2);
    });

  test('where in place is required', () => {
    if (where === 'nvm')
      assert.equal(loadModule(image, { requireInPlace: true }).report.segments[1]?.placement, 'in-place');
    else
      assert.throws(
        () => loadModule(image, { requireInPlace: true }),
        (error) => error instanceof LoadError && error.code === 'ERR_NOT_IN_PLACE',
      );
  });

  test.after(() => {
    const { text, memory, written } = row;
    for (const [what, { present, nvm, ram }] of Object.entries({ text, memory, written }))
      console.log(`${medium.name}: ${what}: ${present} pages, ${nvm} in NVM, ${ram} in System RAM`);
    rows.push(row);
    writeFileSync(resultFile, JSON.stringify(rows));
    rmSync(store, { recursive: true, force: true });
    rmSync(file, { force: true });
  });
  test.run();
}

const stores = suite('the store of itself');

stores('is on a DAX file system, where there is one', () => {
  const { HOME = '/root' } = process.env;
  const { why, medium, mountPoint } = describeStore({ HOME });
  assert.deepEqual([why, medium], ['dax', 'dax']);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  assert.ok(mountPoint !== null && mounts.includes(` ${mountPoint} `));
});

stores.run();
