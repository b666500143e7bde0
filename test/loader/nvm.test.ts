// The NVM interface by its table: each call, each error, on a RAM file system and through the page cache.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LoadError } from '../../loader/error.ts';
import { native, prebuilt } from '../../loader/native.ts';
import * as nvm from '../../loader/nvm.ts';
import { compileC, temporaryDirectory } from '../build/compile.ts';
import { minimalLibrary } from '../build/elf.ts';
import { inChild, run } from './child.ts';

const { PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE } = nvm;
const page = native.pageSize;
const ramDirectory = mkdtempSync('/dev/shm/insitu-test-');
process.on('exit', () => rmSync(ramDirectory, { recursive: true, force: true }));
const places = { ram: ramDirectory, 'page-cache': temporaryDirectory() };
type Place = keyof typeof places;

let count = 0;

/** A file of whole pages, each filled with its number plus one. */
function stored(place: Place = 'ram', pages = 4): string {
  const path = join(places[place], `region-${count++}`);
  writeFileSync(path, Buffer.concat(Array.from({ length: pages }, (_, i) => Buffer.alloc(page, i + 1))));
  return path;
}

/** The LoadError of an action, which must have this code and say so in one line. */
function refused(action: () => unknown, code: string, message?: RegExp): LoadError {
  let error: unknown;
  try {
    action();
  } catch (thrown) {
    error = thrown;
  }
  assert.instance(error, LoadError, `want ${code}`);
  const { message: text } = error as LoadError;
  assert.is((error as LoadError).code, code, text);
  assert.not.match(text, /\n/);
  if (message) assert.match(text, message);
  return error as LoadError;
}

for (const place of Object.keys(places) as Place[]) {
  const test = suite(`nvm on ${place}`);

  test('open senses where a region is stored', () => {
    using region = nvm.open(stored(place));
    assert.is(region.backing.medium, place);
    assert.is(region.backing.size, 4 * page);
    assert.is(region.backing.volatile, place === 'ram');
    assert.is(region.writable, false);
  });

  test('promise tells what a sync survives, and why', () => {
    using region = nvm.open(stored(place));
    const { survives, reason } = nvm.promise(region);
    if (place === 'ram') assert.equal([survives, reason], ['nothing', 'tmpfs is RAM: volatile']);
    else assert.match(`${survives} ${reason}`, /^(power-cut msync\(2\): as far|unknown msync\(2\), and)/);
  });

  test('map gives the stored bytes, from any page on', () => {
    using region = nvm.open(stored(place));
    const address = nvm.map(region, 2 * page, 2 * page, PROT_READ);
    assert.is(address % BigInt(page), 0n);
    const bytes = nvm.load(address + BigInt(page) - 2n, 4);
    assert.equal([...bytes], [3, 3, 4, 4]);
    nvm.unmap(address);
  });

  test('store and sync: seen by read, by another mapping, by the file and by another process', () => {
    const path = stored(place);
    using region = nvm.open(path, { write: true });
    const address = nvm.map(region, page, page, PROT_READ | PROT_WRITE);
    const other = nvm.map(region, 0, 2 * page, PROT_READ);
    nvm.store(address + 5n, Buffer.from('stored'));
    assert.is(nvm.sync(region, address, page), 0);
    const to = Buffer.alloc(6);
    assert.is(nvm.read(region, to, page + 5), 6);
    assert.is(to.toString(), 'stored');
    assert.is(nvm.load(other + BigInt(page) + 5n, 6).toString(), 'stored');
    assert.is(readFileSync(path).toString('latin1', page + 5, page + 11), 'stored');
    const seen = execFileSync('dd', [`if=${path}`, 'bs=1', `skip=${page + 5}`, 'count=6', 'status=none']);
    assert.is(seen.toString(), 'stored');
    nvm.unmap(address);
    nvm.unmap(other);
  });

  test('write is seen through a mapping, and read at the end is short', () => {
    using region = nvm.open(stored(place), { write: true });
    const address = nvm.map(region, 0, page, PROT_READ);
    assert.is(nvm.write(region, Buffer.from('written'), 100), 7);
    assert.is(nvm.load(address + 100n, 7).toString(), 'written');
    assert.is(nvm.read(region, Buffer.alloc(10), 4 * page - 3), 3);
    assert.is(nvm.read(region, Buffer.alloc(10), 4 * page), 0);
    assert.is(nvm.write(region, Buffer.from('end'), 4 * page), 3);
    assert.is(nvm.read(region, Buffer.alloc(10), 4 * page), 3);
    nvm.unmap(address);
  });

  test('truncate resizes, and what is added is zero', () => {
    const path = stored(place);
    using region = nvm.open(path, { write: true });
    nvm.truncate(region, 10);
    assert.is(readFileSync(path).length, 10);
    nvm.truncate(region, page);
    const address = nvm.map(region, 0, page, PROT_READ);
    assert.equal([...nvm.load(address + 8n, 4)], [1, 1, 0, 0]);
    nvm.unmap(address);
  });

  test('create makes a file that is its owner’s alone', () => {
    const path = join(places[place], `made-${count++}`);
    using region = nvm.open(path, { create: true });
    assert.is(region.writable, true);
    assert.is(region.backing.mode & 0o777, 0o600);
    assert.is(region.backing.size, 0);
    nvm.truncate(region, page);
    const address = nvm.map(region, 0, page, PROT_READ | PROT_WRITE);
    nvm.store(address, Buffer.from([7]));
    assert.is(nvm.sync(region, address, 1), 0);
    assert.is(readFileSync(path)[0], 7);
    nvm.unmap(address);
  });

  test('a mapping outlives its region', () => {
    const region = nvm.open(stored(place));
    const address = nvm.map(region, 0, page, PROT_READ);
    region.close();
    assert.is(nvm.load(address, 1)[0], 1);
    nvm.unmap(address);
  });

  test('protect a part: the parts are what they were made, and joined again', () => {
    using region = nvm.open(stored(place), { write: true });
    const address = nvm.map(region, 0, 4 * page, PROT_READ | PROT_WRITE);
    const at = (n: number) => address + BigInt(n * page);
    nvm.protect(at(1), page, PROT_NONE);
    nvm.protect(at(2), page, PROT_READ);
    nvm.store(at(0), Buffer.from('x'));
    refused(() => nvm.load(at(1), 1), 'EACCES', /not readable/);
    refused(() => nvm.store(at(1), Buffer.from('x')), 'EACCES', /not writable/);
    refused(() => nvm.store(at(2), Buffer.from('x')), 'EACCES', /not writable/);
    refused(() => nvm.load(at(0), 4 * page), 'EACCES');
    refused(() => nvm.store(at(3) - 1n, Buffer.from('xx')), 'EACCES');
    assert.is(nvm.load(at(2), 1)[0], 3);
    nvm.store(at(3), Buffer.from('y'));
    nvm.protect(address, 4 * page, PROT_READ | PROT_WRITE);
    nvm.store(at(0), Buffer.alloc(4 * page, 9));
    assert.is(nvm.load(at(1), 1)[0], 9);
    nvm.unmap(address);
  });

  test('protect: executable and back, never with write', () => {
    using region = nvm.open(stored(place), { write: true });
    const address = nvm.map(region, 0, 2 * page, PROT_READ | PROT_WRITE);
    const protection = () => {
      const start = address.toString(16).padStart(12, '0');
      const line = readFileSync('/proc/self/maps', 'utf8')
        .split('\n')
        .find((text) => text.startsWith(start));
      return line?.split(' ')[1];
    };
    assert.is(protection(), 'rw-s');
    nvm.protect(address, 2 * page, PROT_READ | PROT_EXEC);
    assert.is(protection(), 'r-xs');
    refused(
      () => nvm.protect(address, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC),
      'EACCES',
      /one or the other/,
    );
    refused(() => nvm.protect(address, page, PROT_WRITE | PROT_EXEC), 'EACCES');
    assert.is(protection(), 'r-xs');
    nvm.protect(address, 2 * page, PROT_READ | PROT_WRITE);
    assert.is(protection(), 'rw-s');
    nvm.unmap(address);
  });

  test('EIO after truncation underneath, in load, store and sync; other mappings go on', () => {
    const path = stored(place);
    using region = nvm.open(path, { write: true });
    using sound = nvm.open(stored(place));
    const address = nvm.map(region, 0, 4 * page, PROT_READ | PROT_WRITE);
    const other = nvm.map(sound, 0, page, PROT_READ);
    truncateSync(path, page);
    assert.is(nvm.load(address, 1)[0], 1);
    refused(() => nvm.load(address + BigInt(2 * page), 1), 'EIO', /lost this page/);
    refused(() => nvm.store(address + BigInt(3 * page), Buffer.from('x')), 'EIO');
    assert.is(nvm.sync(region, address, 4 * page), -5);
    assert.is(readFileSync(path).length, page);
    assert.is(nvm.load(other, 1)[0], 1);
    nvm.unmap(address);
    nvm.unmap(other);
  });

  test('EIO beyond the end of a region that is mapped longer than it is', () => {
    using region = nvm.open(stored(place, 1), { write: true });
    const address = nvm.map(region, 0, 3 * page, PROT_READ | PROT_WRITE);
    refused(() => nvm.load(address + BigInt(page), 1), 'EIO');
    nvm.unmap(address);
    const again = nvm.map(region, 0, 3 * page, PROT_READ);
    nvm.truncate(region, 3 * page);
    assert.is(nvm.load(again + BigInt(2 * page), 1)[0], 0);
    nvm.unmap(again);
  });

  test.run();
}

const errors = suite('nvm: errors');

errors('open: as open(2)', () => {
  refused(() => nvm.open(''), 'ENOENT');
  refused(() => nvm.open(join(ramDirectory, 'nowhere')), 'ENOENT', /nowhere.*open/);
  refused(() => nvm.open(join(stored(), 'below')), 'ENOTDIR');
  refused(() => nvm.open(ramDirectory, { write: true }), 'EISDIR');
  refused(() => nvm.open(join(ramDirectory, 'no', 'where'), { create: true }), 'ENOENT');
  const { errno, syscall, path } = refused(() => nvm.open('/nowhere'), 'ENOENT');
  assert.equal([errno, syscall, path], [-2, 'open', '/nowhere']);
});

errors('open: what can’t be mapped', () => {
  const before = descriptors();
  refused(() => nvm.open(ramDirectory), 'ERR_NOT_MAPPABLE', /directory/);
  refused(() => nvm.open('/dev/null'), 'ERR_NOT_MAPPABLE', /character device/);
  const fifo = join(ramDirectory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  refused(() => nvm.open(fifo), 'ERR_NOT_MAPPABLE', /FIFO/);
  refused(() => nvm.open(fifo, { write: true }), 'ERR_NOT_MAPPABLE', /FIFO/);
  assert.is(descriptors(), before);
});

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

errors('a name with a NUL in it is no name', () => {
  const path = stored();
  assert.throws(
    () => nvm.open(`${path}\0x`),
    (error: unknown) => error instanceof TypeError,
  );
});

errors('map: EINVAL for start and length', () => {
  using region = nvm.open(stored());
  for (const [start, length] of [
    [1, page],
    [page / 2, page],
    [0, 1],
    [0, page + 1],
    [page, page - 1],
    [0, 0],
  ] as const)
    refused(() => nvm.map(region, start, length, PROT_READ), 'EINVAL', /multiples.*mmap/);
  refused(() => nvm.map(region, 0, page, 8), 'EINVAL', /unknown bits/);
  refused(() => nvm.map(region, 0, page, -1), 'EINVAL');
  for (const wrong of [-page, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])
    refused(() => nvm.map(region, 0, wrong, PROT_READ), 'EINVAL', /whole number of bytes/);
});

errors('map: a length that no address space has', () => {
  using region = nvm.open(stored());
  refused(() => nvm.map(region, 0, 2 ** 52, PROT_READ), 'ENOMEM');
  refused(() => nvm.map(region, 2 ** 53 - page, page, PROT_READ | PROT_WRITE), 'EACCES');
});

errors('map: EACCES for writable and executable', () => {
  using region = nvm.open(stored(), { write: true });
  refused(() => nvm.map(region, 0, page, PROT_WRITE | PROT_EXEC), 'EACCES', /writable and executable/);
  refused(() => nvm.map(region, 0, page, PROT_READ | PROT_WRITE | PROT_EXEC), 'EACCES');
});

errors('map and protect: EACCES to write to a region that was opened for reading', () => {
  for (const place of Object.keys(places) as Place[]) {
    using region = nvm.open(stored(place));
    refused(() => nvm.map(region, 0, page, PROT_READ | PROT_WRITE), 'EACCES', /mmap/);
    const address = nvm.map(region, 0, page, PROT_READ);
    refused(() => nvm.protect(address, page, PROT_READ | PROT_WRITE), 'EACCES', /mprotect/);
    refused(() => nvm.store(address, Buffer.from('x')), 'EACCES');
    nvm.unmap(address);
  }
});

errors('map: ENODEV for what has no pages to map', () => {
  for (const path of ['/proc/self/maps', '/sys/kernel/mm/transparent_hugepage/enabled']) {
    using region = nvm.open(path);
    refused(() => nvm.map(region, 0, page, PROT_READ), 'ENODEV', /mmap/);
  }
});

errors('unmap: EINVAL for a foreign address, an inner one, and twice', () => {
  using region = nvm.open(stored());
  const address = nvm.map(region, 0, 2 * page, PROT_READ);
  for (const foreign of [0n, 1n, address + 1n, address + BigInt(page), address - BigInt(page), 2n ** 63n])
    refused(() => nvm.unmap(foreign), 'EINVAL', /not one that map gave/);
  assert.is(nvm.load(address, 1)[0], 1);
  nvm.unmap(address);
  refused(() => nvm.unmap(address), 'EINVAL');
  refused(() => nvm.load(address, 1), 'EFAULT');
  for (const wrong of [2n ** 64n, -1n, 5, '0x1000', undefined, null, {}])
    assert.throws(
      () => nvm.unmap(wrong as bigint),
      (error: unknown) => error instanceof TypeError,
    );
});

errors('protect: EINVAL unaligned, empty, over the end, foreign, after unmap', () => {
  using region = nvm.open(stored());
  const address = nvm.map(region, 0, 2 * page, PROT_READ);
  const whole = BigInt(page);
  for (const [at, length] of [
    [address + 1n, page],
    [address, page - 1],
    [address, 0],
    [address, 3 * page],
    [address + whole, 2 * page],
    [address + 2n * whole, page],
    [address - whole, page],
    [0n, page],
  ] as const)
    refused(() => nvm.protect(at, length, PROT_NONE), 'EINVAL', /mprotect/);
  refused(() => nvm.protect(address, page, 16), 'EINVAL');
  assert.is(nvm.load(address, 1)[0], 1);
  nvm.unmap(address);
  refused(() => nvm.protect(address, page, PROT_READ), 'EINVAL');
});

errors('a mapping that lies against another one is still two', () => {
  using region = nvm.open(stored());
  const first = nvm.map(region, 0, page, PROT_READ);
  const second = nvm.map(region, 0, page, PROT_READ);
  const [lower] = [first, second].sort() as [bigint, bigint];
  refused(() => nvm.load(lower, page + 1), 'EFAULT');
  refused(() => nvm.protect(lower, 2 * page, PROT_NONE), 'EINVAL');
  nvm.unmap(first);
  nvm.unmap(second);
});

errors('sync: -EINVAL for a mapping of another region', () => {
  using region = nvm.open(stored(), { write: true });
  using other = nvm.open(stored(), { write: true });
  const address = nvm.map(region, 0, page, PROT_READ | PROT_WRITE);
  assert.is(nvm.sync(other, address, page), -22);
  assert.is(nvm.sync(region, address, page), 0);
  nvm.unmap(address);
});

errors('load and store: EFAULT outside of mappings', () => {
  using region = nvm.open(stored(), { write: true });
  const address = nvm.map(region, 0, page, PROT_READ | PROT_WRITE);
  refused(() => nvm.load(0n, 1), 'EFAULT');
  refused(() => nvm.load(address + BigInt(page) - 1n, 2), 'EFAULT');
  refused(() => nvm.load(address - 1n, 2), 'EFAULT');
  refused(() => nvm.load(2n ** 64n - 1n, 1), 'EFAULT');
  refused(() => nvm.store(address + BigInt(page), Buffer.from('x')), 'EFAULT');
  refused(() => nvm.store(2n ** 64n - 1n, Buffer.from('xx')), 'EFAULT');
  assert.is(nvm.load(address + BigInt(page), 0).length, 0);
  nvm.unmap(address);
});

errors('sync: 0 or -EINVAL', () => {
  using region = nvm.open(stored(), { write: true });
  const address = nvm.map(region, 0, 2 * page, PROT_READ | PROT_WRITE);
  for (const [at, length] of [
    [address, 2 * page],
    [address + 3n, 5],
    [address, 0],
  ] as const)
    assert.is(nvm.sync(region, at, length), 0);
  for (const [at, length] of [
    [address, 2 * page + 1],
    [address - 1n, 1],
    [0n, 1],
    [2n ** 64n - 1n, 2],
  ] as const)
    assert.is(nvm.sync(region, at, length), -22);
  nvm.unmap(address);
  assert.is(nvm.sync(region, address, page), -22);
});

errors('truncate: what the system call refuses says which file', () => {
  const path = stored();
  using region = nvm.open(path);
  const error = refused(() => nvm.truncate(region, 10), 'EINVAL', /ftruncate/);
  assert.is(error.path, path);
});

errors('read, write, truncate: positions and lengths that the system calls refuse', () => {
  const path = stored();
  using region = nvm.open(path, { write: true });
  for (const wrong of [-1, -page, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    refused(() => nvm.read(region, Buffer.alloc(1), wrong), 'EINVAL', /pread/);
    refused(() => nvm.write(region, Buffer.alloc(1), wrong), 'EINVAL', /pwrite/);
    refused(() => nvm.truncate(region, wrong), 'EINVAL', /ftruncate/);
  }
  for (const call of [nvm.read, nvm.write])
    assert.throws(
      () => call(region, Buffer.alloc(1), undefined as unknown as number),
      (error: unknown) => error instanceof TypeError,
    );
  assert.throws(
    () => nvm.truncate(region, undefined as unknown as number),
    (error: unknown) => error instanceof TypeError,
  );
  assert.is(readFileSync(path).length, 4 * page);
  assert.is(readFileSync(path)[0], 1);
});

errors('write and truncate on a region that was opened for reading', () => {
  using region = nvm.open(stored());
  const codeOf = (action: () => unknown) => {
    try {
      action();
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
    return undefined;
  };
  assert.is(
    codeOf(() => nvm.write(region, Buffer.from('x'), 0)),
    'EBADF',
  );
  assert.is(
    codeOf(() => nvm.truncate(region, 0)),
    'EINVAL',
  );
});

errors('what is no region', () => {
  const address = 0n;
  for (const wrong of [
    undefined,
    null,
    5,
    'x',
    {},
    { fd: 0, path: 'x', backing: { medium: 'ram', granule: page } },
  ]) {
    const region = wrong as unknown as nvm.Region;
    for (const action of [
      () => nvm.map(region, 0, page, PROT_READ),
      () => nvm.sync(region, address, page),
      () => nvm.read(region, Buffer.alloc(1), 0),
      () => nvm.write(region, Buffer.alloc(1), 0),
      () => nvm.truncate(region, 0),
    ])
      assert.throws(action, (error: unknown) => error instanceof TypeError);
  }
});

errors.run();

const lifetime = suite('nvm: lifetime');

lifetime('use after close is ERR_CLOSED, close is idempotent', () => {
  const path = stored();
  const region = nvm.open(path, { write: true });
  const address = nvm.map(region, 0, page, PROT_READ);
  region.close();
  region.close();
  for (const action of [
    () => region.fd,
    () => nvm.map(region, 0, page, PROT_READ),
    () => nvm.sync(region, address, page),
    () => nvm.read(region, Buffer.alloc(1), 0),
    () => nvm.write(region, Buffer.alloc(1), 0),
    () => nvm.truncate(region, 0),
  ])
    assert.is(refused(action, 'ERR_CLOSED', /want it open/).path, path);
  nvm.unmap(address);
});

lifetime('Symbol.dispose closes', () => {
  const region = nvm.open(stored());
  {
    using same = region;
    assert.ok(same.fd >= 0);
  }
  refused(() => region.fd, 'ERR_CLOSED');
});

lifetime('a closed descriptor’s number is not closed again when its region is collected', () => {
  const [still, closed] = inChild(async ({ nvm, fs, openDescriptors }, path) => {
    const collect = async () => {
      for (let i = 0; i < 5; i++) {
        (globalThis as unknown as { gc(): void }).gc();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    let number = -1;
    (() => {
      const region = nvm.open(path);
      number = region.fd;
      region.close();
    })();
    const reused = fs.openSync(path, 'r');
    await collect();
    const still = reused === number && fs.fstatSync(reused).size > 0;
    const before = openDescriptors();
    (() => {
      for (let i = 0; i < 50; i++) nvm.open(path);
    })();
    await collect();
    return [still, openDescriptors() - before];
  }, stored());
  assert.is(still, true);
  assert.is(closed, 0, 'regions that are forgotten are closed');
});

lifetime('mapped in one thread, loaded, stored and unmapped in another', async () => {
  const path = stored();
  using region = nvm.open(path, { write: true });
  const address = nvm.map(region, 0, page, PROT_READ | PROT_WRITE);
  const code = `
    const { workerData: { addon, address, fd }, parentPort } = require('node:worker_threads');
    const native = require(addon);
    const to = Buffer.alloc(2);
    native.loadRegion(address, to);
    native.storeRegion(address + 2n, Buffer.from('worker'));
    const synced = native.syncRegion(address, 8, fd);
    native.unmapRegion(address);
    parentPort.postMessage({ to: [...to], synced });`;
  const worker = new Worker(code, {
    eval: true,
    execArgv: [],
    workerData: { addon: prebuilt('insitu.node'), address, fd: region.fd },
  });
  const answer = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  assert.equal(answer, { to: [1, 1], synced: 0 });
  assert.is(readFileSync(path).toString('latin1', 2, 8), 'worker');
  refused(() => nvm.load(address, 1), 'EFAULT');
});

lifetime('two threads protect, load and store the same mapping', async () => {
  using region = nvm.open(stored(), { write: true });
  const address = nvm.map(region, 0, 4 * page, PROT_READ | PROT_WRITE);
  const code = `
    const { workerData: { addon, address, page }, parentPort } = require('node:worker_threads');
    const native = require(addon);
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      try {
        if (i % 3 === 0) native.protectRegion(address + BigInt(page * (i % 4)), page, i % 2 ? 1 : 3);
        else if (i % 3 === 1) native.storeRegion(address, Buffer.alloc(4 * page, i));
        else native.loadRegion(address, Buffer.alloc(4 * page));
      } catch (error) { if (error.code !== 'EACCES') throw error; refused++; }
    }
    parentPort.postMessage(refused);`;
  const workerData = { addon: prebuilt('insitu.node'), address, page };
  const run = () =>
    new Promise<number>((resolve, reject) => {
      const worker = new Worker(code, { eval: true, execArgv: [], workerData });
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  const refusals = await Promise.all([run(), run()]);
  assert.ok(refusals.every((n) => n >= 0));
  nvm.unmap(address);
});

lifetime.run();

const buffers = suite('nvm: what JavaScript gets');

buffers('can be written to, whatever the mapping allows, and is a copy', () => {
  const path = stored();
  using region = nvm.open(path);
  const address = nvm.map(region, 0, page, PROT_READ);
  const bytes = nvm.load(address, page);
  bytes.fill(0);
  assert.is(nvm.load(address, 1)[0], 1);
  nvm.unmap(address);
  assert.is(bytes[0], 0);
  assert.is(readFileSync(path)[0], 1);
});

buffers(
  'a view of a whole file can be written to without an effect on it, and lost pages read as zeros',
  () => {
    const path = stored('ram', 3);
    const result = inChild(
      ({ native, fs }, path, page) => {
        const fd = fs.openSync(path, 'r');
        const view = native.view(fd, 0, 3 * page, path);
        fs.closeSync(fd);
        view.fill(0xee, 0, page);
        const first = fs.readFileSync(path)[0];
        fs.truncateSync(path, page);
        return [first, view[0], view[2 * page], view.length];
      },
      path,
      page,
    );
    assert.equal(result, [1, 0xee, 0, 3 * page]);
  },
);

buffers.run();

const junk = suite('native: arguments');

/** An addon whose only export is an external that is not one of insitu's. */
function foreignAddon(): string {
  const source = `
    #include <node_api.h>
    static int mine[64];
    NAPI_MODULE_INIT() {
      napi_value external;
      napi_create_external(env, mine, NULL, NULL, &external);
      return external;
    }`;
  const include = new URL('../../node_modules/node-api-headers/include', import.meta.url).pathname;
  return compileC(source, { name: 'foreign.node', kind: 'shared', flags: [`-I${include}`] });
}

junk('every function that takes something refuses anything else with a TypeError', () => {
  const log = join(temporaryDirectory(), 'junk.log');
  const { status, signal, stderr } = run(
    ({ native, process, fs, slots }, foreign, log) => {
      const module = { exports: {} };
      process.dlopen(module, foreign);
      const external = module.exports;
      // -1 is no descriptor: to what takes one, numbers are for the kernel to judge.
      const things = [
        undefined,
        null,
        {},
        [],
        external,
        Symbol('x'),
        'x',
        -1,
        Number.NaN,
        1e300,
        true,
        () => 0,
      ];
      const out = fs.openSync(log, 'w');
      for (const [name, value] of Object.entries(native)) {
        // These take addresses that only runtime/wasm has and keeps good (loader/wasm.ts).
        if (name.startsWith('wasm')) continue;
        if (typeof value !== 'function' || name === 'writeBackInstruction' || name === 'dlopen') continue;
        const call = value as (...args: unknown[]) => unknown;
        for (const thing of things)
          for (const args of [
            [],
            [thing],
            Array(8).fill(thing),
            [thing, slots, slots],
            [thing, 'x', 'x'],
            ['x', thing],
          ]) {
            fs.writeSync(out, `# ${name}(${args.map((arg) => typeof arg).join()})\n`);
            try {
              call(...args);
              fs.writeSync(out, `= ${name} ${typeof args[0]}\n`);
            } catch (error) {
              const { code } = error as { code?: string };
              if (!(error instanceof TypeError) && code === undefined)
                fs.writeSync(out, `! ${name} ${String(error)}\n`);
            }
          }
      }
    },
    foreignAddon(),
    log,
  );
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  assert.equal([status, signal], [0, null], `${lines.at(-1)} ${stderr}`);
  const marked = (mark: string) => [...new Set(lines.filter((line) => line.startsWith(mark)))].sort();
  assert.equal(marked('!'), []);
  assert.equal(marked('='), ['= close number', '= fileCapabilities number']);
});

junk('a handle whose image is closed, or never was mapped', () => {
  const path = join(temporaryDirectory(), 'libhandle.so');
  writeFileSync(path, minimalLibrary().bytes());
  const results = inChild(({ native, slots, thrown, image, backing }, path) => {
    const file = new backing.OpenFile(path);
    const closed = native.load(path, 0);
    native.closeImage(closed);
    native.closeImage(closed);
    const read = image.read(file).handle;
    const codes = (handle: typeof read) =>
      [
        () => native.imageSymbol(handle, 'answer'),
        () => native.imageSymbols(handle),
        () => native.imageSymbolAt(handle, 0n),
        () => native.imageDetails(handle),
        () => native.setPendingAddon(handle),
        () => native.planUsed(handle, slots),
        () => native.imageCensus(handle, 0n),
        () => native.loadRecord(handle, slots),
        () => native.mapForInspection(handle),
        () => native.closeImage(handle),
      ].map((action) => thrown(action)?.code ?? null);
    return { closed: codes(closed), read: codes(read) };
  }, path);
  const shut = 'ERR_CLOSED';
  assert.equal(results.closed, [shut, shut, shut, shut, shut, shut, shut, shut, shut, null]);
  const early = 'ERR_STATE';
  assert.equal(results.read, [early, early, early, early, early, null, null, null, null, null]);
});

junk.run();
