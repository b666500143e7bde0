// node load-child.js FILE in-place|copy: loads a library, runs every page of its text, and waits with it mapped.
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { native, slot, slots } from '../../../loader/native.ts';
import { loadSync } from '../../../runtime/library/index.ts';

const [file = '', place] = process.argv.slice(2);

const cachedBytes = () =>
  Number(/^Cached:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) * 1024;

function minorFaults(): number {
  native.usage(slots);
  return slot(0);
}

const library = loadSync(file, { place: place === 'copy' ? 'copy' : 'in-place' });
const touchAll = library.symbol('touch_all');
cachedBytes();
minorFaults();
const cachedBefore = cachedBytes();
const faultsBefore = minorFaults();
const pagesRun = native.callInt(touchAll);
const faults = minorFaults() - faultsBefore;
const cacheGrowth = cachedBytes() - cachedBefore;
process.stdout.write(`ready ${process.pid} ${reportOf()}\n`);
process.stdin.resume();

function reportOf(): string {
  const { backing, base, evidence, bytesCopied } = library.report;
  const report = { pagesRun, faults, cacheGrowth, backing, base, evidence, bytesCopied };
  return JSON.stringify(report, (_, value) =>
    typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
  );
}
