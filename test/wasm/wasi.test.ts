// insitu run of WASI programs, in place, copied and by V8; insitu call of exports.
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { insitu, start } from '../cli/insitu.ts';
import { directory, env, install, sample, wasmFile } from './stage.ts';

const tasks = await sample('tasks');
const math = await sample('math');
install(tasks, math);
/** The same program, of other bytes: nobody has installed it. */
const foreign = join(directory, 'foreign.wasm');
const custom = Buffer.from([0, 2, 1, 0x78]);
writeFileSync(foreign, Buffer.concat([readFileSync(tasks), custom]));

const v8Says = `insitu: ${foreign} runs in V8: it has no image in a store; want it installed (insitu install ${foreign})\n`;
const ways: [name: string, options: string[], program: string, said: string][] = [
  ['in place', [], tasks, ''],
  ['copied', ['--copy'], tasks, ''],
  ['by V8', [], foreign, v8Says],
];

const run = suite('insitu run of WASI programs');
const go = (args: string[], options = {}) => insitu(['run', ...args], { env, ...options });

for (const [name, options, program, said] of ways) {
  run(`${name}: arguments, environment, standard input, output and exit codes`, () => {
    const told = go([...options, program, 'a', 'zwei Wörter', ''], { env: { ...env, GREETING: 'hällo' } });
    assert.equal([told.status, told.stderr], [0, said]);
    const [own, ...rest] = told.stdout.split('\0');
    assert.equal([own, ...rest.slice(0, 3)], [program, 'a', 'zwei Wörter', '']);
    assert.ok(rest.includes('GREETING=hällo'));
    const input = 'x'.repeat(300_000);
    const echo = go([...options, program, 'c'], { input });
    assert.equal([echo.status, echo.stdout === input, echo.stderr], [0, true, said]);
    assert.is(go([...options, program]).status, 0);
    assert.is(go([...options, program, 'e']).status, 7);
  });

  run(`${name}: a pipe that is full is waited for`, async () => {
    const child = start(['run', ...options, program, 'w'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((resolve) => setTimeout(resolve, 1500)); // it has filled the pipe by now
    let size = 0;
    child.stdout?.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    const [code] = await once(child, 'close');
    assert.equal([code, size], [0, 1 << 20]);
  });

  run(`${name}: traps and an exhausted stack are told, with status 134`, () => {
    const trap = go([...options, program, 't']);
    assert.equal([trap.status, trap.stdout], [134, '']);
    assert.ok(trap.stderr.startsWith(`${said}insitu: ${program}: trap: unreachable\n`), trap.stderr);
    const stack = go([...options, program, 's']);
    assert.is(stack.status, 134);
    assert.match(
      stack.stderr,
      /trap: Maximum call stack size exceeded\n {4}at recurse \(.*wasm-function\[12\]/,
    );
  });

  run(`${name}: a signal ends it as it ends others`, async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const child = start(['run', ...options, program, 'l'], { env, stdio: 'ignore' });
      setTimeout(() => child.kill(signal), 1500);
      const [code, ended] = await once(child, 'exit');
      assert.ok(ended === signal || code === 128 + constants.signals[signal], `${signal}: ${code} ${ended}`);
    }
  });

  run(`${name}: directories are those that --dir says`, () => {
    mkdirSync(join(directory, 'data'), { recursive: true });
    writeFileSync(join(directory, 'data', 'note.txt'), 'noted\n');
    const open = (...dirs: string[]) => go([...options, ...dirs, program, 'f', 'note.txt']);
    assert.equal([open(`--dir=${directory}/data`).stdout], ['noted\n']);
    assert.equal([open('--dir', `${directory}/data::/`).stdout], ['noted\n']);
    assert.equal([open().status, open().stdout], [108, ''], 'EBADF: there is none');
    const outside = go([...options, `--dir=${directory}/data`, program, 'f', '../tasks.wasm']);
    assert.equal([outside.status, outside.stdout], [176, ''], 'ENOTCAPABLE');
  });
}

run('the report: of what ran where, and of its pages', () => {
  const report = (...args: string[]) => {
    const path = join(directory, 'report.json');
    const { status } = go([`--report-file=${path}`, ...args]);
    return { status, ...JSON.parse(readFileSync(path, 'utf8')) };
  };
  const placed = report(tasks, 'e');
  assert.equal([placed.status, placed.exitCode, placed.signal, placed.way], [7, 7, null, 'image']);
  assert.equal([placed.format, placed.place, placed.bytesCopied], ['wasm-module', 'in-place', 0]);
  assert.ok(placed.bytesInPlace > 0 && placed.privateBytes > 0);
  const phases = placed.phases.map(({ name }: { name: string }) => name);
  assert.equal(phases, ['open', 'read', 'plan', 'map', 'link', 'instantiate', 'run']);
  const copied = report('--copy', tasks, 't');
  assert.equal([copied.exitCode, copied.bytesInPlace, copied.bytesCopied > 0], [134, 0, true]);
  const v8 = report(foreign);
  assert.equal([v8.way, v8.bytesInPlace, v8.evidence.source], ['v8', 0, 'none']);
  const text = go(['--report', tasks]).stderr;
  assert.match(text, /^program +\S+tasks\.wasm \(wasm-module\)\nstarted by +image: its image is /);
});

run('where V8 gives memories no guard pages, V8 runs it, and that is said', () => {
  const flags = { env: { ...env, NODE_OPTIONS: '--disable-wasm-trap-handler' } };
  const { status, stderr } = go([tasks, 'e'], flags);
  assert.is(status, 7);
  assert.match(stderr, /^insitu: \S+ runs in V8: \S+ needs memories with guard pages[^\n]*\n$/);
  const copied = go(['--copy', tasks, 'e'], flags);
  assert.is(copied.status, 126);
  assert.match(copied.stderr, /guard pages/);
});

run('what V8 would have to compile is refused where that was not asked for', () => {
  for (const option of ['--copy', '--require-in-place']) {
    const { status, stdout, stderr } = go([option, foreign]);
    assert.equal([status, stdout], [126, '']);
    assert.is(
      stderr,
      `insitu: ${foreign}: has no image in a store; want it installed (insitu install ${foreign})\n`,
    );
  }
});

run('what is no program is refused with the reason, in one line', async () => {
  const refused = async (text: string, message: RegExp) => {
    const { status, stdout, stderr } = go([await wasmFile('refused.wasm', text)]);
    assert.equal([status, stdout], [126, '']);
    assert.match(stderr, message);
    assert.match(stderr.replace(/^insitu: .* runs in V8: .*\n/, ''), /^insitu: [^\n]*\n$/);
  };
  await refused('(module)', /is a wasm-module that exports no _start; want a WASI program/);
  await refused('(module (func (export "_start")))', /exports no memory; want one/);
  await refused(
    '(module (import "env" "f" (func)) (memory (export "memory") 1) (func (export "_start")))',
    /imports env\.f; want nothing but wasi_snapshot_preview1/,
  );
  const broken = join(directory, 'broken.wasm');
  writeFileSync(broken, Buffer.concat([readFileSync(tasks), Buffer.from([0, 9, 1])]));
  const { status, stderr } = go([broken]);
  assert.is(status, 126);
  assert.match(stderr, /^insitu: \S+broken\.wasm: is no module that V8 takes: [^\n]*\n$/);
  assert.match(go(['--dir=/tmp', '/bin/true']).stderr, /--dir is for WebAssembly programs/);
  assert.match(go(['--dir=a::b::c', tasks]).stderr, /want HOST or HOST::GUEST/);
});

run('of programs that are no WebAssembly nothing of it is loaded', () => {
  const coverage = join(directory, 'coverage');
  const watched = { ...env, NODE_V8_COVERAGE: coverage };
  const loaded = (...args: string[]) => {
    assert.is(insitu(args, { env: watched }).status, 0);
    const [file] = insituFiles(coverage);
    return file ?? [];
  };
  const isWasm = (module: string) => /^runtime\/(wasm|wasi|component)|^loader\/(images|compile)/.test(module);
  const elf = loaded('run', '--report-file=/dev/null', '/bin/true');
  assert.ok(elf.includes('runtime/cli/run.ts'));
  assert.equal(elf.filter(isWasm), []);
  assert.ok(loaded('run', tasks).some(isWasm), 'the check sees it where it is');
});

run.run();

const call = suite('insitu call of exports');
const calls = (module: string, ...args: string[]) => insitu(['call', module, ...args], { env });

call('results are printed one a line, numbers to their last bit', () => {
  const gives = (expected: string, ...args: string[]) => {
    const { status, stdout, stderr } = calls(math, ...args);
    assert.equal([status, stdout, stderr], [0, expected, ''], args.join(' '));
  };
  gives('6\n', 'gcd', '12', '18');
  gives('1\n', 'gcd', '0xffffffff', '4294967294');
  gives('1.5\n-9223372036854775808\n', 'swap', '-9223372036854775808', '1.5');
  gives('NaN\n-1\n', 'swap', '0xffffffffffffffff', 'nan');
  gives('-Infinity\n9007199254740993\n', 'swap', '9007199254740993', '-inf');
  gives('-0\n', 'half', '-0');
  gives('0.05000000074505806\n', 'half', '0.1');
  gives('', 'nothing');
  gives('122\n', 'letter', '40960');
});

call('what does not fit is refused: status 2, one line', () => {
  const refused = (message: RegExp, ...args: string[]) => {
    const { status, stdout, stderr } = calls(math, ...args);
    assert.equal([status, stdout], [2, ''], args.join(' '));
    assert.match(stderr, message);
    assert.match(stderr, /^insitu: [^\n]*\n$/);
  };
  refused(/exports no function none; want one of gcd, swap, half/, 'none');
  refused(/exports no function memory/, 'memory');
  refused(/gcd\(i32, i32\) takes 2 arguments; found 1/, 'gcd', '1');
  refused(/argument 4294967296 is no i32; want -2147483648 to 4294967295/, 'gcd', '4294967296', '1');
  refused(/argument '1\.5' is no i32; want an integer/, 'gcd', '1.5', '1');
  refused(/argument 'x' is no f32; want a number/, 'half', 'x');
  refused(/argument '' is no f32/, 'half', '');
  refused(/call wants FILE/);
});

call('traps end with 134, and modules that are not installed with 126', () => {
  const trap = calls(math, 'divide', '1', '0');
  assert.equal(
    [trap.status, trap.stdout, trap.stderr],
    [134, '', `insitu: ${math}: divide: trap: divide by zero\n`],
  );
  const { status, stderr } = calls(foreign, 'recurse', '1');
  assert.is(status, 126);
  assert.match(stderr, /has no image in a store; want it installed/);
});

call('a module that imports WASI gets it', () => {
  const { status, stderr } = calls(tasks, 'recurse', '0');
  assert.is(status, 134);
  assert.match(stderr, /recurse: trap: Maximum call stack size exceeded/);
});

call('--report tells of the image', () => {
  const report = JSON.parse(insitu(['call', '--report', '--copy', math, 'gcd', '4', '6'], { env }).stderr);
  assert.equal([report.module, report.place, report.tier], [math, 'copy', 'quick']);
});

call.run();

/** Of each process that left its coverage: the modules in the files of dist/ that it loaded. */
function insituFiles(coverage: string): string[][] {
  const processes = readdirSync(coverage).map((name) => join(coverage, name));
  const loaded = processes.map((path) =>
    (JSON.parse(readFileSync(path, 'utf8')) as { result: { url: string }[] }).result
      .map(({ url }) => url)
      .filter((url) => url.includes('/dist/'))
      .flatMap((url) => [...readFileSync(fileURLToPath(url), 'utf8').matchAll(/^\/\/ (\S+\.ts)$/gm)])
      .map(([, module = '']) => module),
  );
  rmSync(coverage, { recursive: true });
  return loaded;
}
