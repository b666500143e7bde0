// insitu install, ls, rm, verify, as users have them.
import { execFileSync, type SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Estimate } from '../../runtime/cli/estimate.ts';
import { environment, insitu, main, start } from './insitu.ts';

const directory = mkdtempSync(join(tmpdir(), 'insitu-install-test-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

let count = 0;
const fresh = (name: string) => join(directory, `${name}${count++}`);

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** One function that returns a constant below 64. */
const returning = (constant: number) =>
  Buffer.from([
    ...HEADER,
    ...[1, 5, 1, 0x60, 0, 1, 0x7f],
    ...[3, 2, 1, 0],
    ...[7, 5, 1, 1, 0x66, 0, 0],
    ...[10, 6, 1, 4, 0, 0x41, constant, 0x0b],
  ]);
const component = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);

function file(name: string, content: Buffer | string): string {
  const path = join(directory, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
}

/** `insitu args…` with a store of its own, or this one. */
function at(store: string, args: string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  return insitu(args, { env: { ...environment, INSITU_STORE: store, ...env }, timeout: 60_000 });
}
function json(store: string, args: string[], status = 0) {
  const outcome = at(store, [...args, '--json']);
  assert.is(outcome.status, status, outcome.stderr);
  return JSON.parse(outcome.stdout);
}

const verbs = suite('install, ls, rm, verify');

verbs('a directory: every module by its bytes, the rest with a reason; none twice', () => {
  const store = fresh('store');
  file('app/one.wasm', returning(1));
  file('app/deep/two.bin', returning(2));
  file('app/deep/again.wasm', returning(1));
  file('app/component.wasm', component);
  file('app/text.wasm', 'no module');
  file('app/readme.txt', 'nothing to say about');
  truncateSync(file('app/huge.wasm', returning(1)), 2 ** 31);
  symlinkSync('.', join(directory, 'app/loop'));
  const first = json(store, ['install', '--tier=quick', join(directory, 'app'), '/bin/ls'], 1);
  assert.equal(
    first.installed.map(({ from, tier, cpu }: Record<string, string>) => [
      from?.slice(directory.length),
      tier,
      cpu,
    ]),
    [
      ['/app/deep/again.wasm', 'quick', 'baseline'],
      ['/app/deep/two.bin', 'quick', 'baseline'],
      ['/app/one.wasm', 'quick', 'baseline'],
    ],
  );
  assert.is(first.installed.filter(({ status }: { status: string }) => status === 'compiled').length, 2);
  const reasons = Object.fromEntries(
    first.refused.map(({ path, reason }: Record<string, string>) => [
      path?.slice(path.lastIndexOf('/') + 1),
      reason,
    ]),
  );
  assert.equal(
    first.components.map(({ from, modules }: { from: string; modules: string[] }) => [
      from.slice(directory.length),
      modules,
    ]),
    [['/app/component.wasm', []]],
    'an empty one',
  );
  assert.match(reasons['text.wasm'], /is neither a WebAssembly module nor a Node addon/);
  assert.match(reasons.ls, /is elf-program; want a Node addon or shared object/);
  assert.is(reasons['huge.wasm'], 'has 2147483648 bytes; want at most 1073741824');
  assert.is(Object.keys(reasons).length, 3);
  const second = at(store, ['install', '--tier=quick', join(directory, 'app/one.wasm')]);
  assert.is(second.status, 0);
  assert.match(second.stdout, /^one\.wasm .* there already +quick +baseline/m);
});

verbs('best is the default, and takes the place of quick; native is beside it', () => {
  const store = fresh('store');
  const path = file('tiers.wasm', returning(3));
  assert.is(json(store, ['install', '--tier=quick', path]).installed[0].tier, 'quick');
  assert.is(json(store, ['install', path]).installed[0].status, 'compiled');
  assert.is(json(store, ['install', '--cpu=native', path]).installed[0].status, 'compiled');
  const { modules } = json(store, ['ls']);
  assert.is(modules.length, 1);
  assert.equal(
    modules[0].images.map(({ record }: { record: { tier: string } }) => record.tier),
    ['best', 'best'],
  );
  assert.match(at(store, ['ls']).stdout, /^tiers\.wasm +[0-9a-f]{12} .* best +x86-64 baseline +gcc/m);
});

verbs('rm by name, hash and file; what is no module of the store', () => {
  const store = fresh('store');
  const paths = [4, 5, 6].map((n) => file(`rm${n}.wasm`, returning(n)));
  assert.is(at(store, ['install', '--tier=quick', ...paths]).status, 0);
  const [, , third] = json(store, ['ls']).modules;
  const refused = at(store, ['rm', 'rm4.wasm', 'nowhere.wasm']);
  assert.equal([refused.status, refused.stdout], [127, '']);
  assert.match(refused.stderr, /^insitu: .*has no module nowhere\.wasm \(insitu ls\)\n$/);
  assert.is(json(store, ['ls']).modules.length, 3, 'nothing was taken out');
  assert.is(at(store, ['rm', 'rm4.wasm', paths[1] as string, third.sha256.slice(0, 10)]).status, 0);
  assert.equal(json(store, ['ls']).modules, []);
});

verbs('verify tells damage, and repairs it', () => {
  const store = fresh('store');
  const [image] = json(store, ['install', '--tier=quick', file('verify.wasm', returning(7))]).installed.map(
    (one: { image: string }) => one.image,
  );
  assert.match(at(store, ['verify']).stdout, /^intact {3}verify\.wasm {2}[0-9a-f]{64}\n$/);
  chmodSync(image, 0o644);
  writeFileSync(image, readFileSync(image).fill(0, 0, 64));
  const told = at(store, ['verify']);
  assert.is(told.status, 1);
  assert.match(told.stdout, /^DAMAGED {2}verify\.wasm/);
  assert.match(told.stderr, /^insitu: .*\.so: its bytes are not those that were written\n$/);
  const repaired = json(store, ['verify', '--repair']);
  assert.is(repaired.entries[0].repair, 'compiled again');
  assert.is(at(store, ['verify']).status, 0);
});

verbs('usage', () => {
  const store = fresh('store');
  const misused: [string[], RegExp][] = [
    [['install'], /wants FILE or DIR/],
    [['install', '--tier=fast', 'x'], /--tier=fast is unknown; want best or quick/],
    [['install', '--cpu=old', 'x'], /--cpu=old is unknown; want baseline or native/],
    [['ls', 'x'], /ls wants no FILE/],
    [['rm'], /rm wants NAME/],
    [['verify', 'x'], /verify wants no FILE/],
    [['rm', '--frobnicate'], /'--frobnicate'/],
  ];
  for (const [args, message] of misused) {
    const { status, stdout, stderr } = at(store, args);
    assert.equal([status, stdout], [2, ''], args.join(' '));
    assert.match(stderr, message);
  }
  for (const verb of ['install', 'ls', 'rm', 'verify'])
    assert.match(at(store, [verb, '--help']).stdout, new RegExp(`^usage: insitu ${verb}`, 'm'));
  assert.is(at(store, ['install', '/nowhere.wasm']).status, 127);
  assert.not(existsSync(store));
});

verbs('without INSITU_STORE and without a home', () => {
  const none = { INSITU_STORE: '', HOME: '', XDG_CACHE_HOME: '', XDG_CONFIG_HOME: '' };
  const { status, stdout } = at('', ['ls', '--json'], none);
  assert.is(status, 0);
  assert.match(JSON.parse(stdout).store.root, /^\/.+\/insitu/);
  const cache = fresh('cache');
  const path = file('cached.wasm', returning(8));
  const made = at('', ['install', '--json', '--tier=quick', path], { ...none, XDG_CACHE_HOME: cache });
  assert.is(JSON.parse(made.stdout).store.why === 'dax' || existsSync(join(cache, 'insitu/STORE')), true);
});

verbs('no compiler: what to install', () => {
  const store = fresh('store');
  const path = file('compiler.wasm', returning(9));
  const { status, stderr } = at(store, ['install', path], { INSITU_CC: '/nowhere/cc' });
  assert.is(status, 126);
  assert.match(stderr, /INSITU_CC is no C compiler: ENOENT; want one: apt-get install gcc/);
});

verbs.run();

const interrupted = suite('interrupted');

/** A compiler that takes its time over everything but to say what it is. */
function slowCompiler(): string {
  const path = fresh('cc');
  writeFileSync(path, '#!/bin/sh\n[ "$1" = -v ] && exec cc -v\nsleep 1000 &\nwait\n');
  chmodSync(path, 0o755);
  return path;
}

const runs = (part: string): number[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`TMPDIR=${part}`);
      } catch {
        return false;
      }
    });

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (condition()) return;
    await pause(25);
  }
  throw new Error(`waited in vain until ${what}`);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const)
  interrupted(`by ${signal}: it ends by that, and leaves nothing`, async () => {
    const [store, temporary] = [fresh('store'), fresh('temporary')];
    mkdirSync(temporary);
    const path = file('interrupted.wasm', returning(10));
    const env = { ...environment, INSITU_STORE: store, TMPDIR: temporary, INSITU_CC: slowCompiler() };
    const child = start(['install', path], { env, stdio: 'ignore' });
    // The compiler has a directory of its own below.
    await until(() => runs(`${temporary}/`).length >= 2, 'it compiles');
    child.kill(signal);
    const [, by] = await once(child, 'exit');
    assert.is(by, signal);
    await until(
      () => runs(`${temporary}/`).length === 0 && readdirSync(temporary).length === 0,
      'all is gone',
    );
    assert.equal(readdirSync(join(store, 'entries')), []);
  });

interrupted.run();

const terminal = suite('progress');

terminal('on a terminal alone', () => {
  const path = file('progress.wasm', returning(11));
  const env = { ...environment, INSITU_STORE: fresh('store'), TERM: 'xterm' };
  assert.is(at(fresh('store'), ['install', path]).stderr, '');
  const shown = execFileSync('script', ['-qec', `${process.execPath} ${main} install ${path}`, '/dev/null'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  const line = shown.split('\r\x1b[K').find((part) => part.includes('progress.wasm: '));
  assert.match(line ?? '', /progress\.wasm: \d+ %/);
});

terminal('time left is as long for the rest as it was for what is done', () => {
  const estimate = new Estimate(1000);
  estimate.update('a', 10);
  assert.is(estimate.line('a', 1000), 'a: 1 %');
  estimate.update('a', 250);
  assert.is(estimate.line('a', 1000), 'a: 25 %, 3 s left');
  estimate.update('b', 250);
  assert.is(estimate.line('b', 100_000), 'b: 50 %, 1:40 left');
  estimate.finish('a', 500);
  estimate.finish('b', 500);
  assert.is(estimate.line('b', 5), 'b: 100 %, 0 s left');
});

terminal.run();
