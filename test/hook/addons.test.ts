// The hook: Node addons, and what they need from where they lie.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileC } from '../build/compile.ts';
import { environment, insitu } from '../cli/insitu.ts';
import { directory } from '../wasm/stage.ts';
import { addonIn, include, threads } from './addon.ts';
import { hook, type Run, run, script } from './stage.ts';

const addons = suite('hook: addons');

const throwing = `
  #include <node_api.h>
  NAPI_MODULE_INIT() { napi_throw_error(env, "ERR_OWN", "of its own"); return exports; }`;

/** In directories of these names. They are made at once, and waited for: an install looks twice at what is younger. */
const app = Object.fromEntries(
  ['first', 'changed', 'damaged', 'learning', 'from-app', 'at-once-app'].map((name) => [
    name,
    addonIn(join(directory, name)),
  ]),
) as Record<string, ReturnType<typeof addonIn>>;
const own = compileC(throwing, {
  ...{ name: 'throwing.node', kind: 'shared', dir: directory },
  flags: [`-I${include}`],
});
const MOMENT_MS = 2_100;
await new Promise((resolve) => setTimeout(resolve, MOMENT_MS));
const appOf = (name: string) => app[name] as ReturnType<typeof addonIn>;

const storeOf = (name: string) => ({ INSITU_STORE: join(directory, name) });
function install(env: NodeJS.ProcessEnv, ...paths: string[]) {
  const done = insitu(['install', '--json', ...paths], { env: { ...environment, ...env } });
  assert.is(done.status, 0, done.stderr);
  return JSON.parse(done.stdout).libraries;
}

const calling = script(
  'calling.cjs',
  `const { answer, where } = require(process.argv[2]);
  const maps = require('node:fs').readFileSync('/proc/self/maps', 'utf8').split('\\n');
  const line = maps.find((line) => {
    const [low, high] = line.split(' ')[0].split('-').map((text) => BigInt('0x' + text));
    return where() >= low && where() < high;
  });
  console.log(answer(), line.split(' ').at(-1));`,
);
const opened = ({ reports }: Run) =>
  reports.flatMap(({ libraries }) => libraries.map(({ stored, reason }) => (stored ? 'in place' : reason)));

const first = appOf('first');
const env = storeOf('addons');
const [installed] = install(env, join(directory, 'first'));
const files = join(env.INSITU_STORE, 'libraries', installed.sha256, 'files');

addons('an addon and what it needs by $ORIGIN are opened from the store, and shown to be', () => {
  const done = run([calling, first.addon], { env });
  assert.equal([done.stdout, done.stderr], [`401 ${files}/deps/libbeside.so\n`, '']);
  assert.equal(opened(done), ['in place']);
  const mapped = done.reports[0]?.libraries[0]?.mapped ?? [];
  assert.equal(mapped.map(({ path }) => path).sort(), [
    `${files}/deps/libbeside.so`,
    `${files}/lib/addon.node`,
  ]);
  for (const { evidence } of mapped) assert.ok((evidence.totals.text?.resident ?? 0) > 0);
});

addons('one of it for all threads, an environment for each', () => {
  const file = script('threads.cjs', threads);
  const done = run([file, first.addon], { env });
  assert.equal([done.stdout, done.stderr, opened(done)], ['401\n402\n', '', ['in place', 'in place']]);
});

addons('the same content elsewhere is known by its bytes, then remembered', () => {
  cpSync(join(directory, 'first'), join(directory, 'moved'), { recursive: true });
  const links = () => readdirSync(join(env.INSITU_STORE, 'libraries', 'index')).length;
  const before = links();
  for (const name of ['lib/addon.node', 'deps/libbeside.so'])
    utimesSync(join(directory, 'moved', name), 1, 1);
  const wait = spawnSync('sleep', ['2.1']); // change times cannot be set
  assert.is(wait.status, 0);
  for (let i = 0; i < 2; i++) {
    const done = run([calling, join(directory, 'moved/lib/addon.node')], { env });
    assert.equal([done.stdout, opened(done)], [`401 ${files}/deps/libbeside.so\n`, ['in place']]);
  }
  assert.is(links(), before + 1);
});

addons('what changed since it was installed is opened as it is', () => {
  const store = storeOf('changed');
  const changed = appOf('changed');
  install(store, changed.addon);
  copyFileSync(addonIn(join(directory, 'other'), 7).beside, changed.beside); // only what it needs
  const done = run([calling, changed.addon], { env: store });
  assert.equal([done.stdout, opened(done)], [`701 ${changed.beside}\n`, ['not in a store']]);
  truncateSync(changed.addon, 4096);
  const [broken, plain] = [{ env: store }, { preload: [] }].map((how) => run([calling, changed.addon], how));
  assert.equal([broken?.status, broken?.signal], [plain?.status, plain?.signal]);
});

addons('a copy that is gone, cut off or no ELF any more is passed over', () => {
  const { addon: at } = appOf('damaged');
  for (const damage of [
    (copy: string) => rmSync(copy),
    (copy: string) => truncateSync(copy, 0),
    (copy: string) => truncateSync(copy, 1000),
    (copy: string) => writeFileSync(copy, 'no ELF'),
    (copy: string) => rmSync(join(copy, '../../../list')),
    (copy: string) => writeFileSync(join(copy, '../../../list'), 'nonsense'),
    (copy: string) => rmSync(join(copy, '../../deps'), { recursive: true }),
  ]) {
    const store = storeOf('damaged-store');
    const [{ sha256 }] = install(store, at);
    const set = join(store.INSITU_STORE, 'libraries', sha256);
    for (const path of ['', 'list', 'files/lib/addon.node']) chmodSync(join(set, path), 0o777);
    damage(join(set, 'files/lib/addon.node'));
    const done = run([calling, at], { env: store });
    assert.is(done.stdout, `401 ${join(directory, 'damaged/deps/libbeside.so')}\n`, `${damage}`);
    assert.is.not(opened(done)[0], 'in place', `${damage}`);
    const verified = insitu(['verify', '--repair'], { env: { ...environment, ...store } });
    assert.equal([verified.status, /DAMAGED/.test(verified.stdout)], [1, true], `${damage}`);
    assert.not.ok(existsSync(set));
    rmSync(store.INSITU_STORE, { recursive: true });
  }
});

addons('what the addon itself throws is thrown once, and errors are Node’s own', () => {
  const store = storeOf('throwing');
  const text = script('text.node', 'no addon');
  install(store, own);
  const catching = script(
    'catching.cjs',
    `try { require(process.argv[2]); } catch ({ message, code }) { console.log(message, code); }
    try { process.dlopen(); } catch ({ message, code }) { console.log(message, code); }
    try { process.dlopen({}, 'libnone.so'); } catch ({ message, code }) { console.log(message, code); }
    console.log(process.dlopen.name, process.dlopen.length, Object.keys(process).includes('dlopen'));`,
  );
  for (const path of [own, text, join(directory, 'none.node')]) {
    const [hooked, plain] = [run([catching, path], { env: store }), run([catching, path], { preload: [] })];
    assert.equal([hooked.stdout, hooked.stderr], [plain.stdout, plain.stderr], path);
  }
});

addons('learnt, by whoever asks, and never taken in the process that has it open as it is', async () => {
  const store = { ...storeOf('learning-addons'), INSITU: 'learn' };
  const { addon } = appOf('learning');
  const waiting = script(
    'waiting.cjs',
    `const { answer } = require(process.argv[2]);
    const { existsSync, readdirSync } = require('node:fs');
    const index = process.env.INSITU_STORE + '/libraries/index';
    const { Worker } = require('node:worker_threads');
    const code = 'console.log(require(process.argv[2]).answer())';
    const end = Date.now() + 20000;
    const look = setInterval(() => {
      if (!(existsSync(index) && readdirSync(index).length > 1) && Date.now() < end) return;
      clearInterval(look);
      console.log(answer());
      new Worker(code, { eval: true, argv: [process.argv[2]] });
    }, 20);`,
  );
  const done = run([waiting, addon], { env: store });
  assert.equal([done.stdout, done.stderr], ['401\n402\n', '']);
  assert.equal(opened(done).sort(), ['not in a store: learnt', 'stored only since']);
  assert.equal(opened(run([calling, addon], { env: store })), ['in place']);
});

addons('insitu install --from copies the addons that a program opens', () => {
  const store = storeOf('from');
  const { addon } = appOf('from-app');
  const done = insitu(['install', '--from', calling, addon], { env: { ...environment, ...store } });
  assert.is(done.status, 0, done.stderr);
  assert.match(done.stdout, /addon\.node .*copied in .*with 1 beside it/);
  assert.equal(opened(run([calling, addon], { env: store })), ['in place']);
});

addons('two at once, and one that is killed, leave one set and nothing else', async () => {
  const store = storeOf('at-once');
  const { addon } = appOf('at-once-app');
  const cli = fileURLToPath(new URL('../../dist/runtime/cli/main.cjs', import.meta.url));
  const start = () =>
    spawn(process.execPath, [cli, 'install', addon], {
      env: { ...environment, ...store },
      stdio: 'ignore',
    });
  const ended = (child: ReturnType<typeof start>) =>
    new Promise<number | null>((resolve) => child.on('exit', resolve));
  const killed = start();
  setTimeout(() => killed.kill('SIGKILL'), 300);
  await ended(killed);
  assert.equal(await Promise.all([ended(start()), ended(start())]), [0, 0]);
  const names = readdirSync(join(store.INSITU_STORE, 'libraries'));
  assert.equal([names.length, names.includes('index')], [2, true]);
  assert.equal(opened(run([calling, addon], { env: store })), ['in place']);
  const removed = insitu(['rm', 'addon.node'], { env: { ...environment, ...store } });
  assert.is(removed.status, 0, removed.stderr);
  assert.equal(readdirSync(join(store.INSITU_STORE, 'libraries')), ['index']);
  assert.equal(readdirSync(join(store.INSITU_STORE, 'libraries/index')), []);
  assert.equal(opened(run([calling, addon], { env: store })), ['not in a store']);
});

addons('what is no shared object for this machine is refused with the reason', () => {
  const store = storeOf('refusing');
  const program = compileC('int main(void) { return 0; }', { name: 'program.node', kind: 'pie' });
  const foreign = join(directory, 'foreign.node');
  copyFileSync(first.addon, foreign);
  const bytes = Buffer.from([183, 0]); // EM_AARCH64
  spawnSync('dd', [`of=${foreign}`, 'bs=1', 'seek=18', 'conv=notrunc'], { input: bytes });
  for (const [path, reason] of [
    [program, 'want a Node addon or shared object'],
    [foreign, 'ELF machine is 183; want 62'],
    [script('text.so', 'no library'), 'is neither a WebAssembly module nor a Node addon'],
  ] as const) {
    const { status, stderr } = insitu(['install', path], { env: { ...environment, ...store } });
    assert.equal([status, stderr.includes(reason)], [1, true], stderr);
  }
  const scan = join(directory, 'scan');
  mkdirSync(scan);
  for (const path of [program, foreign]) copyFileSync(path, join(scan, basename(path)));
  const { status, stdout } = insitu(['install', '--json', scan], { env: { ...environment, ...store } });
  assert.equal([status, JSON.parse(stdout).libraries], [0, []]);
});

addons('permissions: what Node may not do is left to Node', () => {
  const flag =
    Number(process.versions.node.split('.')[0]) < 22 ? '--experimental-permission' : '--permission';
  const options = [flag, '--no-warnings', `--allow-fs-read=${join(directory, 'first')}`];
  const read = ['calling.cjs', '../../work'].map((path) => `--allow-fs-read=${join(directory, path)}`);
  const may = [...options, ...read, `--allow-fs-read=${fileURLToPath(new URL('../..', import.meta.url))}`];
  const command = [calling, first.addon];
  const preload = ['--require', hook];
  const denied = run([...may, ...command], { env, preload: [...preload] });
  const plain = run([...may, ...command], { preload: [] });
  const last = ({ stderr }: Run) => /code: '(.*)'/.exec(stderr)?.[1];
  assert.equal([denied.status, last(denied)], [plain.status, last(plain)]);
});

addons.run();
