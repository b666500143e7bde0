// 2 MiB pages: what is in their way, as inspect says it, against the faults that a C program counts; and what to run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import { list } from '../../../loader/listing.ts';
import { faultsOf, insituToEnd, payload } from './children.ts';

const MiB = 1 << 20;
const { DAX4K = '' } = process.env;
const pagesOf = (path: string) => list(path).hugePages;
/** text64.so has its text at 2 MiB in the file. */
const counted = (path: string) => faultsOf(path, 2 * MiB, 64 * MiB);

async function place(file: string, directory: string): Promise<string> {
  const { code, stderr } = await insituToEnd('place', join(payload, file), directory);
  assert.equal(code, 0, stderr);
  return join(directory, file);
}

test('the file: copied by cp it lies anywhere; place lays it out', async () => {
  const path = '/mnt/ext4-default/copied.so';
  copyFileSync(join(payload, 'text64.so'), path);
  const { possible, obstacle, command } = pagesOf(path);
  assert.deepEqual([possible, obstacle], [false, 'file']);
  assert.match(command ?? '', /insitu place/);
  assert.equal(counted(path), 16384);
  const placed = await place('text64.so', '/mnt/ext4-default');
  assert.deepEqual([pagesOf(placed).possible, pagesOf(placed).huge], [true, 32]);
  assert.equal(counted(placed), 32);
});

test('the medium: a device-dax of 4 KiB units', () => {
  const { possible, obstacle, command } = pagesOf(`devdax:${basename(DAX4K)}/text64.so`);
  assert.deepEqual([possible, obstacle], [false, 'medium']);
  assert.match(command ?? '', /ndctl .*--align/);
});

test('the medium: no DAX', () => {
  assert.equal(pagesOf(join(payload, 'text64.so')).possible, false);
});

test('the address: a program that is linked for small pages, started by the kernel', async () => {
  const path = await place('small-pages', '/mnt/xfs');
  const report = '/run/small-pages.json';
  const { code, stderr } = await insituToEnd('run', `--report-file=${report}`, path);
  assert.equal(code, 0, stderr);
  const { hugePages } = JSON.parse(readFileSync(report, 'utf8'));
  assert.deepEqual([hugePages.possible, hugePages.obstacle], [false, 'address']);
  assert.match(hugePages.command, /max-page-size=0x200000/);
});

test('what inspect prints of it', () => {
  const cli = [join(payload, '../../dist/runtime/cli/main.cjs'), 'inspect', '/mnt/ext4-default/copied.so'];
  const printed = execFileSync(process.execPath, cli, { encoding: 'utf8' });
  assert.match(printed, /huge pages +no \(file\): .*; run insitu place/);
});

test.run();
