// insitu-exec: what it refuses, with which status and which line; and files that change underneath.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileC, temporaryDirectory } from '../build/compile.ts';
import { type ElfFile, minimalProgram } from '../build/elf.ts';
import { container, insitu, kinds, probe, run, runner } from './probe.ts';

const directory = temporaryDirectory();
let count = 0;

function stored(bytes: Buffer | string, mode = 0o755): string {
  const path = join(directory, `stored-${count++}`);
  writeFileSync(path, bytes, { mode });
  return path;
}

/** One line "insitu-exec: FILE: ...", nothing on standard output, and no signal. */
function refused(file: string, message: RegExp, status = 126, way: string[] = []): void {
  const result = insitu([...way, file]);
  const named = file.replace(/@[^@]*$/, '');
  assert.equal([result.status, result.signal, result.stdout], [status, null, ''], result.stderr);
  assert.is(result.stderr.startsWith(`insitu-exec: ${named}: `), true, result.stderr);
  assert.match(result.stderr, message);
  assert.is(result.stderr.split('\n').length, 2, result.stderr);
}

const refuses = suite('insitu-exec: refuses');

refuses('usage', () => {
  for (const args of [[], ['--copy'], ['--argv0'], ['--argv0', 'x'], ['--no-such', 'x'], ['--']]) {
    const { status, stderr, stdout } = insitu(args);
    assert.equal([status, stdout], [2, ''], args.join(' '));
    assert.match(stderr, /^insitu-exec: .*--help\n$/);
  }
});

refuses('what is not there', () => {
  refused(join(directory, 'nowhere'), /open failed with ENOENT/, 127);
  refused(join(stored('x'), 'below'), /open failed with ENOTDIR/, 127);
  refused(join(directory, 'x'.repeat(300)), /ENAMETOOLONG/);
  const loop = join(directory, 'loop');
  symlinkSync(loop, loop);
  refused(loop, /ELOOP/);
});

refuses('what is no regular file', async () => {
  refused(directory, /is a directory/);
  refused('/dev/null', /is a character device/);
  refused('/dev/null@0', /is a character device/);
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  refused(fifo, /is a FIFO/);
  const server = createServer().listen(join(directory, 'socket'));
  await once(server, 'listening');
  refused(join(directory, 'socket'), /ENXIO.*socket/);
  server.close();
});

refuses('what has privileges of its own', () => {
  const path = stored(readFileSync(probe('static')));
  chmodSync(path, 0o4755);
  refused(path, /is set-user-ID; want/);
  refused(`${path}@0`, /is set-user-ID; want/);
  refused(path, /is set-user-ID; want/, 126, ['--copy']);
  chmodSync(path, 0o2755);
  refused(path, /is set-group-ID; want/);
  if (process.getuid?.() !== 0) return; // only root may give file capabilities
  chmodSync(path, 0o755);
  const give =
    'import os, struct, sys; os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))';
  execFileSync('python3', ['-c', give, path]);
  refused(path, /has file capabilities; want/);
});

refuses('what may not be executed', () => {
  const path = stored(readFileSync(probe('static')), 0o644);
  refused(path, /EACCES: no permission to execute/);
  assert.is(insitu([`${path}@0`, 'exit', '5']).status, 5);
});

refuses('what lies on a file system that is mounted noexec', () => {
  if (process.getuid?.() !== 0) return;
  const mount = join(directory, 'noexec');
  mkdirSync(mount);
  if (run('mount', ['-t', 'tmpfs', '-o', 'noexec', 'none', mount]).status !== 0) return;
  try {
    const path = join(mount, 'program');
    copyFileSync(probe('static'), path);
    for (const way of [[], ['--copy']])
      for (const file of [path, `${path}@0`]) refused(file, /mounted noexec/, 126, way);
  } finally {
    execFileSync('umount', [mount]);
  }
});

refuses('offsets that are unaligned or behind the end', () => {
  const held = container(probe('static'), 0x3000);
  refused(`${held}@0x3010`, /offset 0x3010 is not page aligned; want a multiple of 4096/);
  refused(`${held}@1`, /not page aligned/);
  refused(`${held}@0x1000`, /starts with bytes 0xee/);
  refused(`${held}@0x10000000`, /is behind the end; file has/);
  refused(`${held}@0xfffffffffffff000`, /is behind the end/);
});

refuses('what is no ELF program', () => {
  refused(stored(''), /file is empty/);
  refused(stored('#!/bin/sh\n'), /file ends after 10 bytes; want an ELF header/);
  refused(stored(`#!/bin/sh\n${'#'.repeat(100)}`), /starts with bytes 0x23 0x21/);
});

// Every field of a valid program, patched.
const valid = minimalProgram({ kind: 'static-pie' });
const pie = minimalProgram({ kind: 'pie' });
const executable = minimalProgram({ kind: 'static' });
const loads = [...Array(20).keys()].filter((i) => {
  const field = valid.fields[`phdr[${i}].p_type`];
  return field !== undefined && valid.bytes().readUInt32LE(field.offset) === 1;
});
const text = loads.find((i) => {
  const at = valid.field(`phdr[${i}].p_flags`).offset;
  return (valid.bytes().readUInt32LE(at) & 1) !== 0;
});

const patched: [string, ElfFile, Record<string, number | bigint>, RegExp][] = [
  ['32-bit', valid, { 'e_ident[EI_CLASS]': 1 }, /ELF class is 1/],
  ['big-endian', valid, { 'e_ident[EI_DATA]': 2 }, /big-endian/],
  ['another machine', valid, { e_machine: 8 }, /ELF machine is 8/],
  ['a relocatable file', valid, { e_type: 1 }, /ELF type is 1/],
  ['a core dump', valid, { e_type: 4 }, /ELF type is 4/],
  ['no program headers', valid, { e_phnum: 0 }, /e_phnum is 0/],
  ['program headers behind the end', valid, { e_phoff: 0x100000 }, /program headers at 0x100000/],
  ['an entry of 0', valid, { e_entry: 0 }, /e_entry 0x0 is in no executable segment/],
  ['an entry far away', valid, { e_entry: 0x7ffffffff000n }, /is in no executable segment/],
  ['W+X', valid, { [`phdr[${text}].p_flags`]: 7 }, /RWX; want no segment/],
  ['more file than memory', valid, { [`phdr[${text}].p_memsz`]: 1 }, /want at most p_memsz/],
  [
    'more memory than user space has',
    valid,
    { [`phdr[${loads.at(-1)}].p_memsz`]: 1n << 47n },
    /want addresses below/,
  ],
  ['addresses of the kernel', valid, { [`phdr[${text}].p_vaddr`]: 1n << 63n }, /want/],
];

for (const [name, file, values, message] of patched)
  refuses(`malformed: ${name}`, () => refused(stored(file.patch(values).bytes()), message));

refuses('malformed: cut anywhere in its headers', () => {
  for (const file of [valid, pie, executable])
    for (let size = 1; size < 0x400; size += 13) refused(stored(file.truncate(size).bytes()), /./);
});

refuses('an executable stack', () => {
  const program = compileC('int main(void) { return 0; }', {
    name: 'execstack',
    kind: 'pie',
    flags: ['-z', 'execstack'],
  });
  refused(program, /executable stack; want/);
});

/** A dynamic program whose PT_INTERP names `path`. */
function interpretedBy(path: string): string {
  const flags = [`-Wl,--dynamic-linker=${path}`];
  return compileC('int main(void) { return 6; }', { name: `interpreted-${count++}`, kind: 'pie', flags });
}

refuses('interpreters', () => {
  refused(interpretedBy('/nowhere/ld.so'), /interpreter \/nowhere\/ld.so: open failed with ENOENT/);
  refused(
    interpretedBy(stored(`#!/bin/sh\n${'#'.repeat(100)}`)),
    /interpreter .*: starts with bytes 0x23 0x21/,
  );
  refused(interpretedBy(directory), /interpreter .*: is a directory/);
  const other = stored(valid.patch({ e_machine: 183 }).bytes());
  refused(interpretedBy(other), /interpreter .*: ELF machine is 183/);
  refused(interpretedBy(stored(valid.bytes(), 0o644)), /interpreter .*: faccessat failed with EACCES/);
});

refuses('an interpreter may itself name one, which means nothing', () => {
  const nested = stored(readFileSync('/lib64/ld-linux-x86-64.so.2'));
  assert.is(insitu([interpretedBy(nested)]).status, 6);
});

refuses('a name never reaches the terminal as a control sequence', () => {
  const { stderr } = insitu([join(directory, 'a\nb\x1b[2J')]);
  assert.match(stderr, /a\?b\?\[2J: open failed/);
});

const changes = suite('insitu-exec: a file that changes underneath');

/** The program at `offset` of a container, which nothing keeps from being written (at 0 it is ETXTBSY's to do so). */
async function afterReady(file: string, change: () => void): Promise<{ signal: string; stderr: string }> {
  const args = [`${basename(file)}@${offset}`, 'far'];
  const child = spawn(runner, args, { cwd: dirname(file), stdio: ['pipe', 'pipe', 'pipe'] });
  try {
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    await once(child.stdout, 'data');
    change();
    child.stdin.end('\n');
    const [, signal] = await once(child, 'close');
    return { signal, stderr };
  } finally {
    child.kill('SIGKILL');
  }
}

const offset = 0x3000;

changes('truncated: one line, then SIGBUS as ever', async () => {
  for (const kind of kinds) {
    const file = container(probe(kind), offset, `truncated-${kind}`);
    const { signal, stderr } = await afterReady(file, () => truncateSync(file, 100));
    assert.is(signal, 'SIGBUS', kind);
    assert.match(
      stderr,
      /^insitu-exec: truncated-[a-z-]+: page at file offset 0x[0-9a-f]+000 is gone \(file is now 100 bytes\)\n$/,
    );
  }
});

changes('truncated and renamed', async () => {
  const file = container(probe('pie'), offset, 'renamed');
  const { signal, stderr } = await afterReady(file, () => {
    renameSync(file, `${file}.old`);
    truncateSync(`${file}.old`, 0);
  });
  assert.is(signal, 'SIGBUS');
  assert.match(stderr, /is gone \(file was replaced or removed\)/);
});

changes('removed: the program keeps its own', async () => {
  const file = container(probe('pie'), offset, 'removed');
  assert.is((await afterReady(file, () => rmSync(file))).signal, null);
});

changes('shrinking while it is loaded: never a crash of the runner', async () => {
  const program = probe('static-pie');
  const file = stored(readFileSync(program));
  const script = `while :; do truncate -s 5000 ${file}; cat ${program} > ${file}; done`;
  const loop = spawn('sh', ['-c', script], { stdio: 'ignore' });
  try {
    for (let i = 0; i < 200; i++) {
      const { status, signal, stderr } = insitu([`${file}@0`, 'exit', '5']);
      // Once started it may end by SIGBUS, with our line; by another signal where pages came back as zero.
      if (signal === 'SIGBUS') assert.match(stderr, /is gone/);
      if (status === 126) assert.match(stderr, /^insitu-exec: [^\n]*\n$/);
    }
  } finally {
    loop.kill('SIGKILL');
    await once(loop, 'exit');
  }
});

refuses.run();
changes.run();
