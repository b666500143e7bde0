// What load() says of things that are no library, that may not be read or run, and that change meanwhile.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileC, temporaryDirectory } from '../build/compile.ts';
import { minimalLibrary, minimalProgram } from '../build/elf.ts';
import { answerOf, inChild, run, runBy, startChild } from './child.ts';
import type { Thrown } from './stage.ts';

const directory = temporaryDirectory();
const ramDirectory = mkdtempSync('/dev/shm/insitu-test-');
process.on('exit', () => rmSync(ramDirectory, { recursive: true, force: true }));
const root = process.getuid?.() === 0;
let count = 0;

function stored(bytes: Buffer | string, where = directory): string {
  const path = join(where, `file-${count++}`);
  writeFileSync(path, bytes);
  return path;
}

const library = minimalLibrary().bytes();

/** What loading each of these throws, in place and copied. */
function loadAll(paths: string[]): Record<'in-place' | 'copy', (Thrown | null)[]> {
  return inChild(({ thrown, loadSync }, paths) => {
    const all = (place: 'in-place' | 'copy') =>
      paths.map((path) => thrown(() => loadSync(path, { place }).close()));
    return { 'in-place': all('in-place'), copy: all('copy') };
  }, paths);
}

function assertThrown(error: Thrown | null | undefined, path: string, code: string, message: RegExp): void {
  if (!error) throw new Error(`${path} was accepted`);
  assert.equal([error.name, error.code, error.path], ['LoadError', code, path], error.message);
  assert.ok(error.message.startsWith(`${path}: `), error.message);
  assert.not.match(error.message, /\n/);
  assert.match(error.message, message);
}

const kinds = suite('load: what is no library');

type Row = [what: string, code: string, message: RegExp, path: () => string];

const loop = join(directory, 'loop');
symlinkSync(loop, loop);
const fifo = join(directory, 'fifo');
execFileSync('mkfifo', [fifo]);
const socket = join(directory, 'socket');
const blockDevice = ['/dev/vda', '/dev/loop0', '/dev/sda'].find((path) => {
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch {
    return false; // not there, or not ours to open
  }
});

const rows: Row[] = [
  ['the empty name', 'ENOENT', /ENOENT: .*, open/, () => ''],
  ['what is not there', 'ENOENT', /ENOENT: .*, open/, () => join(directory, 'nowhere')],
  ['below a file', 'ENOTDIR', /, open/, () => join(stored('x'), 'below')],
  ['a name that is too long', 'ENAMETOOLONG', /, open/, () => join(directory, 'x'.repeat(300))],
  ['a link to itself', 'ELOOP', /, open/, () => loop],
  ['a directory', 'ERR_NOT_MAPPABLE', /is a directory; want/, () => directory],
  ['a FIFO', 'ERR_NOT_MAPPABLE', /is a FIFO; want/, () => fifo],
  ['a socket', 'ERR_NOT_MAPPABLE', /is a socket; want/, () => socket],
  ['/dev/null', 'ERR_NOT_MAPPABLE', /is a character device that is not device-dax; want/, () => '/dev/null'],
  ...(blockDevice
    ? ([['a block device', 'ERR_NOT_MAPPABLE', /is a block device; want/, () => blockDevice]] as Row[])
    : []),
  ['an empty file', 'ERR_TRUNCATED', /file is empty/, () => stored('')],
  ['a file of /proc', 'ERR_TRUNCATED', /file is empty/, () => '/proc/self/maps'],
  [
    'a WebAssembly module',
    'ERR_FORMAT',
    /0x0 0x61 0x73 0x6d; want/,
    () => stored(Buffer.concat([Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])], 100)),
  ],
  [
    'a script',
    'ERR_FORMAT',
    /starts with bytes 0x23 0x21/,
    () => stored(`#!/bin/sh\n${'# a comment\n'.repeat(10)}`),
  ],
  ['a text file', 'ERR_FORMAT', /want 0x7f 'E' 'L' 'F'/, () => stored('some text\n'.repeat(10))],
  [
    'a static program',
    'ERR_FORMAT',
    /is an ELF program; want a shared object/,
    () => stored(minimalProgram({ kind: 'static' }).bytes()),
  ],
  [
    'a static-pie program',
    'ERR_FORMAT',
    /is an ELF program/,
    () => stored(minimalProgram({ kind: 'static-pie' }).bytes()),
  ],
  ['a pie program', 'ERR_FORMAT', /is an ELF program/, () => stored(minimalProgram({ kind: 'pie' }).bytes())],
  ['Node itself', 'ERR_FORMAT', /is an ELF program/, () => process.execPath],
];

const paths = rows.map(([, , , path]) => path());
let outcomes: ReturnType<typeof loadAll>;

kinds.before(async () => {
  const server = createServer().listen(socket);
  await once(server, 'listening');
  outcomes = loadAll(paths);
  server.close();
});

rows.forEach(([what, code, message], i) => {
  kinds(what, () => {
    for (const place of ['in-place', 'copy'] as const)
      assertThrown(outcomes[place][i], paths[i] as string, code, message);
  });
});

kinds('a name with a NUL in it is a TypeError, and not the file in front of it', () => {
  const path = stored(library);
  const errors = inChild(({ thrown, loadSync, backing }, path) => {
    return [thrown(() => loadSync(`${path}\0.txt`)), thrown(() => backing.sense(`${path}\0`))];
  }, path);
  for (const error of errors) assert.is(error?.name, 'TypeError');
});

kinds('requireInPlace on what is no NVM', () => {
  for (const [where, message] of [
    [directory, /page cache; want/],
    [ramDirectory, /RAM file system; want/],
  ] as const) {
    const path = stored(library, where);
    const error = inChild(
      ({ thrown, loadSync }, path) => thrown(() => loadSync(path, { requireInPlace: true })),
      path,
    );
    assertThrown(error, path, 'ERR_NOT_IN_PLACE', message);
  }
});

kinds.run();

const permission = suite('load: what may not be read or run');

permission('an unreadable file', () => {
  const path = stored(library);
  chmodSync(directory, 0o755);
  chmodSync(path, 0);
  const error = inChild(({ thrown, loadSync, process }, path) => {
    if (process.getuid?.() === 0) process.setuid?.(65534);
    return thrown(() => loadSync(path));
  }, path);
  assertThrown(error, path, 'EACCES', /EACCES: .*, open/);
});

permission('a file needs no permission to execute, as with dlopen', () => {
  const path = stored(library);
  chmodSync(path, 0o444);
  assert.equal(loadAll([path]), { 'in-place': [null], copy: [null] });
});

const unshared = ['unshare', '-m', '--propagation', 'private'];
const mayMount = root && runBy(unshared, () => 1).status === 0;
const mounted = mayMount ? permission : permission.skip;
if (!mayMount) console.log('skipped: mounts need root and CAP_SYS_ADMIN');

mounted('a file system that is mounted noexec: in place, copied, and after a remount', () => {
  const mount = join(directory, 'mount');
  mkdirSync(mount);
  writeFileSync(join(directory, 'bytes'), library);
  const outcome = runBy(
    unshared,
    async ({ thrown, loadSync, backing, fs }, mount) => {
      const { execFileSync } = await import('node:child_process');
      const path = `${mount}/lib.so`;
      execFileSync('mount', ['-t', 'tmpfs', 'none', mount]);
      fs.copyFileSync(`${mount}/../bytes`, path);
      loadSync(path).close();
      const before = backing.sense(path).noexec;
      execFileSync('mount', ['-o', 'remount,noexec', mount]);
      const errors = [thrown(() => loadSync(path)), thrown(() => loadSync(path, { place: 'copy' }))];
      return { path, errors, noexec: [before, backing.sense(path).noexec] };
    },
    mount,
  );
  const { path, errors, noexec } = answerOf<{ path: string; errors: (Thrown | null)[]; noexec: boolean[] }>(
    outcome,
  );
  assert.equal(noexec, [false, true]);
  for (const error of errors) assertThrown(error, path, 'ERR_NOT_MAPPABLE', /mounted noexec; want/);
});

mounted('another file system where one was: what was sensed of the first is not told of the second', () => {
  const mount = join(directory, 'mount-2');
  mkdirSync(mount);
  const outcome = runBy(
    unshared,
    async ({ backing, fs }, mount) => {
      const { execFileSync } = await import('node:child_process');
      return ['tmpfs', 'ramfs', 'tmpfs'].map((type) => {
        execFileSync('mount', ['-t', type, 'none', mount]);
        fs.writeFileSync(`${mount}/file`, 'x');
        const { fileSystem } = backing.sense(`${mount}/file`);
        execFileSync('umount', [mount]);
        return fileSystem;
      });
    },
    mount,
  );
  assert.equal(answerOf(outcome), ['tmpfs', 'ramfs', 'tmpfs']);
});

permission.run();

const changes = suite('load: files that change meanwhile');

/** A loop of another process over a file, for as long as the test runs. */
async function beside<R>(script: string, test: () => R): Promise<R> {
  const loop: ChildProcess = spawn('python3', ['-c', `import os, time\n${script}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(loop.stdout as NodeJS.ReadableStream, 'data');
    return test();
  } finally {
    loop.kill('SIGKILL');
    await once(loop, 'close');
  }
}

/** Loads a file many times, looks symbols up and calls nothing; counts what came of it. */
function loadOften(path: string, times: number, steady = false) {
  return inChild(
    ({ loadSync, asThrown, mapsOf, openDescriptors }, path, times, steady) => {
      const codes: Record<string, number> = {};
      const open = openDescriptors();
      // On a busy machine the other process may not get its turn for a while: until there was both, for 20 seconds at most.
      const end = Date.now() + 20_000;
      const seen = () => codes.loaded !== undefined && (steady || Object.keys(codes).length > 1);
      for (let i = 0; i < times || (!seen() && Date.now() < end); i++) {
        let code = 'loaded';
        try {
          const library = loadSync(path, { place: i % 4 === 3 ? 'copy' : 'in-place' });
          try {
            if (library.symbol('answer') % 4096n !== 0n) code = 'wrong address';
          } catch (error) {
            code = `then ${asThrown(error).code}`;
          }
          library.close();
        } catch (error) {
          const { name, code: thrown, message } = asThrown(error);
          code = name === 'LoadError' ? String(thrown) : `${name} ${String(error)}`;
          if (message.includes('lost pages while it was loaded')) code = 'lost pages';
        }
        codes[code] = (codes[code] ?? 0) + 1;
      }
      return { codes, mapped: mapsOf(path), leaked: openDescriptors() - open };
    },
    path,
    times,
    steady,
  );
}

/** Cuts a file to `size` (Python, of n and the whole file's bytes) and makes it whole again, without end. */
const shrinking = (path: string, size: string) => `
path = ${JSON.stringify(path)}
whole = open(path, 'rb').read()
print('ready', flush=True)
n = 0
while True:
    n += 1
    os.truncate(path, ${size})
    with open(path, 'r+b') as f: f.write(whole)
    time.sleep(0.0005 * (n % 3))`;

const codesOf = (codes: Record<string, number>, expected: RegExp) =>
  assert.equal(
    Object.keys(codes).filter((code) => !expected.test(code)),
    [],
    JSON.stringify(codes),
  );

for (const [name, where] of [
  ['tmpfs', ramDirectory],
  ['page cache', directory],
] as const) {
  changes(`losing whole pages and getting them back, 2000 loads, ${name}`, async () => {
    const path = stored(library, where);
    const script = shrinking(path, '4096 * (n % 4)');
    const { codes, mapped, leaked } = await beside(script, () => loadOften(path, 2000));
    assert.equal([mapped, leaked], [[], 0]);

    codesOf(codes, /^(loaded|ERR_CHANGED|ERR_TRUNCATED|lost pages|then ERR_CHANGED)$/);
    assert.ok(codes.loaded && Object.keys(codes).length > 1, JSON.stringify(codes));
  });

  // The rest of a page that is cut in its middle is zero for a moment: whatever is read there may be.
  changes(`cut anywhere, 1000 loads, ${name}`, async () => {
    const path = stored(library, where);
    const script = shrinking(path, '(n * 512) % len(whole)');
    const { codes, mapped, leaked } = await beside(script, () => loadOften(path, 1000));
    assert.equal([mapped, leaked], [[], 0]);

    codesOf(codes, /^(loaded|lost pages|(then )?ERR_[A-Z]+)$/);
    assert.ok(codes.loaded, JSON.stringify(codes));
  });
}

changes('replaced by rename: every load is of one of the two, whole', async () => {
  const path = stored(library, ramDirectory);
  const script = `
path = ${JSON.stringify(path)}
one = open(path, 'rb').read()
print('ready', flush=True)
while True:
    with open(path + '.new', 'wb') as f: f.write(one)
    os.rename(path + '.new', path)`;
  const { codes, mapped, leaked } = await beside(script, () => loadOften(path, 1000, true));
  assert.equal([codes, mapped, leaked], [{ loaded: 1000 }, [], 0]);
});

const far = `
  __attribute__((aligned(4096))) static int near_page(void) { return 1; }
  __attribute__((aligned(4096), noinline)) int far_page(void) { return 42; }
  int near_function(void) { return near_page(); }`;

changes('truncated underneath: a call into a lost page is one line and SIGBUS', () => {
  const path = compileC(far, { name: 'libtruncated.so', kind: 'shared' });
  const { signal, stdout, stderr } = run(({ loadSync, fs, native }, path) => {
    const far = loadSync(path).symbol('far_page');
    fs.writeSync(1, `${native.callInt(far)}\n`);
    fs.truncateSync(path, 0x1000);
    native.callInt(far);
    fs.writeSync(1, 'survived\n');
  }, path);
  assert.equal([signal, stdout], ['SIGBUS', '42\n'], stderr);
  assert.match(
    stderr,
    /^insitu: .*libtruncated\.so: SIGBUS at file offset 0x[0-9a-f]+000, code at .* in far_page\+0x0: the page is gone from the file, which now has 4096 bytes\n$/,
  );
  assert.ok(stderr.startsWith(`insitu: ${path}: `), stderr);
});

changes('truncated underneath: look-ups are ERR_CHANGED, other libraries go on', () => {
  const path = stored(library);
  const other = stored(library);
  const result = inChild(
    ({ loadSync, fs, native, thrown }, path, other) => {
      const lost = loadSync(path);
      const sound = loadSync(other);
      fs.truncateSync(path, 0);
      const errors = [thrown(() => lost.symbol('answer')), thrown(() => lost.symbol('answer'))];
      const answer = native.callInt(sound.symbol('answer'));
      lost.close();
      return { errors, answer, names: sound.exports, listed: thrown(() => lost.exports)?.code };
    },
    path,
    other,
  );
  for (const error of result.errors)
    assertThrown(error, path, 'ERR_CHANGED', /lost pages; want|lost pages.*want/);
  assert.is(result.answer, 42);
  assert.equal(result.names, ['answer', 'answer_by_pointer']);
  assert.is(result.listed, 'ERR_CLOSED');
});

changes('truncated underneath: exceptions elsewhere and the end of the process are no matter', () => {
  const path = compileC(
    '__attribute__((destructor)) static void last(void) {} int answer(void) { return 42; }',
    { name: 'libdestroyed.so', kind: 'shared' },
  );
  const result = inChild(({ loadSync, fs, thrown }, path) => {
    loadSync(path); // stays open: its destructors are due at the end of the process
    fs.truncateSync(path, 0);
    // A refused load is a C++ exception inside, and its unwinding must not look at the lost library's tables.
    return thrown(() => loadSync(`${path}.nowhere`))?.code;
  }, path);
  assert.is(result, 'ENOENT');
});

changes('truncated underneath a copy-load: nothing is lost', () => {
  const path = compileC(far, { name: 'libcopied.so', kind: 'shared' });
  const result = inChild(({ loadSync, fs, native }, path) => {
    const library = loadSync(path, { place: 'copy' });
    fs.truncateSync(path, 0);
    const answer = native.callInt(library.symbol('far_page'));
    library.close();
    return answer;
  }, path);
  assert.is(result, 42);
});

changes('removed: the library keeps its own', () => {
  const path = compileC(far, { name: 'libremoved.so', kind: 'shared' });
  const result = inChild(({ loadSync, fs, native }, path) => {
    const library = loadSync(path);
    fs.rmSync(path);
    return [native.callInt(library.symbol('far_page')), library.exports.includes('far_page')];
  }, path);
  assert.equal(result, [42, true]);
});

changes('a file that grew after it was linked: what is behind it is no matter', () => {
  const path = stored(library);
  truncateSync(path, library.length + 100_000);
  assert.equal(loadAll([path]), { 'in-place': [null], copy: [null] });
});

changes.run();

const atOnce = suite('load: the same file at once');

atOnce('in four threads, a hundred times each', () => {
  const path = compileC(far, { name: 'libthreads.so', kind: 'shared' });
  const addon = new URL('../../prebuilds/', import.meta.url).pathname;
  const result = inChild(
    async ({ Worker, mapsOf }, path, addon) => {
      const code = `
        const { workerData: { path, addon }, parentPort } = require('node:worker_threads');
        const native = require(addon);
        let sum = 0;
        for (let i = 0; i < 100; i++) {
          const library = native.load(path, i % 2);
          sum += native.callInt(native.imageSymbol(library, 'far_page'));
          if (i % 10 === 5) try { native.load(path + 'x', 0); } catch { sum++; }
          native.closeImage(library);
        }
        parentPort.postMessage(sum);`;
      const run = () =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(code, { eval: true, execArgv: [], workerData: { path, addon } });
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      return { sums: await Promise.all([run(), run(), run(), run()]), mapped: mapsOf(path) };
    },
    path,
    join(addon, `linux-${process.arch}`, 'insitu.node'),
  );
  assert.equal(result, { sums: [4210, 4210, 4210, 4210], mapped: [] });
});

atOnce('in two processes, whose text is mapped shared', async () => {
  const path = compileC(far, { name: 'libprocesses.so', kind: 'shared' });
  const act = (path: string) =>
    startChild(({ loadSync, native, mapsOf, fs }, path) => {
      fs.writeSync(1, `${native.callInt(loadSync(path).symbol('far_page'))}\n`);
      return mapsOf(path).filter((line) => line.includes('r-xs')).length;
    }, path);
  const children = [act(path), act(path)];
  const outputs = await Promise.all(
    children.map(async (child) => {
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      child.stdin.end();
      await once(child, 'close');
      return text.trim().split('\n').filter(Boolean);
    }),
  );
  assert.equal(outputs, [
    ['42', '1'],
    ['42', '1'],
  ]);
});

atOnce.run();
