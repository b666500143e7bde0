// Regions on device-dax, of 2 MiB and of 4 KiB units: what only a device can show.
import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import { native } from '../../../loader/native.ts';
import * as nvm from '../../../loader/nvm.ts';
import { createRegion } from '../../../loader/store/create.ts';
import { locate } from '../../../loader/store/locate.ts';
import { rangesInUse } from '../../../loader/store/mapped.ts';
import { placeInRegion } from '../../../loader/store/place.ts';
import { lockedRanges, Store } from '../../../loader/store/region.ts';
import { listRegion, verifyRegion } from '../../../loader/store/verify.ts';
import { loadSync } from '../../../runtime/library/index.ts';
import { add, cli, insituToEnd, partsOf, payload, Resident } from './children.ts';

const MiB = 1 << 20;
const { DAX2M = '', DAX4K = '' } = process.env;
const inPayload = (name: string) => ({ path: join(payload, name), name });

for (const [device, unit] of [
  [DAX2M, 2 * MiB],
  [DAX4K, 4096],
] as const) {
  const test = suite(`region on ${device}`);
  const reference = (name: string) => `devdax:${basename(device)}/${name}`;
  const textOf = (wanted: string) => {
    const text = listRegion(device).entries.find(({ name }) => name === wanted)?.text;
    assert.ok(text);
    return text;
  };
  const all = () => ({ start: 2 * MiB, end: listRegion(device).size });

  test('is made of a device that is empty, or with force, and never over anything else', () => {
    using region = nvm.open(device, { write: true });
    nvm.write(region, Buffer.alloc(2 * MiB), 0);
    nvm.write(region, Buffer.from('somebody else'), MiB);
    assert.throws(() => createRegion(device), {
      code: 'ERR_REGION',
      message: /want --force to overwrite it/,
    });
    assert.equal(createRegion(device, { force: true }), true);
    const { granule, medium, entries } = listRegion(device);
    assert.deepEqual([granule, medium, entries.length], [unit, 'devdax', 0]);
    assert.throws(() => createRegion(device), { code: 'ERR_REGION', message: /is a region already/ });
    assert.equal(createRegion(device, { keep: true }), false);
  });

  test('keeps what is placed, says whether text is in place', () => {
    const placed = placeInRegion(['static', 'plain.so', 'script.js'].map(inPayload), device);
    assert.deepEqual(
      placed.map(({ kind, offset, span }) => [kind, offset % unit, span % unit]),
      ['elf-program', 'elf-shared', 'data'].map((kind) => [kind, 0, 0]),
    );
    assert.ok(verifyRegion(device).every(({ intact }) => intact));
    const text = textOf('plain.so');
    if (text.inPlace) assert.equal(text.reason, '');
    else assert.match(text.reason, /max-page-size=0x200000.*ndctl --align=4k/);
    assert.equal(textOf('static').inPlace, true, 'it is linked for 2 MiB pages');
    if (unit === 4096) assert.equal(text.inPlace, true);
  });

  test('a library by load(): text where it is stored, or copied with the reason', () => {
    using library = loadSync(reference('plain.so'), { prefault: true });
    assert.equal(library.func('int answer(void)')(), 42);
    const { totals } = library.report.evidence;
    const { inPlace, copied } = textOf('plain.so');
    assert.deepEqual([totals.text?.ram === 0, totals.text?.ram], [inPlace, Math.ceil(copied / 4096)]);
    assert.equal(totals.text?.nvm, (totals.text?.pages ?? 0) - Math.ceil(copied / 4096));
    const mapped = library.report.segments.some(({ placement }) => placement === 'in-place');
    using store = new Store(device, { write: true });
    assert.equal(lockedRanges(store.region, all()).length, mapped ? 1 : 0, 'what is mapped is locked');
  });

  test('what is replaced goes on where it runs, and its space is kept for it', async () => {
    const resident = await Resident.start(process.execPath, [cli, 'run', reference('static')]);
    const old = locate(reference('static'));
    const { start, size = 0 } = old;
    old[Symbol.dispose]();
    placeInRegion([inPayload('static')], device);
    using now = locate(reference('static'));
    assert.notEqual(now.start, start);
    using store = new Store(device, { write: true });
    const locked = () => lockedRanges(store.region, all()).some((range) => range.start === start);
    const mapped = () =>
      rangesInUse(store.region, all()).ranges.filter((r) => r.start < start + size && r.end > start);
    assert.equal(locked(), true);
    assert.ok(mapped().length > 1, 'and /proc has it too');
    const text = partsOf(resident.pid, device).filter(({ protection }) => protection.startsWith('r-x'));
    const { present, nvm: inNvm, ram } = add(text);
    assert.deepEqual([present > 0, inNvm === present, ram], [true, true, 0]);
    assert.equal((await resident.end()).code, 0);
    assert.equal(locked(), false);
    assert.equal(mapped().length, 0);
  });

  test('a store that is not made durable commits nothing', () => {
    const before = listRegion(device);
    const { syncRegion } = native;
    native.syncRegion = () => -5;
    try {
      assert.throws(() => placeInRegion([{ ...inPayload('script.js'), name: 'new' }], device), {
        code: 'EIO',
      });
    } finally {
      native.syncRegion = syncRegion;
    }
    assert.deepEqual(listRegion(device), before);
  });

  test('--require-in-place takes text in place, and refuses copies with what to do', async () => {
    const run = (name: string) =>
      insituToEnd('call', '--require-in-place', reference(name), 'int answer(void)');
    const { code, stdout, stderr } = await run('plain.so');
    if (unit === 4096) assert.deepEqual([code, stdout], [0, '42\n'], stderr);
    else if (code !== 0) assert.match(stderr, /would be copied \(another segment lies in the same unit/);
  });

  test.run();
}
