// What gets published, installed where there is no compiler, and used with every Node that is supported. Packs a clean
// clone of HEAD; needs the registry (or npm's cache) for the dependencies and the other Nodes. Ends with
// 'N passed, N failed, N skipped'.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { nodeOf } from '../../native/v8/nodes.ts';
import { buildSamples } from '../../samples/build.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const directory = realpathSync(mkdtempSync(join(tmpdir(), 'insitu-package-')));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const { NODE_OPTIONS: _, NODE_EXTRA_CA_CERTS: certificates, ...inherited } = process.env;
// npm run hands its own settings on; an npm in here starts from the user's.
const clean = Object.fromEntries(Object.entries(inherited).filter(([name]) => !name.startsWith('npm_')));
const forRegistry = certificates === undefined ? clean : { ...clean, NODE_EXTRA_CA_CERTS: certificates };

let passed = 0;
let failed = 0;
let skipped = 0;

/** What `act` returned; undefined if it threw, which is a failure. */
function check<T>(name: string, act: () => T): T | undefined {
  try {
    const result = act();
    passed++;
    console.log(` ok  ${name}`);
    return result;
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n${(error as Error).message.replace(/^/gm, '     ')}`);
    return undefined;
  }
}

function want(holds: boolean, text: string): void {
  if (!holds) throw new Error(text);
}

type Ended = SpawnSyncReturns<string>;

function run(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv = clean): Ended {
  return spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 300_000, maxBuffer: 1 << 26 });
}

/** stdout of what has to end well. */
function outputOf(command: string, args: string[], cwd: string, env?: NodeJS.ProcessEnv): string {
  const { status, signal, stdout, stderr, error } = run(command, args, cwd, env);
  if (status !== 0)
    throw new Error(
      `${basename(command)} ${args.join(' ')}: ${error ?? signal ?? `exit code ${status}`}\n${stderr}${stdout}`,
    );
  return stdout;
}

function filesBelow(path: string, below = ''): string[] {
  return readdirSync(join(path, below), { withFileTypes: true }).flatMap((entry) => {
    const name = join(below, entry.name);
    return entry.isDirectory() ? filesBelow(path, name) : [name];
  });
}

// ---- the tarball

const clone = join(directory, 'clone');

function pack(): string {
  outputOf('git', ['clone', '--quiet', '--no-hardlinks', root, clone], directory);
  check('npm install takes the lock file of a clean clone', () => {
    const install = ['install', '--no-save', '--dry-run', '--ignore-scripts'];
    const { status, stderr } = run('npm', install, clone, forRegistry);
    want(status === 0, stderr);
  });
  // What npm install would download: the same, from here. Newer than the lock file, so that setup leaves it alone.
  outputOf('cp', ['-a', join(root, 'node_modules'), clone], directory);
  outputOf('touch', ['node_modules/.package-lock.json'], clone);
  outputOf('npm', ['pack', '--silent', '--pack-destination', directory], clone, forRegistry);
  const name = readdirSync(directory).find((file) => file.endsWith('.tgz'));
  if (name === undefined) throw new Error('npm pack left no tarball');
  return join(directory, name);
}

const shipped = [
  ...['README.md', 'RATIONALE.md', 'CHANGELOG.md', 'LICENSE', 'package.json'],
  ...['dist/runtime/index.mjs', 'dist/runtime/index.d.ts', 'dist/runtime/cli/main.cjs'],
  ...['native/wasm/code.h', 'native/wasm/simd.h', 'dist/runtime/wasm/index.mjs'],
  ...['insitu.node', 'insitu-exec', 'small.so', 'wasmtime_start'].map(
    (name) => `prebuilds/linux-x64/${name}`,
  ),
];
const leftOver =
  /^(test|build|node_modules|\.ci)\/|(^|\/)\.|\.(o|d|a|new|gcda|gcno|log|tgz|tsbuildinfo)$|(?<!\.d)\.ts$|\.test\./;
const isSource = /^samples\//; // they are read, and built from source

function checkTarball(tarball: string): void {
  const unpacked = join(directory, 'unpacked');
  mkdirSync(unpacked);
  outputOf('tar', ['-xzf', tarball, '-C', unpacked], directory);
  const top = join(unpacked, 'package');
  const files = filesBelow(top);
  check('tarball: holds what it has to', () => {
    const missing = shipped.filter((name) => !files.includes(name));
    want(missing.length === 0, `missing: ${missing.join(' ')}`);
  });
  check('tarball: no tests, no leftovers of the build', () => {
    const found = files.filter((name) => leftOver.test(name) && !isSource.test(name));
    want(found.length === 0, `found: ${found.join(' ')}`);
  });
  check('tarball: no path of the machine that it was built on', () => {
    const places = [directory, root.replace(/\/$/, ''), process.env.HOME ?? '/root'].map(
      (path) => `${path}/`,
    );
    const found = files.flatMap((name) => {
      const content = readFileSync(join(top, name));
      return places.filter((place) => content.includes(place)).map((place) => `${name} names ${place}`);
    });
    want(found.length === 0, found.join('\n'));
  });
  check('tarball: what is to be executed can be', () => {
    for (const name of ['dist/runtime/cli/main.cjs', 'prebuilds/linux-x64/insitu-exec'])
      want((statSync(join(top, name)).mode & 0o111) === 0o111, `${name} is not executable`);
  });
}

// ---- installed where nothing can be compiled

const consumer = join(directory, 'consumer');

/** A PATH of nothing but what npm itself needs. */
function bareEnvironment(): NodeJS.ProcessEnv {
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  for (const name of ['npm', 'npx', 'sh']) {
    const found = outputOf('sh', ['-c', `command -v ${name}`], directory).trim();
    symlinkSync(realpathSync(found), join(bin, name));
  }
  for (const tool of ['cc', 'g++', 'make'])
    want(spawnSync(tool, { env: { PATH: bin } }).error !== undefined, `${tool} is still to be found`);
  return { ...forRegistry, PATH: bin };
}

function install(tarball: string): NodeJS.ProcessEnv {
  const env = bareEnvironment();
  mkdirSync(consumer);
  writeFileSync(join(consumer, 'package.json'), '{ "private": true, "type": "module" }\n');
  outputOf('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', tarball], consumer, env);
  copyFileSync(fileURLToPath(new URL('./consumer.mjs', import.meta.url)), join(consumer, 'consumer.mjs'));
  return env;
}

function checkCommands(env: NodeJS.ProcessEnv): void {
  const npx = (...args: string[]) => outputOf('npx', ['--no-install', ...args], consumer, env);
  check('npx insitu inspect /bin/ls', () => {
    const text = npx('insitu', 'inspect', '/bin/ls');
    want(/^format +elf-program/m.test(text), text);
  });
  check('npx insitu run /bin/echo hi', () =>
    want(npx('insitu', 'run', '/bin/echo', 'hi') === 'hi\n', 'no hi'),
  );
  check('npx insitu-exec /bin/echo hi', () =>
    want(npx('insitu-exec', '/bin/echo', 'hi') === 'hi\n', 'no hi'),
  );
}

/** (func (export "add") (param i32 i32) (result i32)) */
const MODULE = Buffer.from('AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABags=', 'base64');

/** With this machine's compiler: what it needs of the package is in the package. */
function checkWasm(): void {
  const env = { ...forRegistry, INSITU_STORE: join(directory, 'store'), NO_COLOR: '1' };
  writeFileSync(join(consumer, 'add.wasm'), MODULE);
  const npx = (...args: string[]) => outputOf('npx', ['--no-install', 'insitu', ...args], consumer, env);
  check('npx insitu install add.wasm', () => {
    const text = npx('install', 'add.wasm');
    want(/add\.wasm.*compiled/.test(text), text);
  });
  check('npx insitu call add.wasm add 2 3', () =>
    want(npx('call', 'add.wasm', 'add', '2', '3') === '5\n', 'no 5'),
  );
}

const typed = `
import { type Library, LoadError, type LoadOptions, load, nvm, type Report } from 'insitu';

export async function sum(file: string, options: LoadOptions): Promise<number> {
  using library: Library = await load(file, options);
  const report: Report = library.report;
  const bytes: number = report.bytesInPlace + report.segments.length;
  using region = nvm.open(file);
  const address: bigint = nvm.map(region, 0, 4096, nvm.PROT_READ);
  nvm.unmap(address);
  // @ts-expect-error place is one of two
  await load(file, { place: 'elsewhere' }).catch((error: unknown) => error instanceof LoadError && error.code);
  return library.func('int f(int)')(bytes) as number;
}
`;

function checkTypes(): void {
  writeFileSync(join(consumer, 'typed.ts'), typed);
  const compilerOptions = {
    ...{ target: 'es2022', lib: ['es2023', 'esnext.disposable'], module: 'nodenext', strict: true },
    ...{ noEmit: true, types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
  };
  writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.ts'] }));
  const tsc = join(root, 'node_modules/.bin/tsc');
  check('types resolve through the exports map', () => outputOf(tsc, ['-p', '.'], consumer));
}

function checkOtherPlatforms(): void {
  const importOn = (key: 'platform' | 'arch', value: string) =>
    run(
      process.execPath,
      ['-e', `Object.defineProperty(process, '${key}', { value: '${value}' }); import('insitu')`],
      consumer,
    ).stderr;
  check('import on another platform is refused with the reason', () => {
    for (const platform of ['darwin', 'win32']) {
      const message = importOn('platform', platform);
      want(message.includes(`insitu: platform is ${platform}-${process.arch}; want linux-x64`), message);
    }
    const message = importOn('arch', 'riscv64');
    want(message.includes('insitu: platform is linux-riscv64; want linux-x64'), message);
  });
}

// ---- every Node

function checkNode(node: string, files: Record<string, string>): void {
  const version = outputOf(node, ['--version'], consumer).trim();
  const { status, signal, stdout, stderr } = run(node, ['consumer.mjs', JSON.stringify(files)], consumer);
  const done = stdout.split('\n').filter(Boolean);
  for (const name of done) check(`${version}: ${name}`, () => {});
  if (status !== 0 || done.length !== 6)
    check(`${version}: ends well`, () => want(false, `${signal ?? `exit code ${status}`}\n${stderr}`));

  const cli = join(consumer, 'node_modules/insitu/dist/runtime/cli/main.cjs');
  const insitu = (...args: string[]) => outputOf(node, [cli, ...args], consumer);
  check(`${version}: insitu inspect`, () => {
    const { format } = JSON.parse(insitu('inspect', '--json', files.hash as string));
    want(format === 'elf-shared', format);
  });
  check(`${version}: insitu run, with a report too`, () => {
    for (const way of [[], ['--copy'], ['--report-file=/dev/null']])
      want(insitu('run', ...way, '/bin/echo', 'hi') === 'hi\n', `run ${way} said no hi`);
    // Descriptors of this Node's own stay its own.
    const names = insitu('run', '/bin/ls', '/proc/self/fd');
    want(names === outputOf('/bin/ls', ['/proc/self/fd'], consumer), `the program was started with ${names}`);
  });
  check(`${version}: WebAssembly, with this Node's accelerator and without one`, () => {
    const modules = outputOf(node, ['-p', 'process.versions.modules'], consumer).trim();
    const prebuilds = join(consumer, 'node_modules/insitu/prebuilds/linux-x64');
    want(existsSync(join(prebuilds, `insitu-v8-${modules}.node`)), `no accelerator for ${modules}`);
    for (const setting of ['1', '0']) {
      const env = {
        ...{ ...forRegistry, INSITU_STORE: join(directory, 'store') },
        INSITU_ACCELERATOR: setting,
      };
      const { stdout, stderr } = run(node, [cli, 'call', 'add.wasm', 'add', '2', '3'], consumer, env);
      want(stdout === '5\n', `INSITU_ACCELERATOR=${setting}: ${stdout}${stderr}`);
    }
  });
  check(`${version}: the hook by its name, and where it comes with the environment`, () => {
    writeFileSync(
      join(consumer, 'app.cjs'),
      `const made = new WebAssembly.Module(require('node:fs').readFileSync('add.wasm'));
      console.log(new WebAssembly.Instance(made).exports.add(2, 3));`,
    );
    const report = join(directory, 'hook-report');
    const env = {
      ...forRegistry,
      INSITU_STORE: join(directory, 'store'),
      INSITU_REPORT: report,
      INSITU: 'always',
    };
    for (const [options, more] of [
      [['--require', 'insitu/register'], {}],
      [['--import', 'insitu/register'], {}],
      [[], { NODE_OPTIONS: '--require insitu/register' }],
    ] as const) {
      const { stdout, stderr } = run(node, [...options, 'app.cjs'], consumer, { ...env, ...more });
      const told = existsSync(report) ? readFileSync(report, 'utf8') : '';
      rmSync(report, { force: true });
      want(stdout === '5\n' && told.includes('"in place"'), `${options}: ${stdout}${stderr}${told}`);
    }
  });
  check(`${version}: insitu call`, () => {
    const crc = insitu('call', files.hash as string, 'ulong crc32(ulong, str, uint)', '0', '123456789', '9');
    want(crc === `${0xcbf43926}\n`, crc);
  });
  check(`${version}: insitu compare, of a library and a program`, () => {
    for (const file of [files.hash as string, '/bin/true']) {
      const { ways } = JSON.parse(insitu('compare', '--runs', '1', '--json', file));
      want(ways.length === 4, JSON.stringify(ways));
    }
  });
}

function everything(): void {
  const tarball = check('npm pack in a clean clone', pack);
  if (tarball === undefined) return;
  checkTarball(tarball);
  const env = check('npm install --ignore-scripts where there is no compiler', () => install(tarball));
  if (env === undefined) return;
  checkCommands(env);
  checkWasm();
  checkTypes();
  checkOtherPlatforms();
  const { hash, throws, addon } = buildSamples();
  const files = { hash, throws, addon, region: join(directory, 'region') };
  checkNode(process.execPath, files);
  for (const major of [22, 24, 26]) {
    if (process.arch !== 'x64') {
      skipped++;
      console.log(`skip Node ${major}: its package is of x64`);
      continue;
    }
    const binary = check(`Node ${major} is there`, () => join(nodeOf(major, forRegistry), 'bin/node'));
    if (binary !== undefined) checkNode(binary, files);
  }
}

everything();
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed ? 1 : 0;
