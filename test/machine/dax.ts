// npm run test:dax: what the rest of the tests can only do on a RAM file system, on real DAX. Sets the machine up, runs the
// guest's suites in it, and counts every test of theirs once.
//
// npm run test:dax -- [--only TEXT] [--update]   the media whose name holds TEXT; README's table written anew
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type Check, print } from './checks.ts';
import type { Row } from './guest/media.guest.ts';
import { type Kernel, prepareKernel } from './kernel.ts';
import { Machine, type Nvdimm } from './machine.ts';
import { buildModule } from './module.ts';
import { checkRecordings } from './order/check.ts';
import { guestRecordings } from './order/recordings.ts';
import { installPackages } from './packages.ts';
import { buildPayload, type Payload } from './payload.ts';
import { powerCuts } from './power-cut/index.ts';
import { checkReadme } from './table.ts';
import { twoGuests } from './two-guests.ts';

const MiB = 1 << 20;
const suites = ['media', 'huge', 'region', 'written', 'sharing', 'startup', 'wasm', 'app'];
const tally = { passed: 0, failed: 0, skipped: 0 };

/** A file of zeros that takes no room until it is written to. */
function sparseFile(path: string, size: number): string {
  writeFileSync(path, '');
  truncateSync(path, size);
  return path;
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Media first; then each suite in a process of its own, so that one that crashes takes nothing else with it. */
function job({ code, directory }: Payload, only: string): string {
  const run = (name: string) => `echo "suite ${name}"
    node --enable-source-maps ${quoted(join(code, `guest/${name}.guest.js`))} /mnt/share/${name}.json ${quoted(only)}
    echo "suite ended with $?"`;
  // Over the region of the device, and last for that.
  const recordings = `mkdir /mnt/share/order
    node ${quoted(join(code, 'order/record.js'))} ${quoted(join(directory, 'recorder'))} "$DAX4K" /mnt/xfs /mnt/share/order`;
  return `
    . ${quoted(join(code, '../../../test/machine/guest/media.sh'))}
    set -e
    ext4_prepared 0 /mnt/ext4
    EXT4_DEVICE=$(findmnt -no SOURCE /mnt/ext4)
    ext4_default 1 /mnt/ext4-default
    xfs_prepared 2 /mnt/xfs
    erofs_image 3 /mnt/erofs ${quoted(join(directory, 'erofs.img'))}
    DAX2M=$(devdax 4 2M)
    DAX4K=$(devdax 5 4k)
    xfs_without_dax /dev/vda /mnt/xfs-no-dax
    ext4_on_block_device /dev/vdb /mnt/ext4-block
    set +e
    export EXT4_DEVICE DAX2M DAX4K
    ${(only === '' ? suites : ['media']).map(run).join('\n')}
    ${only === '' ? recordings : ''}
  `;
}

/** uvu's totals of each suite; one that did not come to its end is one failure more. */
function countSuites(output: string): void {
  for (const part of output.split(/^suite (?=\w+\r?$)/m).slice(1)) {
    const last = (name: string) =>
      Number([...part.matchAll(new RegExp(`${name}:\\s+(\\d+)`, 'g'))].at(-1)?.[1] ?? 0);
    const status = /^suite ended with (\d+)/m.exec(part)?.[1];
    const [total, passed, skipped] = [last('Total'), last('Passed'), last('Skipped')];
    const ended = total > 0 && (status === '0') === (total === passed + skipped);
    tally.passed += passed;
    tally.skipped += skipped;
    tally.failed += Math.max(total - passed - skipped, ended ? 0 : 1);
  }
}

function countChecks(checks: readonly Check[]): void {
  print(checks);
  for (const { ok } of checks) tally[ok ? 'passed' : 'failed']++;
}

/** @returns the rows of the table of media */
async function guestSuites(kernel: Kernel, nvdimms: readonly Nvdimm[], place: Place): Promise<Row[]> {
  const { payload, directory, share, only } = place;
  const ending = await new Machine(kernel, {
    job: job(payload, only),
    nvdimms,
    disks: [0, 1].map((i) => sparseFile(join(directory, `disk${i}`), 1024 * MiB)),
    share,
    memoryMiB: 3072,
    timeoutMs: 1_800_000,
    onLine: (line) => console.log(line),
  }).ended;
  countSuites(ending.output);
  const detail = `${ending.failure}\n${ending.console}`;
  const name = `the guest came to its end after ${ending.seconds.toFixed(0)} s`;
  countChecks([{ name, ok: ending.status === 0, detail: ending.status === 0 ? '' : detail }]);
  try {
    return JSON.parse(readFileSync(join(share, 'media.json'), 'utf8'));
  } catch {
    return []; // which the table's check will say
  }
}

interface Place {
  payload: Payload;
  directory: string;
  share: string;
  only: string;
}

async function main(only: string, update: boolean): Promise<void> {
  installPackages();
  const kernel = prepareKernel();
  const payload = buildPayload();
  await buildModule(payload.directory);
  const directory = mkdtempSync(join(tmpdir(), 'insitu-dax-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const share = join(directory, 'share');
  mkdirSync(share);
  const nvdimms = [1024, 1024, 1024, 384, 512, 512].map((size, i) => ({
    path: sparseFile(join(directory, `nvdimm${i}`), size * MiB),
    size: size * MiB,
  }));
  // Most of what the guest does keeps one processor busy; the power cuts, in guests of their own, take the other.
  const cuts = only === '' ? powerCuts(kernel, { code: payload.code }) : Promise.resolve([]);
  const rows = await guestSuites(kernel, nvdimms, { payload, directory, share, only });
  if (only !== '') return;
  countChecks(checkReadme(rows, update));
  const seen = () => writeFileSync(join(share, 'seen'), '');
  countChecks(await twoGuests(kernel, payload, nvdimms[3] as Nvdimm, share, seen));
  countChecks(checkRecordings(guestRecordings, join(share, 'order')));
  countChecks(await cuts);
}

try {
  const { values } = parseArgs({ options: { only: { type: 'string' }, update: { type: 'boolean' } } });
  await main(values.only ?? '', values.update ?? false);
} catch (error) {
  countChecks([{ name: 'the machine is set up', ok: false, detail: (error as Error).message }]);
}
const { passed, failed, skipped } = tally;
console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
