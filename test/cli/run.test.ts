import { type ChildProcess, execFileSync, type StdioOptions, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildSamples } from '../../samples/build.ts';
import { compileC } from '../build/compile.ts';
import { environment, inRam, insitu, main, ramIsMissing, shell, start } from './insitu.ts';

const run = suite('insitu run');
const directory = mkdtempSync(join(tmpdir(), 'insitu-run-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const root = process.getuid?.() === 0;

/** The ways to be started; a report changes nothing of what a program sees. */
const ways: [name: string, options: string[]][] = [
  ['replacing insitu', []],
  ['copied', ['--copy']],
  ['with a report', ['--report-file=/dev/null']],
  ['copied with a report', ['--copy', '--report-file=/dev/null']],
];

function program(name: string, mode = 0o755, from = '/bin/true'): string {
  const path = join(directory, name);
  rmSync(path, { force: true });
  copyFileSync(from, path);
  chmodSync(path, mode);
  return path;
}

function refused(args: string[], status: number, message: RegExp): void {
  const outcome = insitu(['run', ...args]);
  assert.equal([outcome.status, outcome.stdout], [status, ''], args.join(' '));
  assert.match(outcome.stderr, message);
  assert.match(outcome.stderr, /^insitu(-exec)?: [^\n]*\n$/, 'one line');
}

for (const [name, way] of ways) {
  run(`${name}: exit codes are the program's own`, () => {
    for (const code of [0, 1, 2, 77, 126, 255]) {
      const { status, stdout, stderr } = insitu(['run', ...way, '/bin/sh', '-c', `exit ${code}`]);
      assert.equal([status, stdout, stderr], [code, '', '']);
    }
  });

  run(`${name}: a signal's end is 128 and its number`, () => {
    const script = `for s in KILL TERM INT HUP SEGV ABRT USR1 PIPE; do
      $INSITU run ${way.join(' ')} /bin/sh -c "kill -$s \\$\\$" 2>/dev/null; echo $s $?; done 2>/dev/null`;
    const expected = ['KILL', 'TERM', 'INT', 'HUP', 'SEGV', 'ABRT', 'USR1', 'PIPE'].map(
      (signal) => `${signal} ${128 + constants.signals[`SIG${signal}` as NodeJS.Signals]}\n`,
    );
    assert.is(shell(script).stdout, expected.join(''));
  });

  run(`${name}: standard input, output and errors are the program's own`, () => {
    const input = 'x'.repeat(300_000);
    const { stdout, status } = insitu(['run', ...way, '/bin/cat'], { input });
    assert.equal([status, stdout === input], [0, true]);
    const both = insitu(['run', ...way, '/bin/sh', '-c', 'echo out; echo err >&2']);
    assert.equal([both.stdout, both.stderr], ['out\n', 'err\n']);
    // What of a pipe the program does not read stays for the next one.
    const rest = shell(
      `printf 'one\\ntwo\\n' | { $INSITU run ${way.join(' ')} /bin/sh -c 'read x; echo $x'; cat; }`,
    );
    assert.is(rest.stdout, 'one\ntwo\n');
  });

  run(`${name}: arguments, environment and working directory pass through byte for byte`, () => {
    const args = ['--help', '-x', '', 'two words', '*', '--', '--report', 'ü\n'];
    const { stdout } = insitu(['run', ...way, '/usr/bin/printf', '%s|', ...args]);
    assert.is(stdout, `${args.join('|')}|`);
    const bytes = shell(`$INSITU run ${way.join(' ')} /usr/bin/printf '%s' $'a\\xff\\xfeb' | od -An -tx1`);
    assert.is(bytes.stdout, ' 61 ff fe 62\n');
    const variables = shell(
      `env -i A=$'\\xff' B= ${process.execPath} ${main} run ${way.join(' ')} /usr/bin/env | od -An -c`,
    );
    assert.is(variables.stdout.replace(/\s+/g, ' '), ' A = 377 \\n B = \\n ');
    assert.is(insitu(['run', ...way, '/bin/pwd'], { cwd: directory }).stdout, `${directory}\n`);
  });

  run(`${name}: inherits descriptors, and signals as they are by default`, () => {
    const fd = openSync('/etc/hostname', 'r');
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', fd];
    const names = insitu(['run', ...way, '/bin/ls', '/proc/self/fd'], { stdio }).stdout;
    assert.is(names, spawnSync('/bin/ls', ['/proc/self/fd'], { stdio, encoding: 'utf8' }).stdout);
    const content = insitu(['run', ...way, '/bin/sh', '-c', 'cat <&3'], { stdio }).stdout;
    assert.is(content, readFileSync('/etc/hostname', 'utf8'));
    assert.is(shell(`$INSITU run ${way.join(' ')} cat <(echo substituted)`).stdout, 'substituted\n');
    const status = insitu(['run', ...way, '/bin/cat', '/proc/self/status']).stdout;
    assert.match(status, /^SigBlk:\t0+$/m);
    assert.match(status, /^SigIgn:\t0+$/m);
  });

  run(`${name}: a signal for insitu alone is the program's`, async () => {
    const script = 'trap "echo $1; exit 9" TERM INT HUP USR1; echo ready; while :; do sleep 0.02; done';
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const) {
      const child = start(['run', ...way, '/bin/sh', '-c', script, 'sh', signal], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      assert.equal(await answerTo(child, signal), { output: `ready\n${signal}\n`, code: 9, ended: null });
    }
  });

  run(`${name}: a program that a signal ends takes insitu with it`, async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const script = 'echo $$; exec sleep 50';
      const child = start(['run', ...way, '/bin/sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
      const { output, code, ended } = await answerTo(child, signal);
      const number = constants.signals[signal];
      assert.ok(ended === signal || code === 128 + number, `${ended} ${code}`);
      assert.not(existsSync(`/proc/${output.trim()}`), 'neither orphan nor zombie');
    }
  });
}

run('SIGKILL to insitu is the end of the program, with a report too', async () => {
  const child = start(['run', '--report', '/bin/sh', '-c', 'echo $$; exec sleep 50'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { output, ended } = await answerTo(child, 'SIGKILL');
  assert.is(ended, 'SIGKILL');
  // Its descriptors are closed, which ended the wait, a moment before it is dead; and whoever adopted it may not have
  // reaped it yet.
  for (let i = 0; i < 500 && isRunning(Number(output)); i++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.not(isRunning(Number(output)));
});

const isRunning = (pid: number) =>
  existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));

/** Sends a signal when the program has said its first word, and waits for its end. */
async function answerTo(child: ChildProcess, signal: NodeJS.Signals) {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    if (output === '') child.kill(signal);
    output += chunk;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const [code, ended] = await once(child, 'close');
  clearTimeout(timer);
  return { output, code, ended };
}

run('without a report the program is this very process', async () => {
  const child = start(['run', '/bin/sh', '-c', 'echo $$'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [pid] = await once(child.stdout as NodeJS.ReadableStream, 'data');
  assert.is(Number(pid), child.pid);
  await once(child, 'exit');
});

run('argv[0] is the file as it was named', () => {
  const echo = compileC('#include <stdio.h>\nint main(int c, char **v) { (void)c; puts(v[0]); }', {
    name: 'argv0',
    kind: 'pie',
    dir: directory,
  });
  assert.is(insitu(['run', echo]).stdout, `${echo}\n`);
  assert.is(insitu(['run', './argv0'], { cwd: directory }).stdout, './argv0\n');
  const PATH = `${directory}:${process.env.PATH}`;
  assert.is(insitu(['run', 'argv0'], { env: { ...environment, PATH } }).stdout, 'argv0\n');
});

run('a name without a slash is looked up in PATH, past what can not be executed', () => {
  assert.is(insitu(['run', 'echo', 'found'], { cwd: '/' }).stdout, 'found\n');
  const early = join(directory, 'early');
  mkdirSync(join(early, 'echo'), { recursive: true });
  const other = join(directory, 'other');
  mkdirSync(other, { recursive: true });
  writeFileSync(join(other, 'echo'), 'no program', { mode: 0o644 });
  const env = { ...environment, PATH: `${early}:${other}:${process.env.PATH}` };
  assert.is(insitu(['run', 'echo', 'passed over'], { cwd: '/', env }).stdout, 'passed over\n');
  assert.is(insitu(['run', 'echo', 'a directory here'], { cwd: early }).stdout, 'a directory here\n');
  refused(['no-such-program-anywhere'], 127, /ENOENT/);
  refused([''], 127, /ENOENT/);
});

run('a program at an offset of a file', () => {
  const held = join(directory, 'region');
  const content = readFileSync(buildSamples()['hello-static']);
  writeFileSync(held, Buffer.concat([Buffer.alloc(0x3000, 0xee), content]));
  for (const [, way] of ways) {
    const { status, stdout } = insitu(['run', ...way, `${held}@0x3000`, 'one']);
    assert.is(status, 0);
    assert.match(stdout, /^argv\[1\] = one$/m);
  }
  assert.is(insitu(['run', `${held}@12288`]).status, 0);
  refused([`${held}@0x3010`], 126, /0x3010.*page aligned|starts with/);
  refused([`${held}@0x1000`], 126, /starts with bytes 0xee/);
  refused([`${held}@0x10000000`], 126, /want/);
  refused([`${held}@99999999999999999999`], 126, /want/);
  refused([`${held}-@0`], 127, /ENOENT/);
  // A file may be called like that.
  const odd = program('true@0');
  assert.is(insitu(['run', odd]).status, 0);
});

run('a script runs by its interpreter, and is nothing to copy', () => {
  const script = join(directory, 'script');
  writeFileSync(script, '#!/bin/sh\necho "$0" "$@"; exit 3\n', { mode: 0o755 });
  const { status, stdout } = insitu(['run', script, 'a', 'b c']);
  assert.equal([status, stdout], [3, `${script} a b c\n`]);
  assert.is(insitu(['run', '--report', script]).status, 3);
  refused(['--copy', script], 126, /is a script; want an ELF program/);
  refused(['--require-in-place', script], 126, /is a script/);
});

run('refused with the reason: 126 for what is there, 127 for what is not', () => {
  refused(['/etc/passwd'], 126, /starts with bytes/);
  refused([directory], 126, /is a directory/);
  refused(['/dev/null'], 126, /is a character device/);
  refused([buildSamples().hash], 126, /is a shared object; want a program/);
  refused([join(directory, 'nowhere')], 127, /ENOENT/);
  refused(['/etc/passwd/below'], 127, /ENOTDIR/);
  refused([program('empty', 0o755, '/dev/null')], 126, /file is empty|file ends after 0 bytes/);
  const module = join(directory, 'x.wasm');
  writeFileSync(module, Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
  refused([module], 126, /is a wasm-module that exports no _start; want/);
  const loop = join(directory, 'loop');
  symlinkSync(loop, loop);
  refused([loop], 126, /ELOOP/);
  refused([program('plain', 0o644)], 126, /EACCES/);
  refused(['--report-file=/dev/null', program('plain', 0o644)], 126, /EACCES/);
});

run('--require-in-place refuses what is not on NVM', () => {
  refused(['--require-in-place', program('true')], 126, /page cache|RAM file system/);
  if (!ramIsMissing())
    refused(['--require-in-place', inRam('/bin/true')], 126, /is on a RAM file system \(tmpfs\); want/);
});

run('set-user-ID and set-group-ID programs are never entered through the runner', () => {
  for (const [mode, name] of [
    [0o4755, 'set-user-ID'],
    [0o2755, 'set-group-ID'],
  ] as const)
    for (const way of [['--copy'], ['--report', '--copy'], ['--report-file=/dev/null', '--copy']])
      refused([...way, program('privileged', mode)], 126, new RegExp(`is ${name}; want .*execve`));
});

const asRoot = root ? run : run.skip;
asRoot(
  `a program with file capabilities is never entered through the runner${root ? '' : ': not root'}`,
  () => {
    const path = program('capable');
    execFileSync('setcap', ['cap_net_raw=ep', path]);
    refused(['--copy', path], 126, /is given capabilities; want/);
  },
);

const missing = ramIsMissing();
const withRam = missing ? run.skip : run;
withRam(`from a RAM file system the kernel starts it, privileges and all${missing && `: ${missing}`}`, () => {
  const path = inRam('/bin/true');
  const report = reportOf(['--report=json', path]);
  assert.equal([report.way, report.backing.medium, report.exitCode], ['execve', 'ram', 0]);
  chmodSync(path, 0o4755);
  const privileged = reportOf(['--report=json', path]);
  assert.equal([privileged.way, privileged.evidence.source], ['execve', 'none']); // a tracer would take them away
  refused(['--copy', path], 126, /is set-user-ID/);
});

function reportOf(args: string[], status = 0) {
  const outcome = insitu(['run', ...args]);
  assert.is(outcome.status, status, outcome.stderr);
  return JSON.parse(outcome.stderr);
}

run('a report as JSON on stderr: how it was started, what was planned, what was measured', () => {
  const report = reportOf(['--report=json', '/bin/sh', '-c', 'exit 4'], 4);
  const keys =
    'file format kind way why place backing segments phases exitCode signal bytesInPlace bytesCopied';
  for (const key of [...keys.split(' '), 'faults', 'privateBytes', 'evidence']) assert.ok(key in report, key);
  assert.equal([report.exitCode, report.signal, report.place], [4, null, 'in-place']);
  assert.ok(report.bytesInPlace > 0 && report.bytesCopied === 0);
  const killed = reportOf(['--report=json', '--copy', '/bin/sh', '-c', 'kill -TERM $$'], 143);
  assert.equal([killed.exitCode, killed.signal, killed.place, killed.way], [null, 15, 'copy', 'runner']);
  assert.ok(killed.bytesInPlace === 0 && killed.bytesCopied > 0);
});

run('a report for people, behind what the program said', () => {
  const { status, stdout, stderr } = insitu([
    'run',
    '--report',
    '/bin/sh',
    '-c',
    'echo out; echo err >&2; exit 5',
  ]);
  assert.equal([status, stdout], [5, 'out\n']);
  assert.match(stderr, /^err\nprogram .*\n(.*\n)*ended with +exit code 5 after .*\n(.*\n)*measured /);
});

run('a report in a file of its own; one that can not be written is known before the program runs', () => {
  const file = join(directory, 'report.json');
  for (const option of [
    [`--report-file=${file}`],
    ['--report-file', file],
    ['--report=json', `--report-file=${file}`],
  ]) {
    const { status, stderr } = insitu(['run', ...option, '/bin/sh', '-c', 'exit 6']);
    assert.equal([status, stderr], [6, '']);
    assert.is(JSON.parse(readFileSync(file, 'utf8')).exitCode, 6);
  }
  const ran = join(directory, 'ran');
  const { status, stderr } = insitu(['run', '--report-file=/nowhere/report', '/usr/bin/touch', ran]);
  assert.equal([status, existsSync(ran)], [2, false]);
  assert.match(stderr, /^insitu: --report-file: ENOENT[^\n]*\n$/);
});

run('options end at the program, or at --', () => {
  assert.is(insitu(['run', '--', '/bin/echo', '--report']).stdout, '--report\n');
  assert.is(insitu(['run', '/usr/bin/printf', '%s', '--help']).stdout, '--help');
});

run.run();
