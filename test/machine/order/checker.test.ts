// The checker: on traces made by hand, against brute force, and on recordings of insitu itself on the RAM file system.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { textOf } from '../checks.ts';
import { checkRecordings } from './check.ts';
import { checkTrace } from './check-trace.ts';
import { exploreAll, type Outcome, type Recovery } from './explore.ts';
import { type Granularity, Medium, type ModelOptions, type Unit } from './persistency.ts';
import { without } from './plants.ts';
import { buildRecorder } from './recorder.ts';
import { hostRecordings, record } from './recordings.ts';
import { encodeRecord, LOG_SIZE, payload } from './records.ts';
import { LogRecovery } from './recoveries.ts';
import type { Event } from './trace.ts';

const where = 'by hand';
const store = (at: number, bytes: Buffer | number[], kind: 'store' | 'nontemporal' | 'kernel' = 'store') =>
  ({ e: 'store', at, bytes: Buffer.from(bytes), kind, where }) as Event;
const writeBack = (at: number): Event => ({ e: 'write-back', at, by: 'clwb', where });
const fence: Event = { e: 'fence', by: 'sfence', where };
const locked: Event = { e: 'fence', by: 'locked', where };
const durable = (at: number, size: number): Event => ({ e: 'durable', at, size, by: 'msync', where });
const mark = (text: string): Event => ({ e: 'mark', text });

/** The first bytes of words 0, 1 … in each state that a cut at the end can leave, as '10' and so on. */
function states(
  events: Event[],
  granularity: Granularity,
  words: number[],
  options: ModelOptions = {},
): string[] {
  const medium = new Medium(Buffer.alloc(256), options);
  for (const event of events) medium.apply(event);
  const found: string[] = [];
  const go = (units: readonly Unit[], image: Buffer) => {
    const [unit, ...rest] = units;
    if (unit === undefined) found.push(words.map((at) => image[at]).join(''));
    else
      for (const value of unit.values) {
        const copy = Buffer.from(image);
        value.copy(copy, unit.at);
        go(rest, copy);
      }
  };
  go(medium.units(granularity), medium.image);
  return [...new Set(found)].sort();
}

const model = suite('order: persistency model');

model('stores to one line persist in order, to two lines in any', () => {
  const line = [store(0, [1]), store(8, [1])];
  assert.equal(states(line, 'lines', [0, 8]), ['00', '10', '11']);
  assert.equal(states(line, 'words', [0, 8]), ['00', '01', '10', '11']);
  assert.equal(states([store(0, [1]), store(64, [1])], 'lines', [0, 64]), ['00', '01', '10', '11']);
});

model('a write-back alone promises nothing, with a fence all that came before it in its line', () => {
  const begun = [store(0, [1]), writeBack(0)];
  assert.equal(states(begun, 'lines', [0]), ['0', '1']);
  assert.equal(states([...begun, fence], 'lines', [0]), ['1']);
  assert.equal(states([store(0, [1]), fence], 'lines', [0]), ['0', '1'], 'a fence alone');
  assert.equal(
    states([...begun, store(0, [2]), fence], 'lines', [0]),
    ['1', '2'],
    'a store behind the write-back',
  );
  assert.equal(states([store(0, [1]), writeBack(64), fence], 'lines', [0]), ['0', '1'], 'of another line');
  assert.equal(states([writeBack(0), store(0, [1]), fence], 'lines', [0]), ['0', '1'], 'before the store');
});

model('locked instructions count as fences only when asked', () => {
  const events = [store(0, [1]), writeBack(0), locked];
  assert.equal(states(events, 'lines', [0]), ['0', '1']);
  assert.equal(states(events, 'lines', [0], { lockedFences: true }), ['1']);
});

model('wide and misaligned stores can tear at words, aligned words cannot', () => {
  assert.equal(states([store(0, Array(16).fill(1))], 'words', [0, 8]), ['00', '01', '10', '11']);
  assert.equal(states([store(4, Array(8).fill(1))], 'words', [4, 8]), ['00', '01', '10', '11']);
  assert.equal(states([store(0, Array(8).fill(1))], 'words', [0, 7]), ['00', '11']);
});

model('stores to one word persist in order, each of them being a state', () => {
  const events = [store(0, [1]), store(0, [2]), store(1, [3])];
  for (const granularity of ['lines', 'words'] as const)
    assert.equal(states(events, granularity, [0, 1]), ['00', '10', '20', '23']);
});

model('nontemporal stores need a fence, and are in no order', () => {
  const events = [store(0, [1], 'nontemporal'), store(8, [1], 'nontemporal')];
  assert.equal(states(events, 'lines', [0, 8]), ['00', '01', '10', '11']);
  assert.equal(states([...events, fence], 'lines', [0, 8]), ['11']);
  assert.equal(states([store(0, [1]), store(0, [2], 'nontemporal'), fence], 'lines', [0]), ['2']);
});

model('msync makes its range durable, and nothing else', () => {
  const events = [store(0, [1]), store(64, [1], 'kernel')];
  assert.equal(states([...events, durable(0, 64)], 'words', [0, 64]), ['10', '11']);
  assert.equal(states([...events, durable(0, 128)], 'words', [0, 64]), ['11']);
});

model.run();

type ReadBytes = (at: number, size: number) => Buffer;

/** Reads so much, and is content. */
const reading = (size: number) => (read: ReadBytes) => {
  read(0, size);
  return '';
};

/** Recovery on bytes in memory: reads what `look` reads, and says what it says. */
function recoveryOf(size: number, look: (read: ReadBytes) => string): Recovery {
  const bytes = Buffer.alloc(size);
  return {
    write: (at, value) => void value.copy(bytes, at),
    run(): Outcome {
      const reads: { at: number; size: number }[] = [];
      const violation = look((at, length) => {
        reads.push({ at, size: length });
        return bytes.subarray(at, at + length);
      });
      return { reads, violation };
    },
  };
}

const units = (count: number): Unit[] =>
  Array.from({ length: count }, (_, i) => ({ at: 8 * i, values: [Buffer.alloc(8), Buffer.alloc(8, i + 1)] }));

const search = suite('order: exploration');

search('what is not read is not tried, what is read is tried with every value', () => {
  const two = exploreAll(units(40), recoveryOf(320, reading(16)), 100);
  assert.equal([two.exhaustive, two.runs, two.states], [true, 4, 2n ** 40n]);
  // One unit tells where to look: 0 reads nothing more, 1 reads one of two others.
  const chained = recoveryOf(320, (read) => (read(0, 8)[0] === 1 ? reading(16)(read) : ''));
  assert.is(exploreAll(units(40), chained, 100).runs, 3);
});

search('one bad state among thousands is found, and none where there is none', () => {
  for (const bad of [0, 1, 777, 4095]) {
    const recovery = recoveryOf(96, (read) => {
      let state = 0;
      for (let i = 0; i < 12; i++) if ((read(8 * i, 8)[0] as number) !== 0) state |= 1 << i;
      return state === bad ? 'bad' : '';
    });
    assert.match(exploreAll(units(12), recovery, 5000).violation, /^bad \(/, String(bad));
  }
  const fine = exploreAll(units(12), recoveryOf(96, reading(96)), 5000);
  assert.equal([fine.exhaustive, fine.runs, fine.violation], [true, 4096, '']);
});

search('a budget that is used up is not called exhaustive', () => {
  const found = exploreAll(units(12), recoveryOf(96, reading(96)), 100);
  assert.equal([found.exhaustive, found.runs], [false, 100]);
});

search('the same as brute force, for random recoveries', () => {
  let seed = 1;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
  };
  for (let round = 0; round < 300; round++) {
    // A table says what is read next after what was read, and what is wrong.
    const table = Array.from({ length: 64 }, () => ({ next: random(10), wrong: random(40) === 0 }));
    const look = (read: ReadBytes) => {
      let key = 0;
      for (let depth = 0; depth < 6; depth++) {
        const { next, wrong } = table[key % 64] as { next: number; wrong: boolean };
        if (wrong) return 'wrong';
        if (next >= 8) return '';
        key = key * 3 + next + 7 * (read(8 * next, 8)[0] as number);
      }
      return '';
    };
    const all = units(8);
    let brute = false;
    for (let state = 0; state < 256; state++) {
      const recovery = recoveryOf(64, look);
      for (let i = 0; i < 8; i++) recovery.write(8 * i, (all[i] as Unit).values[(state >> i) & 1] as Buffer);
      if (recovery.run().violation !== '') brute = true;
    }
    const found = exploreAll(all, recoveryOf(64, look), 1000);
    assert.is(found.exhaustive, true);
    assert.is(found.violation !== '', brute, `round ${round}`);
  }
});

search.run();

/** A log of `count` records, as a correct program writes it: word by word. */
function logEvents(count: number): Event[] {
  const events: Event[] = [];
  let at = 0;
  for (let i = 1; i <= count; i++) {
    const record = encodeRecord(i, payload(i));
    events.push(mark(`append-${i}`));
    for (let from = 0; from < record.length; from += 8)
      events.push(store(at + from, record.subarray(from, from + 8)));
    for (let line = at - (at % 64); line < at + record.length; line += 64) events.push(writeBack(line));
    events.push(fence, mark(`synced-${i}`));
    at += record.length;
  }
  return events;
}

const byHand = suite('order: traces by hand');
const checkLog = (events: Event[]) => {
  using recovery = new LogRecovery();
  return checkTrace(events, Buffer.alloc(LOG_SIZE), recovery);
};

byHand('a log that is synced loses nothing and accepts nothing torn', () => {
  const { violation, coverage } = checkLog(logEvents(6));
  assert.is(violation, undefined);
  assert.is(coverage.sampled, 0);
  assert.ok(coverage.states > 6n * 256n, String(coverage.states));
});

byHand('each missing write-back and each missing fence is found', () => {
  const events = logEvents(5);
  let dropped = 0;
  for (const [i, { e }] of events.entries()) {
    if (e !== 'write-back' && e !== 'fence') continue;
    dropped++;
    assert.match(checkLog(without(events, i)).violation?.text ?? '', /is lost/, `event ${i}`);
  }
  assert.ok(dropped > 10);
});

byHand('so is msync that is told too early', () => {
  const events = logEvents(2).filter(({ e }) => e !== 'write-back');
  const synced = events.map((event) => (event.e === 'fence' ? durable(0, LOG_SIZE) : event));
  assert.is(checkLog(synced).violation, undefined);
  const early = [mark('append-1'), mark('synced-1'), ...synced.slice(1)];
  assert.match(checkLog(early).violation?.text ?? '', /record 1 of 1 that were synced is lost/);
});

byHand('a reader that takes torn records is found', () => {
  // Without a checksum: sequence number first, payload after it, one line each.
  const events = [store(0, [1]), store(64, [7]), writeBack(0), writeBack(64), fence];
  const medium = new Medium(Buffer.alloc(128));
  for (const event of events.slice(0, 2)) medium.apply(event);
  const careless = recoveryOf(128, (read) => (read(0, 8)[0] === 1 && read(64, 8)[0] !== 7 ? 'torn' : ''));
  assert.match(exploreAll(medium.units('lines'), careless, 100).violation, /^torn/);
});

byHand.run();

const shipped = suite('order: insitu itself, recorded on the RAM file system');

for (const recording of hostRecordings)
  shipped(recording.name, () => {
    const directory = mkdtempSync('/dev/shm/insitu-test-');
    process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
    const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
    record(recording, {
      recorder: buildRecorder(),
      program: [process.execPath, '--import', 'tsx', at('./programs.ts')],
      region: directory,
      output: directory,
    });
    const results = checkRecordings([recording], directory);
    for (const result of results) assert.ok(result.ok, textOf(result));
    assert.ok(results.length >= (recording.removed ? 2 : 3));
    rmSync(join(directory, `${recording.name}.trace`));
    assert.is(checkRecordings([recording], directory)[0]?.ok, false, 'without a trace');
  });

shipped.run();
