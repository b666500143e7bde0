// Building images from C: what comes out, what must not, and what is left when it goes wrong.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BuildOptions, buildImage, type Unit } from '../../loader/compile/build.ts';
import { checkImage } from '../../loader/compile/check-image.ts';
import { UnsupportedFeature } from '../../loader/compile/module.ts';
import { availableMemory, schedule } from '../../loader/compile/schedule.ts';
import { ElfFile, textSize } from '../../loader/compile/sections.ts';
import { compileFlags, findCompiler, hostArch } from '../../loader/compile/toolchain.ts';
import { LoadError } from '../../loader/error.ts';
import { compileC } from '../build/compile.ts';
import { note } from '../images/note.ts';

const directory = mkdtempSync(join(tmpdir(), 'insitu-build-test-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

let count = 0;
/** An empty directory for what one build leaves behind. */
function emptyDirectory(): string {
  const made = join(directory, `${count++}`);
  mkdirSync(made);
  return made;
}

const c = (text: string, name = 'unit.c'): Unit => ({ name, text });
const exported = '__attribute__((visibility("default")))';
const answer = c(`extern const int stored __attribute__((visibility("hidden")));
${exported} int answer(void) { return stored; }`);
const data: Unit = {
  name: 'data.s',
  text: '.section .rodata\n.balign 4\n.globl stored\n.hidden stored\nstored: .long 42\n.section .note.GNU-stack,"",%progbits\n',
};

async function build(units: readonly Unit[], options: Partial<BuildOptions> = {}): Promise<string> {
  const output = join(emptyDirectory(), 'image.so');
  const all = [...units, note];
  await buildImage({ ...{ units: all, directory, output, tier: 'quick', cpu: 'baseline' }, ...options });
  return output;
}

/** Builds what can't be built. @returns the error; where it was built, nothing is left */
async function failing(units: readonly Unit[], options: Partial<BuildOptions> = {}): Promise<LoadError> {
  const within = emptyDirectory();
  const output = join(within, 'image.so');
  try {
    await buildImage({ ...{ units, directory: within, output, tier: 'quick', cpu: 'baseline' }, ...options });
  } catch (error) {
    await pause(50);
    assert.equal(readdirSync(within), [], 'nothing is left');
    return error as LoadError;
  }
  throw new Error('it was built');
}

/** Processes whose command line or working directory has this in it. */
function processesOf(part: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return (
        readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(part) ||
        readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`TMPDIR=${part}`)
      );
    } catch {
      return false; // ended, or somebody else's
    }
  });
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (condition()) return;
    await pause(25);
  }
  throw new Error(`waited in vain until ${what}`);
}

const images = suite('images');

images('every tier and CPU: mapped as they are, the same bytes again', async () => {
  for (const tier of ['quick', 'best'] as const)
    for (const cpu of ['baseline', 'native'] as const) {
      const [one, two] = [
        await build([answer, data], { tier, cpu }),
        await build([data, answer], { tier, cpu, jobs: 1 }),
      ];
      checkImage(one);
      using file = new ElfFile(one);
      assert.ok(file.segments.some(({ type, flags }) => type === 1 && (flags & 1) === 1));
      assert.equal(
        await build([answer, data], { tier, cpu }).then((path) => readFileSync(path)),
        readFileSync(one),
      );
      assert.ok(existsSync(two));
    }
});

images('progress is in bytes of units, and ends at all of them', async () => {
  const told: [number, number][] = [];
  await build([answer, data], { onProgress: (done, total) => told.push([done, total]) });
  const total = [answer, data, note].reduce((sum, { text }) => sum + text.length, 0);
  assert.is(told.length, 3);
  assert.equal(told.at(-1), [total, total]);
});

images('large text can be mapped by huge pages, small images stay small', async () => {
  const large = c(`__asm__(".text\\n.skip ${5 << 20}, 0x90");${exported} int f(void) { return 1; }`);
  const small = c(`${exported} int f(void) { return 1; }`);
  using big = new ElfFile(await build([large]));
  const text = big.segments.find(({ type, flags }) => type === 1 && flags & 1);
  assert.is((text?.offset ?? 1) % (2 << 20), 0);
  assert.ok((text?.fileSize ?? 0) > 5 << 20);
  assert.ok(readFileSync(await build([small])).length < 20_000);
  assert.ok(textSize(big.path) > 5 << 20);
});

images('aarch64, where there is a compiler for it', async () => {
  const error = await failing([answer], {
    arch: hostArch() === 'x86-64' ? 'aarch64' : 'x86-64',
    compiler: { ...findCompiler(), family: 'gcc' },
  });
  assert.is(error.code, 'ERR_COMPILER');
  assert.match(error.message, /compiles for .*; want one for .*INSITU_CC=/);
});

images.run();

const refused = suite('what is no image');

const cases: [name: string, units: Unit[], message: RegExp][] = [
  [
    'an undefined symbol',
    [c(`int other(void);${exported} int f(void) { return other(); }`)],
    /linking: .*other/,
  ],
  ['a relocation', [c(`${exported} int f; ${exported} int *p = &f;`)], /has DT_RELASZ \(24\); want an image/],
  [
    'something that runs at load',
    [c(`__attribute__((constructor)) void f(void) { __asm__(""); }`)],
    /has DT_/,
  ],
  [
    'thread-local storage',
    [c(`static __thread int t; ${exported} int f(void) { return t++; }`)],
    /(PT_TLS|undefined|tls)/i,
  ],
  [
    'writable and executable',
    [
      {
        name: 'a.s',
        text: '.section .wx,"awx",%progbits\n.globl f\nf: nop\n.section .note.GNU-stack,"",%progbits\n',
      },
    ],
    /PT_LOAD\[\d\] is writable and executable/,
  ],
];
for (const [name, units, message] of cases)
  refused(name, async () => {
    const error = await failing(units);
    assert.match(error.message, message);
    assert.is(error.code, 'ERR_COMPILE');
  });

refused('an object that needs another, or an executable stack', () => {
  const path = compileC('#include <stdio.h>\nint f(void) { return puts("x"); }', {
    name: 'needs.so',
    kind: 'shared',
  });
  assert.throws(() => checkImage(path), /has DT_NEEDED/);
  const stack = compileC('int f(void) { return 1; }', {
    ...{ name: 'stack.so', kind: 'shared' },
    flags: ['-nostdlib', '-Wl,-z,execstack'],
  });
  assert.throws(() => checkImage(stack), /wants an executable stack/);
});

refused('each header byte flipped: an error or an answer, never anything else', async () => {
  const path = await build([answer, data]);
  const original = readFileSync(path);
  const patched = join(directory, 'patched.so');
  let errors = 0;
  for (let at = 0; at < 64 + 8 * 56; at++) {
    const bytes = Buffer.from(original);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
    writeFileSync(patched, bytes);
    try {
      checkImage(patched);
    } catch (error) {
      assert.instance(error, LoadError, `byte ${at}: ${error}`);
      errors++;
    }
  }
  assert.ok(errors >= 40, `${errors}`);
});

refused.run();

const failures = suite('what goes wrong');

failures('C that is none: the unit, and what the compiler said', async () => {
  const error = await failing([answer, data, c('int broken( {', 'wrong.c')], { source: 'm.wasm' });
  assert.is(error.code, 'ERR_COMPILE');
  assert.match(error.message, /^m\.wasm: wrong\.c: \S*cc ended with exit code 1: wrong\.c:1:.*error/);
});

failures('a compiler that is none, or is killed', async () => {
  assert.throws(
    () => findCompiler({ ...process.env, INSITU_CC: '/nowhere/cc' }),
    /INSITU_CC is no C compiler: ENOENT; want one: apt-get install gcc/,
  );
  assert.throws(() => findCompiler({ ...process.env, INSITU_CC: '/bin/true' }), /neither gcc nor clang/);
  const killed = join(emptyDirectory(), 'cc');
  writeFileSync(killed, '#!/bin/sh\nkill -KILL $$\n');
  chmodSync(killed, 0o755);
  const compiler = { ...findCompiler(), command: [killed] as [string] };
  const error = await failing([answer, data], { compiler });
  assert.match(error.message, /ended with SIGKILL: it said nothing/);
  const gone = await failing([answer], { compiler: { ...compiler, command: ['/nowhere/cc'] } });
  assert.is(gone.code, 'ENOENT');
});

failures('code that takes a compiler too long: no hang, and V8 runs it', async () => {
  const square = c(
    `${exported} int f(int a) { ${'if (a) a = a + 1;\n'.repeat(6000)} return a; }`,
    'square.c',
  );
  const spinning = join(emptyDirectory(), 'cc');
  writeFileSync(spinning, '#!/bin/sh\nwhile :; do :; done\n');
  chmodSync(spinning, 0o755);
  const compiler = { ...findCompiler(), command: [spinning] as [string] };
  for (const [units, options] of [
    [[square], { tier: 'best' }],
    [[answer, data], { compiler }],
  ] as [Unit[], Partial<BuildOptions>][]) {
    const error: unknown = await failing(units, { ...options, seconds: 1 });
    assert.instance(error, UnsupportedFeature);
    assert.is((error as UnsupportedFeature).message, 'uses code that takes a C compiler more than 1 s');
  }
});

failures('code that takes a compiler more memory than there is for it', async () => {
  const large = join(emptyDirectory(), 'cc');
  // A limit is set: otherwise this is not a number.
  writeFileSync(
    large,
    '#!/bin/sh\n[ "$(ulimit -d)" -gt 65536 ] && echo "cc1: out of memory allocating $(ulimit -d)" >&2\nexit 1\n',
  );
  chmodSync(large, 0o755);
  const compiler = { ...findCompiler(), command: [large] as [string] };
  const error: unknown = await failing([answer, data], { compiler });
  assert.instance(error, UnsupportedFeature);
  assert.match(
    (error as UnsupportedFeature).message,
    /^uses code that takes a C compiler more than \d+ MiB$/,
  );
});

failures('no compiler at all: what to install', () => {
  assert.throws(
    () => findCompiler({ PATH: '/nowhere' }),
    (error: LoadError) => error.code === 'ERR_COMPILER' && /apt-get install gcc/.test(error.message),
  );
});

/** A compiler that starts another process, as they do, and takes its time. */
function slowCompiler(): string {
  const path = join(emptyDirectory(), 'cc');
  writeFileSync(path, '#!/bin/sh\nsleep 1000 &\nwait\n');
  chmodSync(path, 0o755);
  return path;
}

failures('an AbortSignal ends all of it', async () => {
  const controller = new AbortController();
  const path = slowCompiler();
  const compiler = { ...findCompiler(), command: [path] as [string] };
  setTimeout(() => controller.abort(new Error('enough')), 200);
  const error = await failing([answer, data], { compiler, signal: controller.signal });
  assert.is(error.message, 'enough');
  assert.equal(processesOf(path), []);
  const late = await failing([answer], { signal: AbortSignal.abort(new Error('before')) });
  assert.is(late.message, 'before');
});

failures('killed by SIGKILL: no process and no file is left', async () => {
  const within = emptyDirectory();
  const module = fileURLToPath(new URL('../../loader/compile/build.ts', import.meta.url));
  const options = {
    units: [answer, data],
    directory: within,
    output: join(within, 'image.so'),
    tier: 'quick',
    cpu: 'baseline',
  };
  const compiler = { ...findCompiler(), command: [slowCompiler()] };
  const script = `import(${JSON.stringify(module)}).then((b) => b.buildImage(${JSON.stringify({ ...options, compiler })}))`;
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', '-e', script], { stdio: 'ignore' });
  await until(() => processesOf(within).length >= 2, 'it compiles');
  child.kill('SIGKILL');
  await once(child, 'exit');
  await until(
    () => processesOf(within).length === 0 && readdirSync(within).length === 0,
    'all of it is gone',
  );
});

failures.run();

const scheduling = suite('schedule');

/** Runs work of these sizes; how much ran at once at the most. */
async function most(
  sizes: number[],
  jobs: number,
  memory: number,
): Promise<{ jobs: number; memory: number }> {
  let [running, taken] = [0, 0];
  const seen = { jobs: 0, memory: 0 };
  const work = sizes.map((size) => ({
    memory: size,
    async run() {
      running++;
      taken += size;
      seen.jobs = Math.max(seen.jobs, running);
      seen.memory = Math.max(seen.memory, taken);
      await pause(2);
      running--;
      taken -= size;
    },
  }));
  await schedule(work, jobs, memory);
  return seen;
}

scheduling(
  'as many as there are jobs, no more than fit into memory, and what fits into none alone',
  async () => {
    assert.equal(await most([1, 1, 1, 1, 1], 3, 100), { jobs: 3, memory: 3 });
    assert.equal(await most([40, 40, 40, 40], 4, 100), { jobs: 2, memory: 80 });
    assert.equal(await most([500, 60, 60], 4, 100), { jobs: 1, memory: 500 });
    assert.equal(await most([], 4, 100), { jobs: 0, memory: 0 });
    assert.ok(availableMemory() > 1 << 20);
  },
);

scheduling('the first failure is told, when what had begun has ended', async () => {
  const ended: number[] = [];
  const work = [5, 20, 5, 5].map((ms, i) => ({
    memory: 1,
    async run() {
      await pause(ms);
      ended.push(i);
      if (i === 0) throw new Error('the first');
    },
  }));
  try {
    await schedule(work, 2, 100);
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, 'the first');
  }
  assert.equal(ended, [0, 1]);
});

scheduling.run();

const flags = suite('flags');

flags('native is told apart from baseline, quick from best, for each family', () => {
  for (const family of ['gcc', 'clang', 'zig'] as const) {
    const compiler = { command: ['cc'], family, version: '1', arch: 'x86-64' } as const;
    const of = (tier: 'quick' | 'best', cpu: 'baseline' | 'native') =>
      compileFlags(compiler, { arch: 'x86-64', cpu, tier }).join(' ');
    assert.match(of('quick', 'native'), /=native .*-O1/);
    assert.match(
      of('best', 'baseline'),
      family === 'zig' ? /-mcpu=x86_64_v2 -O2/ : /-march=x86-64 .*-msse4.2 .*-O2/,
    );
    for (const flag of ['-fwrapv', '-ffp-contract=off', '-frounding-math'])
      assert.ok(of('best', 'baseline').includes(flag));
  }
});

flags.run();
