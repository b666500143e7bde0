// What a file is stored on, as sensed; devices and DAX are test/machine's.
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mounts, OpenFile, sense } from '../../loader/backing.ts';
import { LoadError } from '../../loader/error.ts';
import { native } from '../../loader/native.ts';
import { temporaryDirectory } from '../build/compile.ts';

const ramDirectory = mkdtempSync('/dev/shm/insitu-test-');
process.on('exit', () => rmSync(ramDirectory, { recursive: true, force: true }));

function stored(directory: string, bytes: Buffer | string = 'stored bytes'): string {
  const path = join(directory, 'file');
  writeFileSync(path, bytes);
  return path;
}

const test = suite('backing');

test('tmpfs: a RAM file system, volatile, its own storage', () => {
  const path = stored(ramDirectory);
  const backing = sense(path);
  const { medium, fileSystem, dax, mapSync, volatile, granule } = backing;
  assert.equal(
    { medium, fileSystem, dax, mapSync, volatile, granule },
    {
      medium: 'ram',
      fileSystem: 'tmpfs',
      dax: false,
      mapSync: false,
      volatile: true,
      granule: native.pageSize,
    },
  );
  assert.is(backing.mountPoint, '/dev/shm');
  assert.is(backing.inode, statSync(path).ino);
  assert.is(backing.size, 12);
});

test('a disk: the page cache, durable', () => {
  const { medium, volatile, dax, mapSync, granule, mountPoint } = sense(stored(temporaryDirectory()));
  assert.equal(
    [medium, volatile, dax, mapSync, granule],
    ['page-cache', false, false, false, native.pageSize],
  );
  assert.type(mountPoint, 'string');
});

test('the file system is the one that /proc/self/mountinfo names', () => {
  for (const directory of [ramDirectory, temporaryDirectory()]) {
    const { fileSystem, mountPoint } = sense(stored(directory));
    const mount = [...mounts().values()].filter((known) => known.mountPoint === mountPoint).at(-1);
    assert.is(mount?.fileSystem.replace(/^overlay$/, 'overlayfs').replace(/^ext[23]$/, 'ext4'), fileSystem);
  }
});

test('files of the kernel', () => {
  assert.equal(
    [sense('/proc/self/maps').fileSystem, sense('/proc/self/maps').medium],
    ['proc', 'page-cache'],
  );
  assert.is(sense('/sys/kernel/mm/transparent_hugepage/enabled').fileSystem, 'sysfs');
});

test('what can’t be mapped is refused, and its descriptor closed', () => {
  const before = readdirSync('/proc/self/fd').length;
  for (const path of ['/dev/null', '/dev/zero', ramDirectory, '/nowhere', ''])
    assert.throws(
      () => sense(path),
      (error: unknown) => error instanceof LoadError,
    );
  for (let i = 0; i < 20; i++) sense(stored(ramDirectory));
  assert.is(readdirSync('/proc/self/fd').length, before);
});

test('an open file has its first bytes, and zeros where it has none', () => {
  using file = new OpenFile(stored(ramDirectory, Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, 3])));
  assert.equal([...file.head], [1, 2]);
  using short = new OpenFile(stored(ramDirectory, Buffer.from([0xff, 0xfe, 0, 0x80, 7])));
  assert.equal([...short.head], [0x8000feff, 7]);
  using empty = new OpenFile(stored(ramDirectory, ''));
  assert.equal([...empty.head], [0, 0]);
});

test('use after close is ERR_CLOSED, close is idempotent', () => {
  const file = new OpenFile(stored(ramDirectory));
  file.close();
  file.close();
  assert.throws(
    () => file.fd,
    (error: unknown) => error instanceof LoadError && error.code === 'ERR_CLOSED',
  );
});

test('two files keep their facts apart', () => {
  const one = sense(stored(ramDirectory));
  const other = sense(stored(temporaryDirectory(), 'longer than the one before'));
  assert.equal([one.medium, one.size, other.medium, other.size], ['ram', 12, 'page-cache', 26]);
});

test('as JSON', () => {
  assert.equal(Object.keys(JSON.parse(JSON.stringify(sense(stored(ramDirectory))))), [
    'medium',
    'fileSystem',
    'mountPoint',
    'dax',
    'mapSync',
    'volatile',
    'noexec',
    'size',
  ]);
});

test.run();
