// Sixteen processes of one program: how much System RAM their text takes, in place and copied.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'uvu';
import { add, type Count, insituToEnd, partsOf, payload, Resident, root } from './children.ts';

const processes = 16;
const runner = join(root, 'prebuilds/linux-x64/insitu-exec');
const directory = '/mnt/xfs';

/** Executable pages of each, of the program's file or of anonymous memory. */
async function textOfSixteen(options: string[], where: 'file' | 'anonymous'): Promise<Count[]> {
  const program = join(directory, 'static');
  const children = await Promise.all(
    Array.from({ length: processes }, () => Resident.start(runner, [...options, program])),
  );
  const counts = children.map(({ pid }) =>
    add(
      partsOf(pid, where === 'file' ? program : where).filter(({ protection }) => protection.includes('x')),
    ),
  );
  for (const child of children) assert.equal((await child.end()).code, 0);
  return counts;
}

test('the program is placed', async () => {
  const { code, stderr } = await insituToEnd('place', join(payload, 'static'), directory);
  assert.equal(code, 0, stderr);
});

test('16 processes in place: their text takes no System RAM', async () => {
  const counts = await textOfSixteen([], 'file');
  for (const { present, nvm } of counts) assert.ok(present > 512 && nvm === present);
  const { nvm, ram } = add(counts);
  console.log(`16 processes in place: ${nvm} mapped text pages in NVM, ${ram} in System RAM`);
  assert.equal(ram, 0);
});

test('16 copies: their text takes 16 times its size', async () => {
  const counts = await textOfSixteen(['--copy'], 'anonymous');
  const [first] = counts;
  assert.ok(first !== undefined && first.ram > 512);
  for (const { ram, nvm } of counts) assert.deepEqual([ram, nvm], [first.ram, 0]);
  console.log(`16 copies: ${add(counts).ram} text pages in System RAM, ${first.ram} each`);
});

test.run();
