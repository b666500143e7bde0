// Finding images: what is believed, what is not, and what is remembered.
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { imageOfBytes } from '../../loader/images/find.ts';
import { imageOfFile } from '../../loader/images/find-file.ts';
import { install, installFile } from '../../loader/images/install.ts';
import { fileKey, IMAGE_FORMAT, MOST_ALIKE, SOURCE, sampleKey } from '../../loader/images/layout.ts';
import { removeModule } from '../../loader/images/remove.ts';
import { counting, fresh, moduleBytes, moduleFile } from './stores.ts';

const { compile } = counting();
const indexOf = (root: string) => join(root, 'index', readdirSync(join(root, 'index'))[0] as string);
const links = (root: string, prefix: string) =>
  readdirSync(indexOf(root)).filter((name) => name.startsWith(prefix));

/** A file in a store of its own, its times long past. */
async function installed(content: string) {
  const [root, path] = [fresh(), moduleFile(content)];
  await pause(0);
  const made = await installFile(path, { root, tier: 'quick', compile });
  return { root, roots: [root], path, made };
}

const find = suite('find');

find('by bytes and by file; what is not installed is not found', async () => {
  const { roots, path, made } = await installed('found');
  assert.is(imageOfBytes(readFileSync(path), { roots })?.image, made.image);
  assert.is(imageOfFile(path, { roots })?.image, made.image);
  assert.is(imageOfFile(path, { roots: [fresh(), ...roots] })?.source, made.source);
  assert.is(imageOfBytes(moduleBytes('other'), { roots }), undefined);
  assert.is(imageOfFile(moduleFile('other'), { roots }), undefined);
  assert.is(imageOfBytes(new Uint8Array(0), { roots }), undefined);
  assert.is(imageOfFile('/dev/zero', { roots }), undefined);
  assert.throws(() => imageOfFile('/nowhere.wasm', { roots }), /ENOENT/);
});

find('bytes that differ where no sample is taken are other bytes', async () => {
  const root = fresh();
  const one = moduleBytes('one', 100_000);
  const two = Buffer.from(one);
  two.writeUInt8(8, 1000);
  const key = (bytes: Buffer) => sampleKey(bytes.length, (at, length) => bytes.subarray(at, at + length));
  assert.is(key(one), key(two));
  const roots = [root];
  const first = await install(one, { root, tier: 'quick', compile });
  assert.is(imageOfBytes(two, { roots }), undefined);
  const second = await install(two, { root, tier: 'quick', compile });
  assert.is.not(first.image, second.image);
  assert.is(imageOfBytes(two, { roots })?.image, second.image);
  assert.is(imageOfBytes(one, { roots })?.image, first.image);
});

find('a file is remembered once it is old enough for any write to show', async () => {
  const { root, roots, path, made } = await installed('remembered');
  assert.equal(links(root, 'file-'), [], 'it has just been made');
  await pause(2100);
  imageOfFile(path, { roots });
  const [name] = links(root, 'file-');
  assert.is(name, fileKey(statSync(path, { bigint: true })));
  assert.is(readlinkSync(join(indexOf(root), name as string)), `${made.sha256}/${basename(made.image)}`);
  // Without a source to compare with, only what is remembered finds it.
  rmSync(made.source, { force: true });
  assert.is(imageOfFile(path, { roots })?.image, made.image);
  assert.is(imageOfBytes(readFileSync(path), { roots }), undefined);
  utimesSync(path, 2, 2);
  assert.is(imageOfFile(path, { roots }), undefined, 'touched: looked at again');
});

find('a file that was written to, or replaced, is another one', async () => {
  const { roots, path } = await installed('changes');
  await pause(2100);
  assert.ok(imageOfFile(path, { roots }));
  writeFileSync(path, moduleBytes('CHANGES'));
  assert.is(imageOfFile(path, { roots }), undefined);
});

find('an image for one CPU comes with where the one for all would be', async () => {
  const root = fresh();
  const bytes = moduleBytes('native');
  const native = await install(bytes, { root, tier: 'quick', cpu: 'native', compile });
  const found = imageOfBytes(bytes, { roots: [root] });
  assert.is(found?.image, native.image);
  assert.match(found?.baseline ?? '', new RegExp(`-baseline\\.${IMAGE_FORMAT}\\.so$`));
  assert.is.not(found?.baseline, found?.image);
  const baseline = await install(bytes, { root, tier: 'quick', compile });
  assert.is(found?.baseline, baseline.image);
  assert.is(imageOfBytes(bytes, { roots: [root] })?.image, native.image, 'preferred still');
});

const wrong: [name: string, target: (sha256: string, image: string) => string][] = [
  ['nothing', () => 'x'],
  ['a path', (_, image) => image],
  ['a way out of the store', (sha256, image) => `../../${sha256}/${basename(image)}`],
  ['a hash and more', (sha256, image) => `${sha256}/${basename(image)}/`],
  ['no image', (sha256) => `${sha256}/${SOURCE}`],
  ['a hash that is none', (sha256, image) => `${sha256.slice(1)}G/${basename(image)}`],
  ['an entry that is gone', (sha256, image) => `${sha256.replace(/./g, '0')}/${basename(image)}`],
];
for (const [name, target] of wrong)
  find(`an index that says ${name}`, async () => {
    const { root, roots, path, made } = await installed(`wrong ${name}`);
    const bytes = readFileSync(path);
    const [sample] = links(root, 'bytes-');
    const link = join(indexOf(root), sample as string);
    rmSync(link);
    symlinkSync(target(made.sha256, made.image), link);
    assert.is(imageOfBytes(bytes, { roots }), undefined);
    assert.is(imageOfFile(path, { roots }), undefined);
    await install(bytes, { root, tier: 'quick', compile }); // puts it right
    assert.is(imageOfBytes(bytes, { roots })?.image, made.image);
  });

find('an index of files, directories and of another module’s entry is not believed', async () => {
  const { root, roots, path, made } = await installed('index');
  const other = await install(moduleBytes('other!'), { root, tier: 'quick', compile });
  const bytes = readFileSync(path);
  const link = join(indexOf(root), links(root, `bytes-${bytes.length}-`)[0] as string);
  const put = (make: () => void) => {
    rmSync(link, { recursive: true });
    make();
    assert.is(imageOfBytes(bytes, { roots }), undefined);
  };
  put(() => writeFileSync(link, made.sha256));
  put(() => mkdirSync(link));
  put(() => symlinkSync(`${other.sha256}/${basename(other.image)}`, link));
});

find('a source that was tampered with matches nothing', async () => {
  const { roots, path, made } = await installed('tampered');
  const bytes = readFileSync(path);
  const kept = Buffer.from(bytes);
  kept.writeUInt8(kept.readUInt8(kept.length - 1) ^ 1, kept.length - 1);
  rmSync(made.source);
  writeFileSync(made.source, kept);
  assert.is(imageOfBytes(bytes, { roots }), undefined);
  assert.is(imageOfBytes(kept, { roots }), undefined, 'nor does what it was changed to');
});

find('an entry that was taken out is found no more; nor is one whose image vanished', async () => {
  const { root, roots, path, made } = await installed('removed');
  await removeModule(root, made.sha256);
  assert.is(imageOfFile(path, { roots }), undefined);
  assert.equal(readdirSync(indexOf(root)), []);
  const again = await installFile(path, { root, tier: 'quick', compile });
  rmSync(again.image);
  assert.is(imageOfFile(path, { roots }), undefined);
});

find('a file that one store remembers, and has no more, is found in another', async () => {
  const { roots, path, made } = await installed('two stores');
  const other = fresh();
  const second = await installFile(path, { root: other, tier: 'quick', compile });
  await pause(2100);
  for (const root of [...roots, other]) {
    imageOfFile(path, { roots: [root] });
    assert.is(links(root, 'file-').length, 1);
  }
  rmSync(made.image);
  assert.is(imageOfFile(path, { roots: [...roots, other] })?.image, second.image);
  assert.is(imageOfFile(path, { roots }), undefined);
});

find('more modules of one sample than are told apart are found as far as they are', async () => {
  const root = fresh();
  const alike = Array.from({ length: MOST_ALIKE + 1 }, (_, i) => {
    const bytes = moduleBytes('alike', 50_000);
    bytes.writeUInt8(i + 10, 1000);
    return bytes;
  });
  for (const bytes of alike) await install(bytes, { root, tier: 'quick', compile });
  const found = alike.filter((bytes) => imageOfBytes(bytes, { roots: [root] }));
  assert.is(found.length, MOST_ALIKE);
});

find.run();
