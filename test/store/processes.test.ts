// Several processes on one region: killed at any point, waiting for each other, running from what is replaced.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../loader/native.ts';
import * as nvm from '../../loader/nvm.ts';
import { readCatalog } from '../../loader/store/catalog.ts';
import { createRegion } from '../../loader/store/create.ts';
import { locate } from '../../loader/store/locate.ts';
import { rangesInUse } from '../../loader/store/mapped.ts';
import { placeInRegion, removeEntry } from '../../loader/store/place.ts';
import { lockForWriting, Store } from '../../loader/store/region.ts';
import { listRegion, verifyRegion } from '../../loader/store/verify.ts';
import { minimalLibrary } from '../build/elf.ts';
import { inChild, run, startChild } from '../loader/child.ts';
import type { Stage } from '../loader/stage.ts';
import { fresh, MIB, refused, region, stored } from './regions.ts';

const page = native.pageSize;
const all = { start: 2 * MIB, end: 1024 * MIB };

/** The first line that a child writes. */
function line(child: ChildProcess): Promise<string> {
  let text = '';
  // More than one may arrive at once.
  const first = () => text.trim().split('\n', 1)[0] as string;
  return new Promise((resolve) => {
    child.stdout?.on('data', (chunk) => {
      text += chunk;
      if (/\S.*\n/.test(text)) resolve(first());
    });
    child.on('exit', () => resolve(first()));
  });
}

async function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  if (child.exitCode !== null || child.signalCode !== null) return [child.exitCode, child.signalCode];
  return (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
}

const killed = suite('killed');

/** Ends by SIGKILL before the step of this number that reaches the medium; without one, returns how many there were. */
const dieAt = ({ native, process, store }: Stage, step: number, path: string, file: string, size: number) => {
  let steps = 0;
  const count = () => {
    if (++steps === step) process.kill(process.pid, 'SIGKILL');
  };
  const { storeRegion, syncRegion, allocateRange } = native;
  native.storeRegion = (...args) => {
    count();
    storeRegion(...args);
  };
  native.syncRegion = (...args) => {
    count();
    return syncRegion(...args);
  };
  native.allocateRange = (...args) => {
    count();
    allocateRange(...args);
  };
  if (size > 0) store.createRegion(path, { size });
  else
    store.placeInRegion(
      [
        { path: file, name: 'a' },
        { path: file, name: 'b' },
      ],
      path,
    );
  return steps;
};

killed('while files are placed: the old catalog, and all space is there again', () => {
  const path = region();
  placeInRegion([{ path: stored('old'), name: 'a' }], path);
  const file = stored(Buffer.alloc(page + 1, 1));
  const before = listRegion(path);
  const original = fresh();
  copyFileSync(path, original);
  const steps = inChild(dieAt, 0, path, file, 0);
  assert.is(steps, 14);
  const outcomes: string[] = [];
  for (let step = 1; step <= steps; step++) {
    copyFileSync(original, path);
    assert.is(run(dieAt, step, path, file, 0).signal, 'SIGKILL');
    const now = listRegion(path);
    outcomes.push(now.entries.map(({ name }) => name).join(''));
    assert.ok(verifyRegion(path).every(({ intact }) => intact));
    if (now.generation === before.generation) assert.equal(now, before);
    placeInRegion([{ path: file, name: 'c' }], path);
  }
  // Only behind the last store there is the new one: what the kill came before was to make it durable.
  assert.equal(outcomes, [...Array(steps - 1).fill('a'), 'ab']);
});

killed('while a region is made: it can be made then, without asking', () => {
  const size = 4 * MIB;
  const steps = inChild(dieAt, 0, fresh(), '', size);
  for (let step = 1; step <= steps; step++) {
    const path = fresh();
    assert.is(run(dieAt, step, path, '', size).signal, 'SIGKILL');
    if (step < steps) refused(() => listRegion(path), 'ERR_REGION', /want a region/);
    createRegion(path, { size, keep: true });
    assert.is(listRegion(path).entries.length, 0);
    rmSync(path);
  }
});

killed.run();

const together = suite('together');

/** Places `count` entries, each of its own bytes, one commit each. */
const placer = ({ fs, process, store }: Stage, path: string, own: string, count: number) => {
  for (let i = 0; i < count; i++) {
    const file = `${path}.${own}`;
    fs.writeFileSync(file, Buffer.alloc(1000 + i, own));
    store.placeInRegion(
      [
        { path: file, name: `${own}${i}` },
        { path: file, name: `${own}-last` },
      ],
      path,
    );
    fs.rmSync(file);
  }
  return process.pid;
};

together('placers take turns, and readers see whole catalogs', async () => {
  const path = region(64 * MIB);
  const count = 30;
  const children = ['x', 'y', 'z'].map((own) => startChild(placer, path, own, count));
  const ends = Promise.all(children.map(ended));
  let reads = 0;
  let last = 0;
  for (let done = false; !done; reads++) {
    const { generation, entries } = listRegion(path);
    assert.ok(generation >= last, 'never an older one');
    last = generation;
    const pairs = entries.filter(({ name }) => name.endsWith('-last')).length;
    assert.ok(pairs <= 3);
    done = await Promise.race([ends.then(() => true), pause(1).then(() => false)]);
  }
  assert.equal(await ends, Array(3).fill([0, null]));
  assert.ok(reads > 5, `${reads} reads`);
  const { entries, generation } = listRegion(path);
  assert.is(entries.length, 3 * count + 3);
  assert.is(generation, 1 + 3 * count);
  assert.ok(verifyRegion(path).every(({ intact }) => intact));
});

together('making the same region at once makes one', async () => {
  const path = fresh();
  const act = ({ store }: Stage, region: string) => store.createRegion(region, { size: 1 << 23, keep: true });
  const children = [1, 2, 3].map(() => startChild(act, path));
  const answers = await Promise.all(children.map(line));
  assert.equal(answers.sort(), ['false', 'false', 'true']);
  assert.is(listRegion(path).generation, 1);
});

together('who waits can be interrupted, and says that it waits', async () => {
  const path = region();
  using store = new Store(path, { write: true });
  lockForWriting(store.region);
  const act = ({ store, process }: Stage, region: string, file: string) =>
    store.placeInRegion([{ path: file, name: 'a' }], region, {
      onWait: () => process.stdout.write('waits\n'),
    });
  const child = startChild(act, path, stored('1'));
  assert.is(await line(child), 'waits');
  child.kill('SIGINT');
  assert.equal(await ended(child), [null, 'SIGINT']);
});

/** A placer that waits for the lock while something happens to the region; what its child says in the end. */
async function placedAfter(happens: (path: string) => void): Promise<{ path: string; said: string }> {
  const path = region();
  const child = await (async () => {
    using store = new Store(path, { write: true });
    lockForWriting(store.region);
    const act = ({ store: stage, thrown, process }: Stage, target: string, file: string) => {
      const onWait = () => process.stdout.write('waits\n');
      const error = thrown(() => stage.placeInRegion([{ path: file, name: 'a' }], target, { onWait }));
      process.stdout.write(`${error?.code ?? 'placed'}\n`);
    };
    const waiting = startChild(act, path, stored('1'));
    assert.is(await line(waiting), 'waits');
    happens(path);
    return waiting;
  })();
  const said = await line(child);
  await ended(child);
  return { path, said };
}

together('a region replaced while its lock was waited for: the new one is meant', async () => {
  const { path, said } = await placedAfter((old) => renameSync(region(), old));
  assert.is(said, 'placed');
  assert.equal(
    listRegion(path).entries.map(({ name }) => name),
    ['a'],
  );
});

together('a region removed, or cut off, while its lock was waited for', async () => {
  assert.is((await placedAfter((path) => rmSync(path))).said, 'ENOENT');
  assert.is((await placedAfter((path) => truncateSync(path, 3 * MIB))).said, 'ERR_TRUNCATED');
});

together('the lock ends with the process that has it', async () => {
  const path = region();
  const act = ({ store, nvm, process }: Stage, region: string) => {
    const opened = new store.Store(region, { write: true });
    store.lockForWriting(opened.region);
    process.stdout.write('has it\n');
    return new Promise(() => setInterval(() => nvm, 1000));
  };
  const child = startChild(act, path);
  await line(child);
  let waited = false;
  child.kill('SIGKILL');
  await ended(child);
  placeInRegion([{ path: stored('1'), name: 'a' }], path, {
    onWait: () => {
      waited = true;
    },
  });
  assert.is(waited, false);
});

together.run();

const inUse = suite('in use');

const library = stored(minimalLibrary().bytes());
const pages = Math.ceil(minimalLibrary().bytes().length / page);

/** Room for two libraries: the second replaces the first, and the third would have to overwrite it. */
function replacedOnce(): { path: string; put: () => unknown } {
  const path = region(2 * MIB + 2 * pages * page);
  const put = () => placeInRegion([{ path: library, name: 'lib' }], path);
  put();
  return { path, put };
}

const loadAndWait = ({ loadSync, process }: Stage, name: string) => {
  const loaded = loadSync(name);
  process.stdout.write(`${loaded.func('int answer(void)')()}\n`);
  return new Promise<number>((resolve) =>
    process.stdin.once('data', () => {
      const answer = loaded.func('int answer_by_pointer(void)')() as number;
      loaded.close();
      resolve(answer);
    }),
  );
};

inUse('space that a process runs from is not used again while it does', async () => {
  const { path, put } = replacedOnce();
  const child = startChild(loadAndWait, `region:${path}/lib`);
  assert.is(await line(child), '42');
  const old = listRegion(path).entries[0]?.offset as number;
  put();
  refused(
    put,
    'ERR_FULL',
    new RegExp(`${pages * page} bytes more are free once what runs from them has ended`),
  );
  removeEntry(path, 'lib');
  put(); // over the second, which nobody has mapped
  assert.is.not(listRegion(path).entries[0]?.offset, old);
  refused(put, 'ERR_FULL', /bytes more are free once/);
  child.stdin?.end('go on\n');
  assert.equal(await ended(child), [0, null]);
  put();
  assert.is(listRegion(path).entries[0]?.offset, old);
});

inUse('nor what is being located, before it is mapped', () => {
  const { path, put } = replacedOnce();
  {
    using located = locate(`region:${path}/lib`);
    assert.is(located.start, 2 * MIB);
    put();
    refused(put, 'ERR_FULL', /bytes more are free once/);
  }
  put();
});

inUse('nor what somebody has mapped without a word, as /proc/PID/maps has it', () => {
  const { path, put } = replacedOnce();
  const other = nvm.open(path);
  const address = nvm.map(other, 2 * MIB, page, nvm.PROT_READ);
  other.close();
  put();
  refused(put, 'ERR_FULL', /4096 bytes more are free once/);
  nvm.unmap(address);
  put();
});

inUse('a mapping keeps the lock when its descriptor is closed; copies keep none', () => {
  const { path } = replacedOnce();
  const answer = inChild(
    (
      { loadSync, nvm, store }: Stage,
      region: string,
      name: string,
      within: { start: number; end: number },
    ) => {
      const opened = nvm.open(region, { write: true });
      const ranges = () => store.lockedRanges(opened, within).map(({ start }) => start);
      const loaded = loadSync(name);
      const mapped = ranges();
      loaded.close();
      const closed = ranges();
      const copy = loadSync(name, { place: 'copy' });
      const copied = ranges();
      copy.close();
      opened.close();
      return { mapped, closed, copied };
    },
    path,
    `region:${path}/lib`,
    all,
  );
  assert.equal(answer, { mapped: [2 * MIB], closed: [], copied: [] });
});

inUse('an entry that moves while it is located', () => {
  const { path, put } = replacedOnce();
  const { lockRange } = native;
  let moved = false;
  native.lockRange = (...args) => {
    const held = lockRange(...args);
    if (!moved) {
      moved = true;
      native.lockRange = lockRange;
      put();
    }
    return held;
  };
  try {
    using located = locate(`region:${path}/lib`);
    assert.is(located.start, 2 * MIB + pages * page);
    using store = new Store(path);
    assert.is(readCatalog(store).entries[0]?.offset, located.start);
  } finally {
    native.lockRange = lockRange;
  }
});

inUse('many at once are all found', () => {
  const path = region(8 * MIB);
  const names = Array.from({ length: 20 }, (_, i) => `${i}`);
  placeInRegion(
    names.map((name) => ({ path: library, name })),
    path,
  );
  const held = names.filter((_, i) => i % 3 === 0).map((name) => locate(`region:${path}/${name}`));
  using other = nvm.open(path, { write: true });
  const found = rangesInUse(other, all).ranges.map(({ start }) => start);
  for (const { start } of held) assert.ok(found.includes(start));
  assert.is(found.length, held.length);
  for (const located of held) located[Symbol.dispose]();
  assert.equal(rangesInUse(other, all).ranges, []);
});

inUse.run();
