// Which of medium, file or address is in the way of huge pages; and page faults, counted.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OpenFile } from '../../loader/backing.ts';
import {
  addressOfExecve,
  addressOfLoad,
  faults,
  HUGE,
  hugePages,
  type LinkedText,
  ofLayout,
} from '../../loader/huge-pages.ts';
import type { Image } from '../../loader/image.ts';
import type { HugeLayout } from '../../loader/native.ts';
import { native } from '../../loader/native.ts';
import type { Plan } from '../../loader/plan.ts';
import { compileC, temporaryDirectory } from '../build/compile.ts';
import { inChild } from './child.ts';

const layouts = suite('huge pages: the layout');
const text = { offset: HUGE, size: 4 * HUGE };
const laid = (more: Partial<HugeLayout>): HugeLayout => ({
  ...{ told: true, absolute: true, base: 0, blocks: 4, huge: 4, first: 0, misalignment: 0 },
  ...more,
});
const judge = (more: Partial<HugeLayout>, stored = text, fileSystem = 'ext4') => {
  const { possible, obstacle, reason, command } = ofLayout(laid(more), stored, null, {
    fileSystem,
    mountPoint: '/mnt',
  });
  return [possible, obstacle, reason, command];
};

layouts('possible, when every block lies well', () => {
  assert.equal(judge({}), [true, null, 'all 4 2 MiB blocks of its text lie on 2 MiB boundaries', null]);
  const within = { offset: 0x1000, size: 5 * HUGE };
  assert.match(judge({}, within)[2] as string, /; 512 pages at its ends are in none$/);
  assert.match(judge({ absolute: false })[2] as string, /\/sys does not tell/);
});

layouts('the file: how many blocks, the first of them, and what to run', () => {
  const [possible, obstacle, reason, command] = judge({ huge: 1, first: 0x400000, misalignment: 0x3000 });
  assert.equal([possible, obstacle, command], [false, 'file', 'insitu place FILE /mnt']);
  assert.match(reason as string, /^3 of the 4 .* the one at 0x400000 is 0x3000 off$/);
  assert.match(judge({ huge: 0 }, text, 'erofs')[3] as string, /^mkfs\.erofs/);
});

layouts('the medium: only where the file lies well in its partition', () => {
  assert.is(judge({ huge: 0, base: 0x100000, misalignment: 0x100000 })[1], 'medium');
  assert.match(
    judge({ huge: 0, base: 0x100000, misalignment: 0x100000 })[2] as string,
    /begins 0x100000 bytes off/,
  );
  assert.is(judge({ huge: 0, base: 0x100000, misalignment: 0x5000 })[1], 'file');
  assert.is(judge({ base: 0x100000 })[0], true, 'laid out all the same');
});

layouts('text without a whole block: too small, or linked so', () => {
  assert.equal(judge({ blocks: 0, huge: 0 }, { offset: 0x1000, size: 0x1000 }).slice(0, 2), [false, null]);
  const [, obstacle, reason, command] = judge(
    { blocks: 0, huge: 0 },
    { offset: 0x1000, size: HUGE + 0x1000 },
  );
  assert.equal([obstacle, command], ['file', 'cc … -Wl,-z,max-page-size=0x200000']);
  assert.match(reason as string, /begins at 0x1000 of the file/);
});

layouts('a file system that does not tell', () => {
  assert.equal(judge({ told: false, huge: 0 }), [
    false,
    null,
    'the file system does not tell where the file lies',
    null,
  ]);
});

layouts('not on DAX: the medium, and for tmpfs what to run', () => {
  using disk = new OpenFile(compileC('int x;', { name: 'libx.so', kind: 'shared' }));
  const { possible, obstacle } = hugePages(disk, text);
  assert.equal([possible, obstacle], [false, 'medium']);
});

layouts.run();

const addresses = suite('huge pages: the address');
const linked = (vaddr: number): LinkedText => ({ ...text, vaddr });
const image = (kind: Image['kind'], align: number) => ({ kind, segments: [{ align }] }) as unknown as Image;

addresses('execve: by its largest p_align, or where it was linked to be', () => {
  assert.is(addressOfExecve(image('pie', HUGE), linked(HUGE)), null);
  assert.match(
    addressOfExecve(image('pie', 0x1000), linked(HUGE))?.reason ?? '',
    /random multiple of 0x1000/,
  );
  assert.match(
    addressOfExecve(image('pie', 0x1000), linked(HUGE))?.command ?? '',
    /max-page-size=0x200000.*insitu-exec/,
  );
  for (const kind of ['static', 'no-pie'] as const) {
    assert.is(addressOfExecve(image(kind, 0x1000), linked(3 * HUGE)), null, 'congruent all the same');
    assert.match(
      addressOfExecve(image(kind, 0x1000), linked(HUGE + 0x1000))?.reason ?? '',
      /linked to address 0x201000/,
    );
  }
  assert.is(addressOfExecve(image('static-pie', 0x1000), linked(HUGE)), null);
});

addresses('load: what the plan reserves', () => {
  const plan = (alignment: number, congruence: number) => ({ alignment, congruence }) as Plan;
  assert.is(addressOfLoad(plan(HUGE, 0), linked(HUGE)), null);
  assert.is(addressOfLoad(plan(HUGE, 0x1000), linked(HUGE - 0x1000)), null);
  assert.match(addressOfLoad(plan(HUGE, 0), linked(HUGE + 0x1000))?.reason ?? '', /congruent modulo 2 MiB/);
  assert.ok(addressOfLoad(plan(0x1000, 0), linked(HUGE)));
  assert.is(
    addressOfLoad(plan(0x1000, 0), { offset: 0, size: 0x1000, vaddr: 0 }),
    null,
    'small text needs none',
  );
});

addresses.run();

const counting = suite('huge pages: faults');
const ram = mkdtempSync('/dev/shm/insitu-test-');
process.on('exit', () => rmSync(ram, { recursive: true, force: true }));

function stored(size: number, name = 'file'): string {
  const path = join(ram, name);
  writeFileSync(path, Buffer.alloc(size, 1));
  return path;
}

counting('pages of the range, and at least one fault, at most one each', () => {
  using file = new OpenFile(stored(100 * 4096));
  const counted = faults(file, { offset: 3 * 4096, size: 50 * 4096 - 1 });
  assert.is(counted?.pages, 50);
  assert.ok(counted && counted.faults >= 1 && counted.faults <= 50);
});

counting('a file that shrinks meanwhile ends a child, and nothing else', () => {
  const answer = inChild(
    ({ native, fs, backing }, path) => {
      const file = new backing.OpenFile(path);
      fs.truncateSync(path, 4096);
      return [native.countFaults(file.fd, 0, 16 * 4096), fs.existsSync(path)];
    },
    stored(16 * 4096, 'shrinks'),
  );
  assert.equal(answer, [null, true]);
});

counting('what cannot be mapped is an error', () => {
  using file = new OpenFile(stored(4096));
  assert.throws(
    () => native.countFaults(file.fd, 0, 2 ** 50),
    (error: Error & { syscall?: string }) => {
      assert.is(error.syscall, 'mmap');
      return true;
    },
  );
});

const may = process.getuid?.() === 0 ? counting : counting.skip;
may('tmpfs with huge pages takes one fault for each', () => {
  const mount = join(temporaryDirectory(), 'huge');
  const script = `mkdir -p ${mount} && mount -t tmpfs -o huge=always,size=16m tmpfs ${mount} && head -c 8388608 /dev/zero > ${mount}/f &&
    node --import tsx -e "
      const { OpenFile } = await import('./loader/backing.ts');
      const { hugePages, faults } = await import('./loader/huge-pages.ts');
      const file = new OpenFile('${mount}/f');
      const all = { offset: 0, size: 8388608 };
      console.log(JSON.stringify([hugePages(file, all).possible, faults(file, all)]));
    " --input-type=module`;
  const root = new URL('../..', import.meta.url).pathname;
  const output = execFileSync('unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8', cwd: root });
  const [possible, counted] = JSON.parse(output);
  assert.is(possible, true);
  assert.is(counted.pages, 2048);
  assert.ok(counted.faults < 2048);
});

counting.run();
