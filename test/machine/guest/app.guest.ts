// A Node app with an addon on real DAX: opened by ld.so from a store under the hook, and by insitu from a bundle. Where their
// text pages are is the C program's to say.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import { bundle } from '../../../loader/bundle/write.ts';
import { installLibrary } from '../../../loader/libraries/install.ts';
import { listRegion } from '../../../loader/store/verify.ts';
import type { HookReport } from '../../../runtime/hook/report.ts';
import { add, type Count, cli, partsOf, payload, Resident, root } from './children.ts';

const { DAX2M = '', DAX4K = '' } = process.env;
const hook = join(root, 'dist/runtime/hook/register.cjs');
const media = [
  { name: 'ext4 as made by default', at: '/mnt/ext4-default', where: 'nvm' },
  { name: 'xfs, 2 MiB stripes', at: '/mnt/xfs', where: 'nvm' },
  { name: 'ext4 on virtio-blk', at: '/mnt/ext4-block', where: 'ram' },
  { name: 'device-dax, 2 MiB units', at: DAX2M, where: 'nvm', isDevice: true },
  { name: 'device-dax, 4 KiB units', at: DAX4K, where: 'nvm', isDevice: true },
] as const;

interface Run {
  /** Executable pages of files of these names, by the C program. */
  text: Count;
  line: string;
  report: HookReport;
}

async function run(args: string[], ...prefixes: string[]): Promise<Run> {
  const file = `/tmp/report-${process.hrtime.bigint()}`;
  process.env.INSITU_REPORT = file;
  const resident = await Resident.start(process.execPath, args);
  const parts = partsOf(resident.pid, ...prefixes).filter(({ protection }) => protection.includes('x'));
  const { code, stderr } = await resident.end();
  assert.deepEqual([code, stderr], [0, '']);
  return { text: add(parts), line: resident.line, report: JSON.parse(readFileSync(file, 'utf8')) };
}

for (const medium of media) {
  const test = suite(`a Node app on ${medium.name}`);
  const { at, where } = medium;
  const isDevice = 'isDevice' in medium;
  const check = ({ text, line, report }: Run) => {
    assert.match(line, /^ready \d+ 401$/);
    assert.ok(text.present > 0);
    assert.deepEqual([text.nvm, text.ram], where === 'nvm' ? [text.present, 0] : [0, text.present]);
    const [library] = report.libraries;
    assert.equal(library?.reason, 'in place');
    assert.equal(library?.mapped.length, 2);
    for (const { evidence, dramSaved } of library?.mapped ?? []) {
      const { resident, nvm } = evidence.totals.text ?? {};
      assert.deepEqual([nvm, (dramSaved ?? 0) > 0], where === 'nvm' ? [resident, true] : [0, false]);
    }
    console.log(
      `${medium.name}: ${text.present} pages of text, ${text.nvm} in NVM, ${text.ram} in System RAM`,
    );
  };

  if (!isDevice)
    test('its addon, from a store', async () => {
      const [app, store] = [join(at, 'node-app'), join(at, 'app-store')];
      mkdirSync(store);
      cpSync(join(payload, 'app'), app, { recursive: true });
      process.env.INSITU_STORE = store;
      await installLibrary(join(app, 'lib/addon.node'), { root: store });
      check(await run(['--require', hook, join(app, 'index.js')], join(store, 'libraries')));
      rmSync(store, { recursive: true });
      rmSync(app, { recursive: true });
    });

  test('its addon, from a bundle', async () => {
    const region = isDevice ? at : join(at, 'app.region');
    const made = bundle(join(payload, 'app'), region, { store: '/tmp/no-store' });
    assert.deepEqual(made.libraries, ['deps/libbeside.so', 'lib/addon.node']);
    check(await run([cli, 'run', region], region));
    if (isDevice) {
      const before = listRegion(region).entries.length;
      bundle(join(payload, 'app'), region, { store: '/tmp/no-store' });
      assert.equal(listRegion(region).entries.length, before, 'what the one before had is gone');
    }
    if (!isDevice) rmSync(region);
  });

  test.run();
}
