// Installing, taking out and verifying: several processes at once, killed at any moment, without room, without leave.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Compile } from '../../loader/compile/compile.ts';
import { LoadError } from '../../loader/error.ts';
import { describeStore, openStore } from '../../loader/images/choose.ts';
import { cpuTag } from '../../loader/images/cpu.ts';
import { imageOfBytes } from '../../loader/images/find.ts';
import { install, installFile } from '../../loader/images/install.ts';
import { entryPath, LAYOUT, MARKER, SOURCE } from '../../loader/images/layout.ts';
import { listStore } from '../../loader/images/list.ts';
import { damageOf, readRecord } from '../../loader/images/record.ts';
import { findModule, removeModule } from '../../loader/images/remove.ts';
import { cacheRoot, chosenRoot, rootsToRead } from '../../loader/images/roots.ts';
import { verifyStore } from '../../loader/images/verify.ts';
import { counting, fresh, moduleBytes, moduleFile } from './stores.ts';

/** All that is in a store, without what comes and goes with its use. */
function filesIn(root: string): string[] {
  const all = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return all.filter((name) => !statSync(join(root, name), { throwIfNoEntry: false })?.isDirectory()).sort();
}

async function fails(action: () => Promise<unknown>): Promise<LoadError> {
  try {
    await action();
  } catch (error) {
    return error as LoadError;
  }
  throw new Error('it did not fail');
}

const once_ = suite('install');

once_('a module: source and image read-only, with its record, listed, and not compiled again', async () => {
  const [root, path] = [fresh(), moduleFile('a')];
  const { compile, compiled } = counting();
  const made = await installFile(path, { root, compile });
  assert.is(made.status, 'compiled');
  assert.equal(readFileSync(made.source), readFileSync(path));
  for (const file of [made.source, made.image]) assert.is(statSync(file).mode & 0o777, 0o444);
  assert.is(damageOf(made.image), undefined);
  assert.equal(readRecord(made.image), made.record);
  assert.equal([made.record.tier, made.record.cpu, made.record.size], ['best', 'baseline', 9]);
  assert.equal(
    listStore(root).map(({ from, size }) => [from, size]),
    [[[path], 9]],
  );
  assert.is((await installFile(path, { root, compile })).status, 'present');
  assert.is(
    (await install(readFileSync(path), { root, compile, tier: 'quick' })).status,
    'present',
    'best is at hand',
  );
  assert.is(compiled(), 1);
  assert.equal(readdirSync(join(root, 'locks')), []);
});

once_('quick makes place for best; each CPU has its own; all of the same bytes twice', async () => {
  const [root, bytes] = [fresh(), moduleBytes('tiers')];
  const { compile, compiled } = counting();
  const quick = await install(bytes, { root, compile, tier: 'quick' });
  const held = statSync(quick.image).ino;
  const best = await install(bytes, { root, compile });
  assert.is(best.image, quick.image);
  assert.is.not(statSync(best.image).ino, held, 'by rename: who has the old one mapped keeps it');
  assert.is(best.record.tier, 'best');
  const native = await install(bytes, { root, compile, cpu: 'native' });
  assert.is(native.record.cpu, cpuTag());
  assert.is(listStore(root)[0]?.images.length, 2);
  assert.is(compiled(), 3);
  const elsewhere = await install(bytes, { root: fresh(), compile });
  assert.equal(readFileSync(elsewhere.image), readFileSync(best.image));
});

once_('from two places: both are known', async () => {
  const root = fresh();
  const { compile } = counting();
  const [one, two] = [moduleFile('same', 'one.wasm'), moduleFile('same', 'two.wasm')];
  for (const path of [one, two, one]) await installFile(path, { root, compile });
  assert.equal(listStore(root)[0]?.from, [one, two]);
});

once_('no file, or a compiler that fails: nothing is left', async () => {
  const root = openStore(fresh());
  const before = filesIn(root);
  const { compile } = counting();
  assert.is((await fails(() => installFile('/nowhere.wasm', { root, compile }))).code, 'ENOENT');
  assert.is((await fails(() => installFile('/dev/null', { root, compile }))).code, 'ERR_NOT_MAPPABLE');
  const broken = async () => {
    throw new LoadError('ERR_COMPILE', 'x', 'broken');
  };
  assert.is((await fails(() => install(moduleBytes('x'), { root, compile: broken }))).code, 'ERR_COMPILE');
  const signal = AbortSignal.abort(new Error('enough'));
  assert.is((await fails(() => install(moduleBytes('x'), { root, compile, signal }))).message, 'enough');
  assert.equal(filesIn(root), before);
  assert.equal(readdirSync(join(root, 'entries')), []);
});

once_('a store of another layout, or in what is no directory', async () => {
  const { compile } = counting();
  const [other, file] = [fresh(), fresh()];
  mkdirSync(other);
  writeFileSync(join(other, MARKER), 'insitu store 999\n');
  writeFileSync(file, '');
  const error = await fails(() => install(moduleBytes('x'), { root: other, compile }));
  assert.is(error.code, 'ERR_STORE');
  assert.match(error.message, new RegExp(`is of another layout; want '${LAYOUT}'`));
  assert.is((await fails(() => install(moduleBytes('x'), { root: file, compile }))).code, 'EEXIST');
  assert.is((await fails(() => install(moduleBytes('x'), { root: `${file}/x`, compile }))).code, 'ENOTDIR');
});

once_.run();

const stores = suite('which store');

stores('INSITU_STORE, the configuration, the cache; without a home too', () => {
  const config = fresh('config');
  mkdirSync(join(config, 'insitu'), { recursive: true });
  assert.equal(chosenRoot({ INSITU_STORE: '/a', XDG_CONFIG_HOME: config }), {
    path: '/a',
    why: 'INSITU_STORE',
  });
  assert.equal(chosenRoot({ INSITU_STORE: 'a' }), { path: join(process.cwd(), 'a'), why: 'INSITU_STORE' });
  assert.is(chosenRoot({ INSITU_STORE: '', XDG_CONFIG_HOME: config }), undefined);
  writeFileSync(join(config, 'insitu/store'), ' /b \nmore\n');
  assert.equal(chosenRoot({ XDG_CONFIG_HOME: config }), { path: '/b', why: 'configured' });
  const none = { XDG_CONFIG_HOME: '/nowhere' };
  assert.is(cacheRoot({ ...none, XDG_CACHE_HOME: '/c' }).path, '/c/insitu');
  assert.is(cacheRoot({ ...none, HOME: '/h' }).path, '/h/.cache/insitu');
  assert.match(cacheRoot({ ...none, HOME: '' }).path, /^\/.*\/.cache\/insitu$/);
});

stores('a cache that others can write is not used', () => {
  const cache = fresh('cache');
  const root = openStore(join(cache, 'insitu'));
  const environment = { XDG_CONFIG_HOME: '/nowhere', XDG_CACHE_HOME: cache };
  assert.is(rootsToRead(environment).at(-1)?.path, root);
  chmodSync(root, 0o777);
  assert.not(rootsToRead(environment).some(({ path }) => path === root));
  if (describeStore(environment).why === 'cache')
    assert.throws(() => openStore(undefined, environment), /can be written by others; want it to be root’s/);
});

stores('says what it is stored on, made or not', () => {
  const root = fresh('deep/er/store');
  const facts = describeStore({ INSITU_STORE: root });
  assert.equal([facts.root, facts.why, facts.exists, facts.writable], [root, 'INSITU_STORE', false, true]);
  openStore(root);
  assert.is(describeStore({ INSITU_STORE: root }).exists, true);
  const ram = describeStore({ INSITU_STORE: '/dev/shm' });
  assert.equal([ram.medium, ram.volatile, ram.obstacle], ['ram', true, null]);
});

stores.run();

const module = (name: string) => fileURLToPath(new URL(`../../loader/images/${name}.ts`, import.meta.url));

/** Another process that installs a module, by a compiler of C that takes a while. */
function installer(root: string, content: string, delay = 0.5): ChildProcess {
  const script = `
    const { install } = await import(${JSON.stringify(module('install'))});
    const { counting, moduleBytes } = await import(${JSON.stringify(fileURLToPath(new URL('./stores.ts', import.meta.url)))});
    const { compile, compiled } = counting();
    const made = await install(moduleBytes(${JSON.stringify(content)}), {
      root: ${JSON.stringify(root)},
      onWait: () => console.log('waits'),
      async compile(...all) {
        console.log('compiles');
        await new Promise((resolve) => setTimeout(resolve, ${delay * 1000}));
        await compile(...all);
      },
    });
    console.log(made.status);`;
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** All that it says; `until` the first line that matches, or its end. */
async function said(child: ChildProcess, until?: RegExp): Promise<string[]> {
  let text = '';
  const ends = once(child, 'close');
  const matches = new Promise<void>((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (until?.test(text)) resolve();
    });
  });
  await Promise.race([ends, matches]);
  return text.split('\n').filter(Boolean);
}

const together = suite('together');

together('several processes that want the same module compile it once', async () => {
  const root = fresh();
  const all = await Promise.all(Array.from({ length: 3 }, () => said(installer(root, 'together'))));
  assert.equal(
    all.flat().filter((line) => line === 'compiles'),
    ['compiles'],
  );
  assert.equal(all.map((lines) => lines.at(-1)).sort(), ['compiled', 'present', 'present']);
  assert.is(all.flat().filter((line) => line === 'waits').length, 2);
  assert.equal(readdirSync(join(root, 'locks')), []);
});

together('one is killed midway: the one that waits compiles, and nothing is left', async () => {
  const root = fresh();
  const first = installer(root, 'killed', 60);
  await said(first, /compiles/);
  const second = installer(root, 'killed', 0);
  await said(second, /waits/);
  const rest = said(second);
  first.kill('SIGKILL');
  assert.equal(await rest, ['compiles', 'compiled']);
  assert.equal(
    (await verifyStore(root, {})).map(({ damage }) => damage),
    [[]],
  );
  assert.equal(
    filesIn(root).filter((name) => /\.insitu-|locks\//.test(name)),
    [],
  );
});

together(
  'killed at any step of putting it there: no image or a whole one, and the next one tidies up',
  async () => {
    const content = moduleBytes('steps');
    let images = 0;
    const prebuilt = (await install(content, { root: fresh(), tier: 'quick', ...counting() })).image;
    const compile: Compile = async (_, __, { output }) => copyFileSync(prebuilt, output);
    for (let step = 1; ; step++) {
      const root = fresh();
      const script = `
      const fs = (await import('node:module')).createRequire(${JSON.stringify(import.meta.url)})('node:fs');
      let steps = 0;
      let counts = false;
      for (const name of ['writeSync', 'renameSync', 'fsyncSync', 'fchmodSync', 'symlinkSync', 'mkdirSync']) {
        const original = fs[name];
        fs[name] = (...all) => {
          if (counts && ++steps === ${step}) process.kill(process.pid, 'SIGKILL');
          return original(...all);
        };
      }
      (await import('node:module')).syncBuiltinESMExports();
      const { install } = await import(${JSON.stringify(module('install'))});
      await install(Buffer.from('${content.toString('hex')}', 'hex'), {
        root: ${JSON.stringify(root)},
        tier: 'quick',
        from: '/steps',
        async compile(workshop, bytes, { output }) {
          fs.copyFileSync(${JSON.stringify(prebuilt)}, output);
          counts = true;
        },
      });
      process.exit(0);`;
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        stdio: 'inherit',
      });
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      const verified = await verifyStore(root, { repair: true, compile });
      for (const { damage } of verified)
        assert.ok(
          damage.every(({ what }) => ['has no image', 'is gone'].includes(what)),
          `${step}`,
        );
      if (imageOfBytes(content, { roots: [root] })) images++;
      const again = await install(content, { root, tier: 'quick', compile });
      assert.is(imageOfBytes(content, { roots: [root] })?.image, again.image);
      assert.equal(
        filesIn(root).filter((name) => /\.insitu-|locks\//.test(name)),
        [],
        `${step}`,
      );
      if (signal === null) {
        assert.is(code, 0);
        assert.ok(step > 10, `${step} steps`);
        break;
      }
    }
    assert.ok(images > 1, 'some were killed when the image was there');
  },
);

together.run();

const obstacles = suite('obstacles');

/** Only root may mount, and not in every container. */
function canMount(): boolean {
  const at = fresh('mount');
  mkdirSync(at);
  const { status } = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', at]);
  if (status === 0) execFileSync('umount', [at]);
  return status === 0;
}
const mounted = canMount() ? obstacles : obstacles.skip;

mounted('a full disk: an error that says so, and all as it was', async () => {
  const mount = fresh('full');
  mkdirSync(mount);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount]);
  try {
    const { compile } = counting();
    const root = openStore(join(mount, 'store'));
    await install(moduleBytes('fits'), { root, compile, tier: 'quick' });
    const before = filesIn(root);
    const error = await fails(() => install(moduleBytes('large', 100_000), { root, compile, tier: 'quick' }));
    assert.is(error.code, 'ENOSPC');
    assert.match(error.message, /ENOSPC: no space left on device, write/);
    const noRoomForImage = moduleBytes('image', 30_000);
    assert.is((await fails(() => install(noRoomForImage, { root, compile, tier: 'quick' }))).code, 'ENOSPC');
    assert.equal(filesIn(root), before);
    assert.ok(imageOfBytes(moduleBytes('fits'), { roots: [root] }));
  } finally {
    execFileSync('umount', [mount]);
  }
});

mounted('a full disk where it compiles', async () => {
  const mount = fresh('full');
  mkdirSync(mount);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', mount]);
  const { TMPDIR } = process.env;
  try {
    const { compile } = counting();
    const root = openStore(fresh());
    const before = filesIn(root);
    process.env.TMPDIR = mount;
    assert.is((await fails(() => install(moduleBytes('x'), { root, compile }))).code, 'ENOSPC');
    await pause(20);
    assert.equal(readdirSync(mount), []);
    assert.equal(filesIn(root), before);
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    execFileSync('umount', [mount]);
  }
});

mounted('a read-only store: what is there is found, nothing more goes in', async () => {
  const mount = fresh('read-only');
  mkdirSync(mount);
  const { compile } = counting();
  const bytes = moduleBytes('there');
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', mount]);
  try {
    const root = join(mount, 'store');
    const made = await install(bytes, { root, compile, tier: 'quick' });
    execFileSync('mount', ['-o', 'remount,ro', mount]);
    assert.is(imageOfBytes(bytes, { roots: [root] })?.image, made.image);
    assert.is((await install(bytes, { root, compile, tier: 'quick', from: '/x' })).status, 'present');
    assert.is((await fails(() => install(moduleBytes('more'), { root, compile }))).code, 'EROFS');
    assert.is((await fails(() => removeModule(root, made.sha256))).code, 'EROFS');
    execFileSync('mount', ['-o', 'remount,rw,noexec', mount]);
    const error = await fails(() => install(bytes, { root, compile }));
    assert.is(error.code, 'ERR_NOT_MAPPABLE');
    assert.match(error.message, /mounted noexec; want a store elsewhere/);
  } finally {
    execFileSync('umount', [mount]);
  }
});

obstacles.run();

const care = suite('rm and verify');

care('a module goes by name, by hash, by file; several of a name have to be told apart', async () => {
  const root = fresh();
  const { compile } = counting();
  const put = async (content: string, name: string) => {
    const directory = fresh(name);
    mkdirSync(directory);
    const path = join(directory, 'same.wasm');
    writeFileSync(path, moduleBytes(content));
    return { path, ...(await installFile(path, { root, compile, tier: 'quick' })) };
  };
  const [one, two] = [await put('rm one', 'd1'), await put('rm two', 'd2')];
  assert.is(findModule(root, one.sha256.slice(0, 12)).sha256, one.sha256);
  assert.is(findModule(root, two.path).sha256, two.sha256);
  assert.throws(() => findModule(root, 'same.wasm'), /could be any of .*d1.*d2.*; want one hash/);
  assert.throws(() => findModule(root, 'none.wasm'), /has no module none\.wasm \(insitu ls\)/);
  assert.throws(() => findModule(root, one.sha256.slice(0, 3)), /has no module/);
  await removeModule(root, one.sha256);
  assert.is(findModule(root, 'same.wasm').sha256, two.sha256);
  assert.equal(readdirSync(join(root, 'entries')), [two.sha256]);
  const copy = moduleFile('rm two', 'copy.wasm');
  assert.is(findModule(root, copy).sha256, two.sha256, 'the same content under another name');
});

/** Changes a byte of a file that nobody may write. */
function damage(path: string, at: number): void {
  const bytes = readFileSync(path);
  const place = at < 0 ? bytes.length + at : at;
  bytes.writeUInt8(bytes.readUInt8(place) ^ 0x40, place);
  chmodSync(path, 0o644);
  writeFileSync(path, bytes);
}

care('every byte of an image and of its record counts', async () => {
  const { compile } = counting();
  const { image } = await install(moduleBytes('bytes'), { root: fresh(), compile, tier: 'quick' });
  const { length } = readFileSync(image);
  for (let at = 1; at < 700; at++) {
    damage(image, -at);
    assert.ok(damageOf(image), `${length - at} of ${length}`);
    damage(image, -at);
  }
  for (let at = 0; at < length - 700; at += 97) {
    damage(image, at);
    assert.is(damageOf(image), 'its bytes are not those that were written');
    damage(image, at);
  }
  assert.is(damageOf(image), undefined);
  for (const size of [0, 1, 87, 88, 89, length - 1]) {
    writeFileSync(`${image}.cut`, readFileSync(image).subarray(0, size));
    assert.match(damageOf(`${image}.cut`) ?? '', /want the record of an image at its end/);
  }
});

care('damage is told, and made whole again', async () => {
  const root = fresh();
  const { compile, compiled } = counting();
  const path = moduleFile('whole');
  const made = await installFile(path, { root, compile, tier: 'quick' });
  const lost = await install(moduleBytes('lost'), { root, compile, tier: 'quick' });
  const state = async (repair: boolean) =>
    Object.fromEntries(
      (await verifyStore(root, { repair, compile })).map((entry) => [
        entry.sha256 === made.sha256 ? 'made' : 'lost',
        [entry.damage.map(({ what }) => what), entry.repair],
      ]),
    );
  const intact = [[], null];
  assert.equal(await state(true), { made: intact, lost: intact });
  const original = readFileSync(made.image);

  damage(made.image, 1000);
  assert.equal((await state(false)).made, [['its bytes are not those that were written'], null]);
  assert.equal((await state(true)).made, [['its bytes are not those that were written'], 'compiled again']);
  assert.equal(readFileSync(made.image), original);
  assert.is(compiled(), 3);

  damage(made.source, 8); // it is where it was installed from still
  assert.equal((await state(true)).made, [['its bytes are not those that were installed'], 'compiled again']);
  assert.equal(readFileSync(made.source), readFileSync(path));

  rmSync(made.image);
  assert.equal((await state(true)).made, [['has no image'], 'compiled again']);

  damage(lost.source, 8);
  assert.equal((await state(true)).lost, [['its bytes are not those that were installed'], 'removed']);
  assert.equal(await state(false), { made: intact });
  assert.not(existsSync(entryPath(root, lost.sha256)));
});

care('the image of another module, under this one’s name', async () => {
  const root = fresh();
  const { compile } = counting();
  const [one, two] = [moduleBytes('swap one'), moduleBytes('swap two')];
  const [first, second] = [await install(one, { root, compile }), await install(two, { root, compile })];
  chmodSync(first.image, 0o644);
  writeFileSync(first.image, readFileSync(second.image));
  const damaged = (await verifyStore(root, {})).filter(({ damage: found }) => found.length > 0);
  assert.equal(
    damaged.map(({ sha256, damage: found }) => [sha256, found]),
    [[first.sha256, [{ path: first.image, what: 'it is the image of another module' }]]],
  );
  assert.is((await install(one, { root, compile })).status, 'compiled', 'it is not taken for what it is not');
});

care('verify --repair tidies up what killed ones have left, and what leads nowhere', async () => {
  const root = fresh();
  const { compile } = counting();
  const made = await install(moduleBytes('tidy'), { root, compile, tier: 'quick' });
  const before = filesIn(root);
  writeFileSync(join(made.entry, '.insitu-place-1-x-0'), 'left');
  writeFileSync(join(root, 'index', 'garbage'), 'left');
  mkdirSync(join(root, 'entries', `${made.sha256}.1.removed`));
  writeFileSync(join(root, 'entries', `${made.sha256}.1.removed`, SOURCE), 'left');
  await verifyStore(root, { repair: true, compile });
  assert.equal(
    filesIn(root).filter((name) => name !== 'index/garbage'),
    before,
  );
  assert.equal(readdirSync(join(root, 'entries')), [made.sha256]);
});

care.run();
