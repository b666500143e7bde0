// The programs that are recorded: `node programs.js append|commit COUNT REGION`, with the number of records or steps.
// Each warms up first: code that has not run yet takes hundreds of times the steps.
import { accessSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import * as nvm from '../../../loader/nvm.ts';
import { placeInRegion, removeEntry } from '../../../loader/store/place.ts';
import { type Step, steps } from './commits.ts';
import { encodeRecord, LOG_SIZE, payload } from './records.ts';

/** Tells the recorder. There is no such file: the question is all. */
function mark(text: string): void {
  try {
    accessSync(`/insitu-record-${text}`);
  } catch {}
}

/** Appends records to a log, each synced before the next. What lies there before is whole records, of other numbers. */
function append(count: number, path: string): void {
  using region = nvm.open(path, { write: true });
  const length = Math.max(LOG_SIZE, region.backing.granule);
  const address = nvm.map(region, 0, length, nvm.PROT_READ | nvm.PROT_WRITE);
  const put = (at: number, bytes: Buffer) => {
    nvm.store(address + BigInt(at), bytes);
    const error = nvm.sync(region, address + BigInt(at), bytes.length);
    if (error !== 0) throw new Error(`sync: ${error}`);
  };
  put(0, Buffer.alloc(LOG_SIZE));
  for (let i = 0; i < 200; i++) put((i % 64) * 1024, encodeRecord(i + 1, payload(i + 1)));
  const records = Array.from({ length: count }, (_, i) => encodeRecord(i + 1, payload(i + 1)));
  mark('begin');
  let at = 0;
  for (const [i, record] of records.entries()) {
    mark(`append-${i + 1}`);
    put(at, record);
    mark(`synced-${i + 1}`);
    at += record.length;
  }
  mark('end');
  nvm.unmap(address);
}

/** Changes a region's catalog by the steps of commits.ts. */
function commit(count: number, path: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'insitu-order-'));
  let files = 0;
  const take = ({ placed, removed }: Step, change: (byte: number) => number) => {
    if (removed !== undefined) removeEntry(path, removed);
    const sources = placed.map(({ name, content }) => {
      const file = join(directory, String(files++));
      writeFileSync(file, content.map(change));
      return { name, path: file };
    });
    if (sources.length > 0) placeInRegion(sources, path);
  };
  try {
    // Other content: where it has lain, stores of the same bytes would change nothing.
    for (let i = 0; i < 6; i++) for (const step of steps) take(step, (byte) => byte ^ (128 + i));
    for (const name of ['a', 'b', 'c', 'd']) {
      try {
        removeEntry(path, name);
      } catch {}
    }
    mark('begin');
    for (const [i, step] of steps.slice(0, count).entries()) {
      mark(`commit-${i + 1}`);
      take(step, (byte) => byte);
      mark(`committed-${i + 1}`);
    }
    mark('end');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const [, , name, count, path = ''] = process.argv;
const program = { append, commit }[name ?? ''];
if (program === undefined) throw new Error(`no program ${name}`);
program(Number(count), path);
