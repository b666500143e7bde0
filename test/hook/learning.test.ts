// The hook: modules that are learnt.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { insitu } from '../cli/insitu.ts';
import { directory, env, wasmFile } from '../wasm/stage.ts';
import { adder, five, math, pad, plain } from './modules.ts';
import { hook, reportsAt, run, script } from './stage.ts';

const learning = suite('hook: learning');
const toLearn = (name: string) => ({ INSITU_STORE: join(directory, name), INSITU: 'learn' });
const imagesIn = (root: string) => readdirSync(join(root, 'index'), { recursive: true }).length;

async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 30_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

learning('two processes meet a module, leave at once, and it is in place soon after', async () => {
  const setting = { env: toLearn('learnt') };
  const leaving = script(
    'leaving.cjs',
    `${five}
    console.log(five(new WebAssembly.Instance(new WebAssembly.Module(bytes)))); process.exit(3);`,
  );
  for (const done of [run([leaving, adder], setting), run([leaving, adder], setting)]) {
    assert.equal([done.stdout, done.status, done.stderr], ['5\n', 3, '']);
    assert.match(done.where.join(), /^(V8: no image in a store: learnt|in place)$/);
  }
  const root = setting.env.INSITU_STORE;
  await until(() => run([plain, adder], setting).where.join() === 'in place');
  await until(() => readdirSync(join(root, 'learned')).length === 0);
  assert.is(readdirSync(join(root, 'entries')).length, 1);
});

learning('what no image can be made of is not tried again', async () => {
  const gc = await wasmFile(
    'gc.wasm',
    `(module (type $s (struct (field i32))) (func (export "add") (param i32 i32) (result i32) (i32.const 5)) ${pad(140_000)})`,
  );
  const setting = { env: toLearn('refused') };
  const compiling = script('compiling.cjs', `${five} try { new WebAssembly.Module(bytes); } catch {}`);
  run([compiling, gc], setting);
  const root = setting.env.INSITU_STORE;
  await until(() => readdirSync(join(root, 'learned')).some((name) => name.endsWith('.refused')));
  await until(() => !readdirSync(join(root, 'learned')).some((name) => name.endsWith('.wasm')));
  assert.match(run([compiling, gc], setting).where.join(), /^V8: no image in a store: .*V8 runs it/);
});

learning('small modules are in place if they always are to be, or something else is', () => {
  const small = script(
    'both.cjs',
    `${five} new WebAssembly.Module(bytes);
    if (process.argv[3]) new WebAssembly.Module(require('node:fs').readFileSync(process.argv[3]));`,
  );
  assert.match(run([small, math]).where.join(), /^V8: smaller than/);
  assert.equal(run([small, math], { env: { INSITU: 'always' } }).where, ['in place']);
  assert.equal(run([small, adder, math]).where, ['in place', 'in place']);
});

learning('small modules are left alone', () => {
  const setting = { env: toLearn('small') };
  const done = run([script('small.cjs', `${five} new WebAssembly.Module(bytes);`), math], setting);
  assert.match(done.where.join(), /smaller than \d+ bytes/);
  assert.not.ok(existsSync(setting.env.INSITU_STORE));
});

learning('a store that cannot be written is said', () => {
  const done = run([plain, adder], { env: { INSITU: 'learn', INSITU_STORE: '/proc/insitu' } });
  assert.equal([done.stdout, done.status, done.stderr], ['5\n', 0, '']);
  assert.match(done.where.join(), /^V8: no image in a store: not learnt: .*\/proc\/insitu/);
});

learning('insitu install --from runs a program and compiles what it met', () => {
  const root = join(directory, 'from');
  const own = { env: { ...env, INSITU_STORE: root }, cwd: directory };
  const { status, stdout, stderr } = insitu(['install', '--tier=quick', '--from', plain, adder], own);
  assert.is(status, 0, stderr);
  assert.match(stdout, /plain\.cjs .* compiled in/);
  assert.match(stderr, /^5\n/);
  assert.equal(run([plain, adder], { env: { INSITU_STORE: root } }).where, ['in place']);
  assert.ok(imagesIn(root) > 0);
  assert.is(insitu(['install', '--from'], own).status, 2);
  assert.is(insitu(['install', '--learned', adder], own).status, 2);
});

learning('a disk that is full', () => {
  const small = join(directory, 'full');
  mkdirSync(small);
  const mounted = spawnSync(
    'unshare',
    [
      '-m',
      'sh',
      '-c',
      `mount -t tmpfs -o size=8k tmpfs ${small} && exec "$@"`,
      'sh',
      process.execPath,
      '--require',
      hook,
      plain,
      adder,
    ],
    {
      env: {
        ...env,
        INSITU: 'learn',
        INSITU_STORE: join(small, 'store'),
        INSITU_REPORT: join(directory, 'full-report'),
      },
      encoding: 'utf8',
    },
  );
  if (mounted.status !== 0 && /unshare|mount/.test(mounted.stderr)) return; // no mount namespaces here
  assert.equal([mounted.stdout, mounted.stderr], ['5\n', '']);
  assert.match(JSON.stringify(reportsAt(join(directory, 'full-report'))), /not learnt: .*ENOSPC/);
});

learning.run();
