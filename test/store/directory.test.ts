// insitu place into directories: content, crash safety, full disks, and the layout on file systems made for it here.
import { spawnSync } from 'node:child_process';
import fs, {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LoadError } from '../../loader/error.ts';
import { placeInDirectory } from '../../loader/store/directory.ts';
import { cutsOf } from '../../loader/store/lay-out.ts';
import { Temporary } from '../../loader/store/temporary.ts';
import { temporaryDirectory } from '../build/compile.ts';
import { insitu } from '../cli/insitu.ts';
import { answerOf, runBy, startChild } from '../loader/child.ts';
import type { Stage } from '../loader/stage.ts';

const MIB = 1 << 20;
const LEFT = /^\.insitu-place-/;

const directory = () => mkdtempSync(join(temporaryDirectory(), 'place-'));

function stored(content: string | Buffer, name = 'file', mode = 0o640): string {
  const path = join(directory(), name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function refused(act: () => unknown, code: string, message: RegExp): void {
  assert.throws(act, (error: unknown) => {
    assert.instance(error, LoadError);
    assert.is((error as LoadError).code, code);
    assert.match((error as LoadError).message, message);
    return true;
  });
}

const placing = suite('place into a directory');

placing('content and permissions, neither set-ID bits nor anything else left', () => {
  const content = Buffer.from(Array.from({ length: 5 * MIB + 4321 }, (_, i) => i * 7));
  for (const mode of [0o755, 0o400, 0o640]) {
    const to = directory();
    const { path, backing, faults } = placeInDirectory(stored(content, 'name', mode), to);
    assert.equal([path, readdirSync(to)], [join(to, 'name'), ['name']]);
    assert.is(statSync(path).mode & 0o7777, mode);
    assert.ok(readFileSync(path).equals(content));
    assert.equal([backing.size, faults], [content.length, null], 'no DAX here');
  }
  const privileged = placeInDirectory(stored('x', 'su', 0o6755), directory());
  assert.is(statSync(privileged.path).mode & 0o7777, 0o755);
});

placing('an empty file, and another name', () => {
  const to = directory();
  assert.is(statSync(placeInDirectory(stored(''), to, 'empty').path).size, 0);
  assert.equal(readdirSync(to), ['empty']);
});

placing('what is there is replaced by rename: whoever has it open keeps it', () => {
  const to = directory();
  const path = placeInDirectory(stored('old'), to).path;
  const before = statSync(path).ino;
  placeInDirectory(stored('new'), to);
  assert.is(readFileSync(path, 'latin1'), 'new');
  assert.is.not(statSync(path).ino, before);
  placeInDirectory(path, to); // itself
  assert.is(readFileSync(path, 'latin1'), 'new');
});

placing('a symbolic link is replaced, and not what it leads to', () => {
  const to = directory();
  const target = stored('kept', 'target');
  symlinkSync(target, join(to, 'file'));
  placeInDirectory(stored('placed'), to);
  assert.equal(
    [readFileSync(target, 'latin1'), readFileSync(join(to, 'file'), 'latin1')],
    ['kept', 'placed'],
  );
});

placing('refused, with nothing left behind', () => {
  const to = directory();
  mkdirSync(join(to, 'taken'));
  refused(() => placeInDirectory(stored('x', 'taken'), to), 'EISDIR', /taken: is a directory/);
  refused(() => placeInDirectory('/nowhere', to), 'ENOENT', /^\/nowhere: ENOENT: [^,]*, open$/);
  refused(() => placeInDirectory(to, to), 'ERR_NOT_MAPPABLE', /is a directory/);
  refused(() => placeInDirectory('/dev/null', to), 'ERR_NOT_MAPPABLE', /character device/);
  refused(() => placeInDirectory(stored('x'), join(to, 'nowhere')), 'ENOENT', /no such file/);
  for (const name of ['', '.', '..', 'a/b'])
    refused(() => placeInDirectory(stored('x'), to, name), 'ERR_NAME', /cannot be called/);
  refused(() => placeInDirectory(stored('x'), to, 'a\0b'), 'ERR_INVALID_ARG_VALUE', /null bytes/);
  assert.equal(readdirSync(to), ['taken']);
});

placing('the command line: one or several, as text and as JSON', () => {
  const to = directory();
  const files = [stored('a', 'a'), stored('b', 'b')];
  const { status, stdout, stderr } = insitu(['place', ...files, to]);
  assert.equal([status, stderr], [0, '']);
  assert.match(stdout, /^placed +.*\/a \(1 B\)\nstored on .*\nhuge pages +no/);
  assert.equal(readdirSync(to), ['a', 'b']);
  const json = JSON.parse(insitu(['place', '--json', '--name', 'c', files[0] as string, to]).stdout);
  assert.equal([json.directory, json.files[0].path], [to, join(to, 'c')]);
  assert.is(insitu(['place', '--create', files[0] as string, to]).status, 2);
});

placing.run();

const crashing = suite('place: killed, crowded, out of room');

crashing('what a killed one left is removed by the next; what a living one has is not', () => {
  const to = directory();
  writeFileSync(join(to, '.insitu-place-1-x-0'), 'left');
  symlinkSync('/etc/passwd', join(to, '.insitu-place-2-link'));
  mkdirSync(join(to, '.insitu-place-3-directory'));
  using living = new Temporary(to);
  const { removed } = placeInDirectory(stored('x'), to);
  assert.equal(removed, ['.insitu-place-1-x-0']);
  assert.ok(existsSync(living.path));
  assert.is(readdirSync(to).length, 4, 'nor is what is no file');
});

crashing('killed at any moment: the old file or the new one, whole', async () => {
  const to = directory();
  const [old, fresh] = [Buffer.alloc(3 * MIB, 'o'), Buffer.alloc(24 * MIB, 'n')];
  const act = ({ store, fs }: Stage, file: string, at: string) => {
    for (;;) {
      fs.writeSync(1, '.');
      store.placeInDirectory(file, at, 'file');
    }
  };
  const path = placeInDirectory(stored(old), to).path;
  const source = stored(fresh);
  for (let i = 0; i < 12; i++) {
    const child = startChild(act, source, to);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await new Promise((resolve) => setTimeout(resolve, (i * 7) % 40));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    const content = readFileSync(path);
    assert.ok(content.equals(old) || content.equals(fresh), `${content.length} bytes`);
    assert.ok(readdirSync(to).filter((name) => LEFT.test(name)).length <= 1);
    placeInDirectory(stored(old), to);
    assert.equal(readdirSync(to), ['file']);
  }
});

crashing('two at once: both succeed, and one of them is there', async () => {
  const to = directory();
  const act = ({ store }: Stage, file: string, at: string) => {
    for (let i = 0; i < 20; i++) store.placeInDirectory(file, at, 'file');
  };
  const children = ['a', 'b'].map((c) => startChild(act, stored(Buffer.alloc(MIB, c)), to));
  const statuses = await Promise.all(
    children.map((child) => new Promise((resolve) => child.once('close', resolve))),
  );
  assert.equal(statuses, [0, 0]);
  const content = readFileSync(join(to, 'file'));
  assert.ok(['a', 'b'].some((c) => content.equals(Buffer.alloc(MIB, c))));
  assert.equal(readdirSync(to), ['file']);
});

const mount = (command: string) => [
  ...['unshare', '-m', '--propagation', 'private', 'sh', '-c'],
  `${command} && exec "$@"`,
  'sh',
];
const mayMount = runBy(mount('mount -t tmpfs -o size=4m tmpfs /mnt'), () => 1).status === 0;

(mayMount ? crashing : crashing.skip)('a full disk: ENOSPC, what was there stays, nothing is left', () => {
  const act = ({ store, fs, thrown }: Stage, large: string, small: string) => {
    store.placeInDirectory(small, '/mnt', 'file');
    const error = thrown(() => store.placeInDirectory(large, '/mnt', 'file'));
    return [error?.code, error?.path, fs.readFileSync('/mnt/file', 'latin1'), fs.readdirSync('/mnt')];
  };
  const way = mount('mount -t tmpfs -o size=4m tmpfs /mnt');
  const answer = answerOf(runBy(way, act, stored(Buffer.alloc(8 * MIB)), stored('small')));
  assert.equal(answer, ['ENOSPC', '/mnt/file', 'small', ['file']]);
});

crashing('a file that grows or shrinks while it is read', () => {
  const { readSync } = fs;
  for (const [size, message] of [
    [8 * MIB, /grew while it was read; want the 6291456 bytes/],
    [MIB, /shrank while it was read; want the 6291456 bytes/],
  ] as const) {
    const [source, to] = [stored(Buffer.alloc(6 * MIB)), directory()];
    let reads = 0;
    fs.readSync = ((...args: Parameters<typeof readSync>) => {
      if (reads++ === 1) truncateSync(source, size);
      return readSync(...args);
    }) as typeof readSync;
    syncBuiltinESMExports();
    try {
      refused(() => placeInDirectory(source, to), 'ERR_CHANGED', message);
    } finally {
      fs.readSync = readSync;
      syncBuiltinESMExports();
    }
    assert.equal([reads > 1, readdirSync(to)], [true, []]);
  }
});

crashing.run();

// ---- on file systems of their own, in a mount namespace of the child's: extents are laid out with and without DAX

const layouts = suite('place: layout for huge pages');

const onImage = (mkfs: string, image: string) =>
  mount(`truncate -s 400M ${image} && ${mkfs} ${image} && mount -o loop ${image} /mnt`);

/** What is free lies in pieces of 3 MiB at odd places, and then there is a file of 32 MiB. */
const lay = ({ store, fs, native }: Stage, fragmented: boolean) => {
  const size = 32 << 20;
  const piece = (i: number, length: number) => fs.writeFileSync(`/mnt/piece${i}`, Buffer.alloc(length, 1));
  const free = () => fs.statfsSync('/mnt').bavail * fs.statfsSync('/mnt').bsize;
  let count = 0;
  while (fragmented ? free() > 24 << 20 : count < 5) {
    piece(count, fragmented ? (3 << 20) + 4096 * (count % 5) : 700_000 * (count + 1));
    count++;
  }
  for (let i = 0; fragmented && i < count; i += 2) fs.rmSync(`/mnt/piece${i}`);
  fs.fsyncSync(fs.openSync('/mnt', 'r'));
  const fd = fs.openSync('/mnt/file', 'w+');
  const wasSetAside = store.setAside('/mnt', fd, size, true);
  fs.writeSync(fd, Buffer.alloc(size, 7));
  fs.fsyncSync(fd);
  const { told, blocks, huge } = native.hugeLayout(fd, 0, size);
  const content = fs.readFileSync('/mnt/file');
  return { wasSetAside, told, blocks, huge, size: content.length, same: content.every((byte) => byte === 7) };
};

const makers = { ext4: 'mkfs.ext4 -q -F -b 4096', xfs: 'mkfs.xfs -q -f' };
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

for (const [name, mkfs] of Object.entries(makers))
  for (const fragmented of [false, true]) {
    const image = join(temporaryDirectory(), `${name}.img`);
    const way = ['env', `PATH=${env.PATH}`, ...onImage(mkfs, image)];
    const [command, ...rest] = way as [string, ...string[]];
    const may = spawnSync(command, [...rest, 'true'], { encoding: 'utf8' });
    rmSync(image, { force: true });
    const test = may.status === 0 ? layouts : layouts.skip;
    const why = may.status === 0 ? '' : `: ${may.stderr.trim().split('\n').at(-1)}`;
    test(`${name} as made by default${fragmented ? ', fragmented' : ''}: every block on a boundary${why}`, () => {
      const answer = answerOf(runBy(way, lay, fragmented));
      rmSync(image, { force: true });
      const wanted = { wasSetAside: true, told: true, blocks: 16, huge: 16, size: 32 * MIB, same: true };
      assert.equal(answer, wanted);
    });
  }

/** Pieces of so many pages, at places that many pages off a 2 MiB boundary: what is left of the file then. */
function straightened(size: number, ...pieces: [length: number, off: number][]) {
  let logical = 0;
  const laid = pieces.map(([length, off], i) => {
    const piece = { logical: logical * 4096, place: (1024 * (i + 1) + off) * 4096, length: length * 4096 };
    logical += length;
    return piece;
  });
  const cuts = cutsOf(laid, size * 4096).map(({ start, length }) => [start / 4096, length / 4096]);
  return cuts;
}

layouts('cuts: heads and tails of pieces, neighbours in one, and never more than there is too much', () => {
  assert.equal(straightened(1024, [1024, 0]), []);
  assert.equal(
    straightened(1024, [1536, 500]),
    [[0, 12]],
    'what is behind the size is not cut, it is truncated',
  );
  assert.equal(straightened(1024, [700, 0], [900, 12]), [[512, 188]], 'the head of the second must stay');
  assert.equal(straightened(1024, [700, 0], [1200, 12]), [[512, 188 + 500]]);
  assert.equal(straightened(1024, [600, 512], [700, 412], [600, 412]), [[512, 88 + 100]]);
  assert.equal(straightened(512, [100, 1], [511, 0], [1100, 0]), [[0, 611]], 'pieces without a whole block');
  assert.equal(straightened(100), []);
});

layouts.run();
