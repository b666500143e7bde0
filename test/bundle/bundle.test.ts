// insitu bundle and insitu run of what it makes.
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import process from 'node:process';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileC } from '../build/compile.ts';
import { addonIn, include, threads } from '../hook/addon.ts';
import { files } from './app.ts';
import { bundled, cli, directory, type Ended, env, insitu, node, write } from './stage.ts';

const bundles = suite('bundle');

const app = write(files, join(directory, 'app'));
symlinkSync('data/text.txt', join(app, 'link'));
symlinkSync('data/more', join(app, 'linked'));
symlinkSync('nowhere', join(app, 'dangling'));
const region = bundled(app);
const out = { OUT: directory, NODE_NO_WARNINGS: '1' }; // of syntax.js, which says nothing of its type

/** A module that V8 is not sooner done with. */
const returning = async (value: number) =>
  Buffer.from(
    await parse(
      `(module (func (export "f") (result i32) (i32.const ${value})) (memory 1) (data "${'x'.repeat(140_000)}"))`,
    ),
  );

/** Numbers below a limit. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

bundles('an app sees and does the same as from its directory, which is not needed any more', () => {
  const plain = node([join(app, 'main.cjs'), 'x', 'y'], out);
  renameSync(app, `${app}.away`);
  const placed = insitu(['run', region, 'x', 'y'], out);
  renameSync(`${app}.away`, app);
  assert.equal([plain.status, plain.stderr], [0, '']);
  assert.equal([placed.status, placed.stderr, placed.stdout], [0, '', plain.stdout]);
});

bundles('nothing of it can be changed, the region itself least of all', () => {
  const changes = `
    const fs = require('node:fs');
    const outside = process.env.OUT + '/outside';
    fs.writeFileSync(outside, 'x');
    const tried = [];
    for (const at of [__dirname, __filename, __dirname + '/new'])
      for (const [name, ...args] of [['writeFileSync', at, 'x'], ['appendFileSync', at, 'x'], ['unlinkSync', at], ['rmSync', at, { force: true, recursive: true }],
        ['renameSync', outside, at], ['renameSync', at, outside], ['copyFileSync', outside, at], ['truncateSync', at], ['chmodSync', at, 0], ['mkdirSync', at], ['rmdirSync', at],
        ['symlinkSync', outside, at], ['linkSync', outside, at], ['utimesSync', at, 0, 0], ['openSync', at, 'w'], ['mkdtempSync', at + '/'], ['cpSync', outside, at]])
        try { fs[name](...args); tried.push(name + ' done'); } catch ({ code }) { if (code !== 'EROFS') tried.push(name + ' ' + code); }
    (async () => {
      for (const act of [() => fs.promises.writeFile(__dirname, 'x'), () => fs.promises.rm(__dirname), () => new Promise((y, n) => fs.unlink(__dirname, (e) => (e ? n(e) : y())))])
        await act().then(() => tried.push('done'), ({ code }) => code === 'EROFS' || tried.push(code));
      console.log(tried.join(), fs.readFileSync(outside, 'utf8'));
    })();`;
  const made = bundled(write({ 'index.js': changes }, join(directory, 'changes')));
  const before = readFileSync(made);
  const done = insitu(['run', made], out);
  assert.equal([done.stdout, done.stderr], [' x\n', '']);
  assert.ok(readFileSync(made).equals(before));
});

bundles('a region that loses pages while it runs ends the program with a line that says so', () => {
  const losing = `
    const fs = require('node:fs');
    require('node:child_process').execFileSync('truncate', ['-s', '2200000', process.argv[2]]);
    let sum = 0;
    for (const byte of fs.readFileSync(__dirname + '/large.bin')) sum += byte;
    console.log('went on', sum);`;
  const made = bundled(
    write({ 'index.js': losing, 'large.bin': Buffer.alloc(3 << 20, 1) }, join(directory, 'losing')),
  );
  const alias = join(directory, 'alias.region'); // what the program may not change by its name
  linkSync(made, alias);
  const { stdout, stderr } = insitu(['run', made, alias]);
  assert.equal([stdout, /losing\.region.*the page is gone from the file/.test(stderr)], ['', true], stderr);
});

bundles('main programs in ES modules: import.meta.main, an await that never ends', () => {
  const at = write(
    {
      'main.mjs': 'console.log(import.meta.main ?? "unknown");',
      'never.mjs': 'await new Promise(() => {});',
    },
    join(directory, 'main-programs'),
  );
  for (const entry of ['main.mjs', 'never.mjs']) {
    const plain = node([join(at, entry)]);
    const done = insitu(['run', bundled(at, '--entry', entry)]);
    assert.equal([done.status, done.stdout], [plain.status, plain.stdout], entry);
  }
});

bundles('conditions that Node is given hold for require, too', () => {
  const mapped = {
    'index.js': 'console.log(require("env"));',
    'node_modules/env/package.json': '{ "exports": { "production": "./prod.js", "default": "./dev.js" } }',
    'node_modules/env/prod.js': 'module.exports = "prod";',
    'node_modules/env/dev.js': 'module.exports = "dev";',
  };
  const made = bundled(write(mapped, join(directory, 'conditions')));
  assert.is(insitu(['run', made]).stdout, 'dev\n');
  assert.is(node(['--conditions=production', cli, 'run', made]).stdout, 'prod\n');
  assert.is(node(['-C', 'production', cli, 'run', made]).stdout, 'prod\n');
});

const reasonsOf = ({ reports }: Ended) =>
  reports.flatMap(({ modules }) => modules.map(({ reason }) => reason));

bundles('WebAssembly: files, and what scripts carry in their text once it was learnt', async () => {
  const calling = `const five = (bytes) => console.log(new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f());
    five(require('node:fs').readFileSync(require('node:path').join(__dirname, 'one.wasm')));
    five(Buffer.from(${JSON.stringify((await returning(6)).toString('base64'))}, 'base64'));`;
  const wasm = write({ 'index.js': calling, 'one.wasm': await returning(5) }, join(directory, 'wasm'));
  const learnt = insitu(['install', '--tier=quick', '--from', join(wasm, 'index.js')]);
  assert.is(learnt.status, 0, learnt.stderr);
  const made = insitu(['bundle', wasm, '-o', `${wasm}.region`, '--tier=quick', '--json']);
  assert.equal(JSON.parse(made.stdout).images.length, 2, made.stderr);
  rmSync(wasm, { recursive: true });
  for (const threads of [false, true]) {
    const store = { INSITU_STORE: join(directory, 'no-store') };
    const done = insitu(['run', `${wasm}.region`], { ...store, ...(threads ? { THREADS: '1' } : {}) });
    assert.equal([done.stdout, done.stderr, reasonsOf(done)], ['5\n6\n', '', ['in place', 'in place']]);
    for (const { images } of done.reports)
      for (const { module, bytesCopied } of images)
        assert.equal([module.startsWith(`${wasm}.region/`), bytesCopied], [true, 0]);
  }
  const off = insitu(['run', `${wasm}.region`], { INSITU: 'off' });
  assert.equal([off.stdout, reasonsOf(off)], ['5\n6\n', []]);
});

bundles('addons and what they need, for all threads, from the one file', () => {
  const { addon } = addonIn(join(directory, 'with-addon'));
  write({ 'index.js': threads }, join(directory, 'with-addon'));
  const made = bundled(join(directory, 'with-addon'));
  rmSync(join(directory, 'with-addon'), { recursive: true });
  const done = insitu(['run', made]);
  assert.equal([done.status, done.stderr, done.stdout], [0, '', '401\n402\n']);
  for (const { libraries } of done.reports) {
    assert.equal(
      libraries.map(({ path, reason }) => [path, reason]),
      [[`${made}/${relative(join(directory, 'with-addon'), addon)}`, 'in place']],
    );
    const mapped = libraries.flatMap(({ mapped }) => mapped);
    assert.equal(
      mapped.map(({ path }) => basename(path)),
      ['addon.node', 'libbeside.so'],
    );
    for (const { evidence } of mapped)
      assert.match(evidence.summary, /(\d+) of \1 resident text pages|text pages are resident/);
  }
});

const addonApp = (name: string, text: string, index = 'console.log(Object.keys(require("./own.node")));') => {
  const at = write({ 'index.js': index }, join(directory, name));
  compileC(text, { name: 'own.node', kind: 'shared', dir: at, flags: [`-I${include}`] });
  return bundled(at);
};

bundles('addons of the V8 API, by symbol and by constructor; functions that are nowhere', () => {
  const version = process.versions.modules;
  // What is called has V8's objects at hand, and would want its headers to make something of them.
  const register = `
    #include <stdio.h>
    static void init(void *exports, void *module, void *context) { puts(exports && module && context ? "by" : "none"); fflush(stdout); }`;
  const bySymbol = addonApp(
    'v8-symbol',
    `${register}
    __attribute__((visibility("default"))) void node_register_module_v${version}(void *e, void *m, void *c) { init(e, m, c); }`,
  );
  const byConstructor = (wanted: string) => `${register}
    struct { int version; unsigned flags; void *handle; const char *file; void *init, *context; const char *name; void *data, *link; }
      own = { ${wanted}, 0, 0, "own.cc", 0, init, "own", 0, 0 };
    void node_module_register(void *);
    __attribute__((constructor)) static void begin(void) { node_module_register(&own); }`;
  const right = addonApp('v8-constructor', byConstructor(version));
  for (const region of [bySymbol, right]) {
    const done = insitu(['run', region]);
    assert.equal([done.stdout, done.stderr, done.status], ['by\n[]\n', '', 0]);
  }
  const wrong = insitu(['run', addonApp('v8-other', byConstructor('1'))]);
  assert.match(wrong.stderr, /own\.node: was built for NODE_MODULE_VERSION 1; want \d+/);
  const lazy = insitu([
    'run',
    addonApp(
      'lazy',
      `
    #include <node_api.h>
    void nowhere(void);
    NAPI_MODULE_INIT() { napi_value n; napi_create_int32(env, 1, &n); napi_set_named_property(env, exports, "a", n); if (!env) nowhere(); return exports; }`,
    ),
  ]);
  assert.equal([lazy.stdout, lazy.status], ["[ 'a' ]\n", 0], lazy.stderr);
  const called = insitu([
    'run',
    addonApp(
      'called',
      `
    #include <node_api.h>
    void nowhere(void);
    NAPI_MODULE_INIT() { nowhere(); return exports; }`,
    ),
  ]);
  assert.equal(
    [called.status, /symbol lookup error: .*: undefined symbol: nowhere/.test(called.stderr)],
    [127, true],
  );
  const none = insitu([
    'run',
    addonApp(
      'none',
      `
    #include <node_api.h>
    extern int nowhere;
    NAPI_MODULE_INIT() { return nowhere ? exports : 0; }`,
    ),
  ]);
  assert.match(
    none.stderr,
    /Error: .*own\.node: 1 symbol is defined nowhere: nowhere;(.|\n)*ERR_DLOPEN_FAILED/,
  );
});

bundles('ES modules that are run, exit codes, errors with the file in their trace', () => {
  const at = (name: string, text: string) =>
    bundled(write({ [name]: text }, join(directory, `main-${name}`)), '--entry', name);
  const late = insitu([
    'run',
    at(
      'late.mjs',
      'console.log(await Promise.resolve(import.meta.url.split("/").at(-1))); process.exitCode = 3;',
    ),
  ]);
  assert.equal([late.stdout, late.stderr, late.status], ['late.mjs\n', '', 3]);
  const throwing = at('throwing.cjs', 'function deep() { throw new Error("on purpose"); }\ndeep();');
  const thrown = insitu(['run', throwing]);
  assert.is(thrown.status, 1);
  assert.match(
    thrown.stderr,
    new RegExp(
      `${throwing}/throwing\\.cjs:1\\n(.|\\n)*Error: on purpose\\n +at deep \\(${throwing}/throwing\\.cjs:1:`,
    ),
  );
  assert.match(
    insitu(['run', at('rejected.mjs', 'await Promise.reject(new Error("late"));')]).stderr,
    /Error: late/,
  );
  assert.match(
    insitu(['run', at('syntax.cjs', 'const = 1;')]).stderr,
    /syntax\.cjs:1\nconst = 1;\n(.|\n)*SyntaxError/,
  );
  const killed = insitu([
    'run',
    at('killed.cjs', 'process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000)'),
  ]);
  assert.is(killed.signal ?? killed.status, 'SIGKILL');
  assert.match(
    insitu(['run', at('writing.cjs', 'require("fs").writeFileSync(__dirname + "/new", "x")')]).stderr,
    /EROFS|ENOTDIR/,
  );
});

bundles('V8’s code cache of a warm run is used, for the app that it is of, by the Node that made it', () => {
  const text = (what: string) => `#!/usr/bin/env node
    const late = () => '${what}';
    console.log(late(), require.main === module, this === module.exports, typeof require.resolve.paths('x'));
    if (!process.argv[2]) import('./late.mjs').then(({ default: last }) => console.log(last));
    if (process.argv[2]) throw new Error('on purpose');`;
  const at = write(
    { 'index.js': text('one'), 'late.mjs': 'export default "last";' },
    join(directory, 'code'),
  );
  const made = bundled(at);
  const expected = 'one true true object\nlast\n';
  const entries = () =>
    JSON.parse(insitu(['region', 'ls', '--json', made]).stdout).entries.map(
      ({ name }: { name: string }) => name,
    );
  assert.equal(entries(), ['app']);
  const warm = insitu(['run', '--warm', made]);
  assert.equal([warm.status, warm.stdout, warm.stderr], [0, expected, '']);
  const [, code] = entries();
  assert.match(code, /^code-[0-9a-f]{8}$/);
  const [ofApp, ofCode] = JSON.parse(insitu(['region', 'ls', '--json', made]).stdout).entries;
  const identityAt = (at: number) => readFileSync(made).toString('hex', at, at + 16);
  assert.is(identityAt(ofCode.offset + 16), identityAt(ofApp.offset + 44));
  const again = insitu(['run', made]);
  assert.equal([again.stdout, again.stderr], [expected, '']);
  const flags = insitu(['run', made], { NODE_OPTIONS: '--interpreted-frames-native-stack' });
  assert.equal([flags.stdout, flags.stderr], [expected, '']);
  const thrown = insitu(['run', made, 'x']).stderr;
  assert.match(
    thrown,
    /code\.region\/index\.js:5\n.*throw new Error\('on purpose'\);\n +\^(.|\n)*index\.js:5:/,
  );
  // Another app of the same lengths in its place: V8 alone would not tell.
  const cached = join(directory, 'code-entry');
  const place = JSON.parse(insitu(['region', 'ls', '--json', made]).stdout).entries[1];
  writeFileSync(cached, readFileSync(made).subarray(place.offset, place.offset + place.size));
  write({ 'index.js': text('two') }, at);
  bundled(at);
  assert.is(insitu(['place', '--name', code, cached, made]).status, 0);
  assert.is(insitu(['run', made]).stdout, expected.replace('one', 'two'));
  // A byte of it changed: its checksum says so.
  assert.is(insitu(['run', '--warm', made]).status, 0);
  const bytes = readFileSync(made);
  const { offset, size } = JSON.parse(insitu(['region', 'ls', '--json', made]).stdout).entries[1];
  for (let i = offset + 60; i < offset + size; i += 101) bytes[i] = (bytes[i] as number) ^ 0x55;
  writeFileSync(made, bytes);
  const damaged = insitu(['run', made]);
  assert.equal([damaged.stdout, damaged.status], [expected.replace('one', 'two'), 0], damaged.stderr);
});

bundles('one that is killed leaves nothing that the next does not remove', () => {
  const at = write(
    { 'index.js': '', 'large.bin': Buffer.alloc(48 << 20, 'x') },
    join(directory, 'killed-bundle'),
  );
  const to = join(directory, 'killed', 'k.region');
  mkdirSync(join(directory, 'killed'));
  for (const ms of [250, 300, 350]) {
    const { signal } = spawnSync(process.execPath, [cli, 'bundle', at, '-o', to], {
      env,
      timeout: ms,
      killSignal: 'SIGKILL',
    });
    if (signal === 'SIGKILL' && existsSync(to)) assert.is(insitu(['run', to]).status, 0, 'it is whole');
  }
  assert.is(insitu(['bundle', at, '-o', to]).status, 0);
  assert.equal(readdirSync(join(directory, 'killed')), ['k.region']);
});

bundles('what cannot be bundled, or is none, is said', () => {
  const say = (...args: string[]) => insitu(args).stderr;
  const empty = write({ 'readme.txt': '' }, join(directory, 'empty'));
  const to = join(directory, 'refused.region');
  assert.match(say('bundle', empty, '-o', to), /empty: has no index\.js to run; want --entry FILE/);
  assert.match(say('bundle', empty, '-o', to, '--entry', 'x.js'), /has no x\.js to run/);
  assert.match(say('bundle', join(directory, 'no-such'), '-o', to), /is no directory/);
  assert.match(say('bundle', empty), /bundle wants -o FILE/);
  const linked = write(
    { 'index.js': 'console.log(require("./out/text.txt.js"))' },
    join(directory, 'linked-out'),
  );
  write({ 'text.txt.js': 'module.exports = 3' }, join(directory, 'beside'));
  symlinkSync(join(directory, 'beside'), join(linked, 'out'));
  assert.match(
    say('bundle', linked, '-o', `${linked}.region`),
    /^insitu: out leads out of .*linked-out: what is there was taken/,
  );
  assert.is(insitu(['run', `${linked}.region`]).stdout, '3\n');
  spawnSync('mkfifo', [join(empty, 'fifo')]);
  assert.match(
    say('bundle', empty, '-o', to, '--entry', 'readme.txt'),
    /fifo: is no file, directory or link/,
  );
  assert.match(
    say('bundle', app, '-o', join(directory, 'no-such/x.region')),
    /^insitu: .*no-such\/x\.region: ENOENT/,
  );
  assert.match(say('bundle', app, '-o', '/dev/full'), /^insitu: /);
  assert.not.ok(existsSync(to));
  assert.equal(
    readdirSync(directory).filter((name) => /unfinished|\.insitu-bundle/.test(name)),
    [],
  );
  const other = join(directory, 'other.region');
  assert.is(insitu(['place', '--create=8M', join(app, 'main.cjs'), other]).status, 0);
  assert.match(say('run', other), /has no entry app/);
});

bundles('one that is replaced goes on where it runs, in threads and children too', () => {
  const index = `
    const { Worker, isMainThread } = require('node:worker_threads');
    const { execFileSync } = require('node:child_process');
    if (process.argv[2] === 'child' || !isMainThread) console.log(require('./late.js'));
    else {
      console.log('ready');
      process.stdin.resume().on('end', () => {
        console.log(require('./late.js'), require('node:fs').statSync(__filename).isFile());
        process.stdout.write(execFileSync(process.execPath, [__filename, 'child']));
        process.stdout.write(execFileSync(process.execPath, ['-p', '"any other"']));
        new Worker(__filename);
      });
    }`;
  const at = write(
    { 'index.js': index, 'late.js': 'module.exports = 1', more: 'x' },
    join(directory, 'replaced'),
  );
  const to = join(at, 'own.region');
  const make = () => insitu(['bundle', at, '-o', to]);
  assert.is(make().status, 0);
  const size = statSync(to).size;
  const running = spawn(process.execPath, [cli, 'run', to], { env, stdio: ['pipe', 'pipe', 2] });
  return new Promise<void>((resolve, reject) => {
    let text = '';
    running.stdout?.on('data', (chunk) => {
      if (text === '') {
        write({ 'late.js': 'module.exports = 2', another: 'x', more: 'x'.repeat(10_000) }, at);
        make();
        running.stdin?.end();
      }
      text += chunk;
    });
    running.on('exit', () => {
      try {
        assert.is(text, 'ready\n1 true\n1\nany other\n1\n');
        assert.ok(statSync(to).size - size < 1 << 20, 'it holds itself out');
        assert.is(insitu(['run', to, 'child']).stdout, '2\n');
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  });
});

bundles('any byte of its tables may be another: an error that says so, or nothing', () => {
  const small = bundled(
    write(
      {
        'index.js': 'console.log(require("./a"), require("fs").readdirSync(__dirname).length)',
        'a/index.js': 'module.exports = 1',
      },
      join(directory, 'small'),
    ),
  );
  const bytes = readFileSync(small);
  const start = bytes.indexOf('INSITU\x1aB');
  const end = bytes.indexOf('console.log', start);
  const damaged = join(directory, 'damaged.region');
  const random = seeded(7);
  for (let at = start; at < end; at += 1 + random(end - start > 200 ? 9 : 1)) {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] as number) ^ (1 << random(8));
    writeFileSync(damaged, copy);
    const { signal, status, stderr } = insitu(['run', damaged]);
    assert.equal(
      [signal, status === 0 || /Error|insitu: /.test(stderr)],
      [null, true],
      `${at - start}: ${stderr}`,
    );
  }
  truncateSync(damaged, start + 100);
  assert.match(insitu(['run', damaged]).stderr, /^insitu: .*damaged\.region: /);
});

bundles.run();
