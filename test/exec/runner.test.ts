// insitu-exec: what a program finds is what execve(2) would have given it, but for where its pages are.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileC } from '../build/compile.ts';
import { container, insitu, kinds, probe, run, runner } from './probe.ts';

const offset = 0x3000;
const ways = [[], ['--copy']];

/** Each kind of program, in place and copied, from a file of its own and from within a container. */
function eachStart(act: (start: string[], program: string, label: string) => void): void {
  for (const kind of kinds) {
    const program = probe(kind);
    const held = container(program, offset, `container-${kind}`);
    for (const way of ways)
      for (const file of [program, `${held}@${offset}`, `${held}@0x${offset.toString(16)}`])
        act([...way, file], program, `${kind} ${way.join('')} ${basename(file)}`);
  }
}

function segments(maps: string, name: string): string[] {
  return maps
    .split('\n')
    .filter((line) => line.endsWith(`/${name}`))
    .map((line) => line.split(' ')[1] ?? '');
}

const starts = suite('insitu-exec: starts');

starts('memory: .data, .bss, thread-locals, heap, stack alignment, program headers', () => {
  eachStart((start, _, label) => assert.is(insitu([...start, 'memory']).status, 0, label));
});

starts('an @ that no number follows belongs to the name', () => {
  const program = probe('static');
  for (const name of ['package@1.2.3/bin/probe', 'probe@2x', 'probe@8192.3', 'probe@99999999999999999999']) {
    const path = join(dirname(program), name);
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(program, path);
    assert.is(insitu([path, 'exit', '37']).status, 37, name);
  }
});

starts('standard streams and exit code', () => {
  eachStart((start, _, label) => {
    const { stdout, stderr, status } = insitu([...start, 'cat'], { input: 'through\n' });
    assert.equal([stdout, stderr, status], ['through\n', 'done\n', 0], label);
    assert.is(insitu([...start, 'exit', '37']).status, 37, label);
  });
});

starts('arguments: argv[0] is FILE, or --argv0', () => {
  eachStart((start, _, label) => {
    const file = start.at(-1)?.replace(/@[^@]*$/, '');
    for (const args of [[], ['a'], ['a', ''], ['--copy', '--', '-x', 'ü']]) {
      const expected = ['args', ...args, ''].join('\n');
      assert.is(insitu([...start, 'args', ...args]).stdout, `${file}\n${expected}`, label);
      assert.is(
        insitu(['--argv0', 'a name', ...start, 'args', ...args]).stdout,
        `a name\n${expected}`,
        label,
      );
    }
    assert.is(insitu([...start, 'execfn']).stdout, `${file}\n`, label);
  });
});

starts('an @ that no number follows belongs to the name', () => {
  const held = container(probe('static'), 0, 'at@home');
  assert.is(insitu([`${held}@0`, 'exit', '3']).status, 3);
});

starts('environment', () => {
  const env = { ONE: '1', TWO: 'zwei zwei', THREE: '' };
  eachStart((start, program, label) => {
    assert.is(insitu([...start, 'env'], { env }).stdout, run(program, ['env'], { env }).stdout, label);
    assert.is(insitu([...start, 'env'], { env: {} }).stdout, '', label);
  });
});

starts('/proc/self: cmdline, comm, environ, auxv', () => {
  const env = { ONE: '1', TWO: '2' };
  const files = ['/proc/self/cmdline', '/proc/self/environ'];
  eachStart((start, _, label) => {
    const file = start.at(-1)?.replace(/@[^@]*$/, '');
    const rest = `|show|${files.join('|')}|ONE=1|TWO=2|`;
    assert.is(insitu([...start, 'show', ...files], { env }).stdout, `${file}${rest}`, label);
    assert.is(insitu(['--argv0', 'n', ...start, 'show', ...files], { env }).stdout, `n${rest}`, label);
    const comm = basename(file ?? '').slice(0, 15);
    assert.is(insitu([...start, 'show', '/proc/self/comm']).stdout, `${comm}\n`, label);
    assert.is(insitu([...start, 'show', '/proc/self/auxv']).stdout.length > 0, true, label);
  });
});

starts('/proc/self/exe is the program where that is permitted', () => {
  const permitted = process.getuid?.() === 0;
  for (const kind of kinds) {
    const program = probe(kind);
    assert.is(insitu([program, 'exe']).stdout, `${permitted ? program : runner}\n`);
    const held = container(program, offset);
    assert.is(insitu([`${held}@${offset}`, 'exe']).stdout, `${runner}\n`);
  }
});

starts('no descriptor, signal mask or ignored signal is added', () => {
  eachStart((start, program, label) => {
    assert.is(insitu([...start, 'fds']).stdout, run(program, ['fds']).stdout, label);
    const signals = (text: string): string[] => text.split('\n').filter((l) => /^Sig(Blk|Ign|Pnd)/.test(l));
    const status = insitu([...start, 'show', '/proc/self/status']).stdout;
    assert.equal(signals(status), signals(run(program, ['show', '/proc/self/status']).stdout), label);
  });
});

starts('an ignored SIGBUS stays ignored', () => {
  const script = `trap '' BUS; exec ${runner} ${probe('pie')} bus`;
  assert.is(run('bash', ['-c', script]).status, 0);
});

starts('maps: text in place is a shared mapping of the file, copied it is anonymous', () => {
  for (const kind of kinds) {
    const program = probe(kind);
    const name = basename(program);
    const inPlace = segments(insitu([program, 'show', '/proc/self/maps']).stdout, name);
    assert.ok(inPlace.includes('r-xs'), `${kind}: ${inPlace}`);
    assert.not.ok(
      inPlace.some((flags) => flags.includes('w') && flags.includes('s')),
      `${kind}: ${inPlace}`,
    );
    const copied = insitu(['--copy', program, 'show', '/proc/self/maps']).stdout;
    assert.equal(segments(copied, name), [], kind);
    assert.match(copied, /r-xp 00000000 00:00 0/);
    assert.not.match(copied + inPlace.join(), /[r-]wx/);
  }
});

starts('text of 2 MiB and more is congruent to its place in the file', () => {
  const big = '__asm__(".text\\n.globl big\\nbig: .zero 0x400000, 0x90\\nret\\n.previous");';
  const text = `${big}\n#include <stdio.h>\nint main(void) { for (int c, f = fileno(fopen("/proc/self/maps", "r"));
    (f = f, c = 0) == 0;) { FILE *m = fdopen(f, "r"); while ((c = getc(m)) != EOF) putchar(c); return 0; } }`;
  const program = compileC(text, { name: 'big', kind: 'pie', flags: ['-D_GNU_SOURCE'] });
  for (const at of [0, offset]) {
    const held = container(program, at, 'big-container');
    const line = insitu([`${held}@${at}`])
      .stdout.split('\n')
      .find((l) => l.includes('r-xs') && l.endsWith('big-container'));
    const [range = '', , fileOffset = ''] = line?.split(' ') ?? [];
    const address = Number.parseInt(range, 16) % 0x200000;
    assert.is(address, Number.parseInt(fileOffset, 16) % 0x200000, line);
  }
});

starts('an image aligned to 64 KiB is, wherever it lies in the file', () => {
  const text = `static _Alignas(65536) int far = 3; int main(void) { return (unsigned long)&far % 65536 ? 9 : far; }`;
  for (const kind of kinds) {
    const held = container(
      compileC(text, { name: 'aligned', kind, flags: ['-Wl,-z,max-page-size=65536'] }),
      offset,
    );
    for (const way of ways) assert.is(insitu([...way, `${held}@${offset}`]).status, 3, kind);
  }
});

starts('a relative FILE, and a stack limit of 64 KiB', () => {
  const program = probe('pie');
  assert.is(insitu([`./${basename(program)}`, 'exit', '4'], { cwd: dirname(program) }).status, 4);
  assert.is(run('bash', ['-c', `ulimit -s 64; exec ${runner} ${program} exit 4`]).status, 4);
});

async function ready(child: ChildProcess): Promise<void> {
  if (child.stdout) await once(child.stdout, 'data');
}

starts('a signal ends the program as it would have', async () => {
  for (const kind of kinds)
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGBUS', 'SIGSEGV'] as const) {
      const child = spawn(runner, [probe(kind), 'wait'], { stdio: ['ignore', 'pipe', 'inherit'] });
      await ready(child);
      child.kill(signal);
      const [code, by] = await once(child, 'exit');
      assert.equal([code, by], [null, signal], kind);
    }
  const children = run('ps', ['--no-headers', '-o', 'stat', '--ppid', String(process.pid)]).stdout;
  assert.not.match(children, /Z/);
});

starts('--help and --version', () => {
  assert.is(insitu(['--version']).stdout, '0.1.0\n');
  assert.match(insitu(['--help']).stdout, /^usage: insitu-exec \[--copy\]/);
});

starts.run();
