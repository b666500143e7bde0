// A program in C, compiled for Linux and for WASI, on every Node that is supported: in place, copied, by V8, and as a
// component; what it prints is what the one for Linux prints. And a component of JavaScript (componentize-js), whose engine
// of 12 MB takes minutes to compile: it answers what Node does. Ends with 'N passed, N failed, N skipped'.
//   node --import tsx test/wasm/programs.ts [--only words|javascript] [--nodes 20,22] [--store DIR]
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { componentNew } from '@bytecodealliance/jco-transpile/wasm-tools';
import { main } from '../cli/insitu.ts';
import { askComponent, askNode, buildScript } from './javascript.ts';
import { nodes } from './packages/nodes.ts';
import { root, temporaryDirectory } from './packages/places.ts';

const { values } = parseArgs({
  options: { only: { type: 'string' }, nodes: { type: 'string' }, store: { type: 'string' } },
});
const directory = temporaryDirectory('insitu-programs-');
const store = values.store ?? join(directory, 'store');
const nowhere = join(directory, 'nowhere');
const { NODE_OPTIONS: _, ...inherited } = process.env;
const all = nodes(values.nodes?.split(',').map(Number));
let passed = 0;
let failed = 0;
let skipped = 0;

function check(name: string, act: () => void): void {
  try {
    act();
    passed++;
    console.log(` ok  ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n${String((error as Error).message).replace(/^/gm, '     ')}`);
  }
}

interface Job {
  name: string;
  /** Of the program for Linux; of that for WASI with directories by other names. */
  native: string[];
  wasi: string[];
  input?: string;
  env?: Record<string, string>;
}

const source = join(root, 'native');
const jobs: Job[] = [
  { name: 'a directory of files', native: [source], wasi: ['/src'] },
  { name: 'standard input', native: [], wasi: [], input: readFileSync(join(root, 'README.md'), 'utf8') },
  { name: 'the environment', native: [source], wasi: ['/src'], env: { WORDS_LEAST: '100' } },
  { name: 'a file that is not there', native: [join(source, 'none')], wasi: ['/src/none'] },
];

function outcome(command: string, args: string[], { input = '', env = {} }: Job, place = store) {
  const environment = { ...inherited, ...env, INSITU_STORE: place };
  const options = {
    input,
    env: environment,
    encoding: 'latin1',
    timeout: 120_000,
    maxBuffer: 1 << 26,
  } as const;
  return spawnSync(command, args, options);
}

function buildWords(): { native: string; wasi: string } | undefined {
  const [native, wasi] = [join(directory, 'words'), join(directory, 'words.wasm')];
  const text = join(root, 'samples/words.c');
  execFileSync('cc', ['-O2', '-o', native, text]);
  const built = spawnSync('clang', ['--target=wasm32-wasi', '-O2', '-o', wasi, text], { encoding: 'utf8' });
  return built.status === 0 ? { native, wasi } : undefined;
}

async function asComponent(path: string): Promise<string> {
  const made = join(directory, 'words-component.wasm');
  const name = 'node_modules/@bytecodealliance/jco/lib/wasi_snapshot_preview1.command.wasm';
  const adapter = new Uint8Array(readFileSync(join(root, name)));
  writeFileSync(made, await componentNew(readFileSync(path), [['wasi_snapshot_preview1', adapter]]));
  return made;
}

function install(path: string): void {
  const began = performance.now();
  const args = [main, 'install', '--tier=quick', path];
  execFileSync(process.execPath, args, {
    env: { ...inherited, INSITU_STORE: store },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  console.log(
    `     ${path.slice(directory.length + 1)} installed in ${((performance.now() - began) / 1000).toFixed(1)} s`,
  );
}

function checkWords(native: string, wasi: string, component: string): void {
  const ways: [name: string, program: string, options: string[], store: string][] = [
    ['in place', wasi, [], store],
    ['copied', wasi, ['--copy'], store],
    ['by V8', wasi, [], nowhere],
    ['a component, in place', component, [], store],
  ];
  for (const { path, version } of all)
    for (const [way, program, options, place] of ways)
      for (const job of jobs)
        check(`${version}, ${way}: ${job.name}`, () => {
          const expected = outcome(native, job.native, job);
          const args = [main, 'run', ...options, `--dir=${source}::/src`, program, ...job.wasi];
          const { status, signal, stdout, stderr } = outcome(path, args, job, place);
          // Preview 2 knows that a program failed, and no code.
          const code = program === component ? Math.min(1, expected.status ?? 1) : expected.status;
          if (status !== code) throw new Error(`ended with ${signal ?? status}; want ${code}\n${stderr}`);
          if (stdout !== expected.stdout)
            throw new Error(`printed ${stdout.length} bytes other than those of Linux`);
          const said = stderr.split('\n').filter((line) => line.startsWith('insitu: '));
          const inV8 = said.filter((line) => /runs in V8/.test(line));
          if (said.length !== inV8.length || (inV8.length === 1) !== (place === nowhere))
            throw new Error(stderr);
        });
}

function checkJavaScript(component: string): void {
  const expected = askNode(inherited);
  const env = { ...inherited, INSITU_STORE: store };
  for (const { path, version } of all)
    for (const place of ['in-place', 'copy'])
      check(`${version}, ${place}: a component of JavaScript`, () => {
        const found = askComponent(path, component, place, env);
        if (found !== expected) throw new Error(`answers ${found}; want ${expected}`);
      });
}

async function words(): Promise<void> {
  const built = buildWords();
  if (built === undefined) {
    skipped++;
    console.log(
      'skip clang compiles nothing for WASI (apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32)',
    );
    return;
  }
  const component = await asComponent(built.wasi);
  for (const path of [built.wasi, component]) install(path);
  checkWords(built.native, built.wasi, component);
}

function javascript(): void {
  const component = join(directory, 'script.wasm');
  buildScript(component, inherited);
  install(component);
  checkJavaScript(component);
}

mkdirSync(nowhere);
if (values.only !== 'javascript') await words();
if (values.only !== 'words') javascript();
console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed ? 1 : 0;
