// Copy-on-write: the pages that relocation wrote to are in System RAM, each of them, and no other one is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import type { Evidence } from '../../../loader/evidence.ts';
import { insituToEnd, pagesInRam, payload, Resident, root } from './children.ts';

const directory = '/mnt/xfs';
const loadChild = join(root, 'build/test/machine/guest/load-child.js');

/** vaddrs of the pages that hold a word which is relocated, as readelf lists them. */
const relocatedPages = (name: string): number[] =>
  JSON.parse(readFileSync(join(payload, `${name}.relocated-pages.json`), 'utf8'));

/** vaddrs of the pages of RELRO and data that are in System RAM once the library is loaded. */
async function writtenPages(name: string): Promise<{ found: number[]; said: number }> {
  const child = await Resident.start(process.execPath, [loadChild, join(directory, name), 'in-place']);
  const loaded: { evidence: Evidence; base: string } = JSON.parse(child.line.split(' ').slice(2).join(' '));
  const found: number[] = [];
  let said = 0;
  for (const { name: kind, address, bytes, ram, nvm } of loaded.evidence.ranges) {
    if (kind === 'text' || kind === 'rodata') assert.equal(ram, 0, `${kind}: ${nvm} in NVM, ${ram} in RAM`);
    said += ram;
    for (const at of pagesInRam(child.pid, BigInt(address), bytes))
      found.push(Number(at - BigInt(loaded.base)));
  }
  assert.equal((await child.end()).code, 0);
  return { found, said };
}

test('libraries are placed', async () => {
  const files = ['relocated.so', 'plain.so'].map((name) => join(payload, name));
  const { code, stderr } = await insituToEnd('place', ...files, directory);
  assert.equal(code, 0, stderr);
});

test('exactly the pages that relocation wrote moved to RAM', async () => {
  const expected = relocatedPages('relocated.so');
  const { found, said } = await writtenPages('relocated.so');
  console.log(`${expected.length} pages hold relocated words; ${found.length} pages are in System RAM`);
  assert.ok(expected.length >= 32);
  assert.deepEqual(found, expected);
  assert.equal(said, expected.length);
});

test('a library without relocations moves none', async () => {
  assert.deepEqual(relocatedPages('plain.so'), []);
  assert.deepEqual(await writtenPages('plain.so'), { found: [], said: 0 });
});

test.run();
