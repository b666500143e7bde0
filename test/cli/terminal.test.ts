// The keyboard's signals, on a terminal that script(1) provides.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileC } from '../build/compile.ts';
import { environment, main } from './insitu.ts';

const noScript = spawnSync('script', ['--version']).status === 0 ? '' : ': no script(1) here';
const terminal = suite('insitu on a terminal');
const onTerminal = noScript ? terminal.skip : terminal;
const INTERRUPT = '\x03';
const SUSPEND = '\x1a';
const QUIT = '\x1c';

/** What is typed when the terminal has shown `after` since the last key. */
type Key = [after: RegExp, keys: string];

interface Session {
  status: number | null;
  shown: string;
}

/** Runs a command line on a terminal of its own. */
function type(command: string, keys: Key[]): Promise<Session> {
  return new Promise((resolve, reject) => {
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...environment, INSITU: `${process.execPath} ${main}`, SHELL: '/bin/bash', TERM: 'dumb' },
    });
    let shown = '';
    let from = 0;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`nothing more to be seen; wanted ${keys[0]?.[0]}:\n${shown}`));
    }, 8_000);
    child.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString().replaceAll('\r', '');
      const next = keys[0];
      if (!next?.[0].test(shown.slice(from))) return;
      from = shown.length;
      keys.shift();
      child.stdin.write(next[1]);
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, shown });
    });
  });
}

const pidIn = (shown: string) => /pid (\d+)/.exec(shown)?.[1];
const gone = (shown: string) => assert.not(existsSync(`/proc/${pidIn(shown)}`), 'neither orphan nor zombie');
const sleeper = `/bin/sh -c 'echo pid $$; exec sleep 100'`;
const ways = ['', '--copy', '--report'];

/** Tidies up before it stops, by signal WITH; without one it just stops. Says when it is back. */
const stopper = `
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static void on_stop(int signal) {
  (void)signal;
  write(1, "tidied\\n", 7);
#ifdef WITH
  raise(WITH);
#endif
}
static void on_continue(int signal) {
  (void)signal;
  write(1, "back\\n", 5);
}
int main(void) {
  signal(SIGCONT, on_continue);
#ifdef WITH
  signal(SIGTSTP, on_stop);
#else
  (void)on_stop;
#endif
  printf("pid %d\\n", (int)getpid());
  fflush(stdout);
  for (;;) pause();
}`;

for (const way of ways) {
  onTerminal(`run ${way}: ^C and ^\\ end the program and leave nothing behind${noScript}`, async () => {
    for (const [key, status] of [
      [INTERRUPT, 130],
      [QUIT, 131],
    ] as const) {
      const session = await type(`ulimit -c 0; $INSITU run ${way} ${sleeper}`, [[/pid \d+\n/, key]]);
      assert.is(session.status, status, session.shown);
      gone(session.shown);
      if (way === '--report') assert.match(session.shown, /ended with +signal \d+ after/);
    }
  });

  onTerminal(`run ${way}: a program that catches ^C goes its own way${noScript}`, async () => {
    const script = `trap "echo caught; exit 7" INT; echo pid $$; while :; do sleep 0.02; done`;
    const { status, shown } = await type(`$INSITU run ${way} /bin/sh -c '${script}'`, [
      [/pid \d+\n/, INTERRUPT],
    ]);
    assert.is(status, 7);
    assert.match(shown, /caught\n/);
  });

  onTerminal(`run ${way}: the program reads the terminal, and its end of file${noScript}`, async () => {
    const { status, shown } = await type(
      `stty -echo; $INSITU run ${way} /bin/sh -c 'echo on; cat; test -t 0'`,
      [
        [/on\n/, 'typed\n'],
        [/typed\n/, '\x04'],
      ],
    );
    assert.is(status, 0, shown);
  });

  onTerminal(`run ${way}: ^Z gives the shell its terminal back, fg goes on${noScript}`, async () => {
    const program = compileC(stopper, { name: 'stopper', kind: 'pie' });
    const { status, shown } = await type('bash --norc --noprofile -i', [
      [/[#$] $/, `$INSITU run ${way} ${program}\n`],
      [/pid \d+\n/, SUSPEND],
      [/Stopped[\s\S]*[#$] $/, 'fg\n'],
      [/^back$/m, INTERRUPT],
      [/[#$] $/, 'echo "ended $?"; exit 3\n'],
    ]);
    assert.is(status, 3, shown);
    assert.match(shown, /ended 130\n/);
    gone(shown);
  });
}

for (const signal of ['SIGSTOP', 'SIGTTOU'])
  for (const way of ways)
    onTerminal(`run ${way}: a program that tidies up before it stops, by ${signal}${noScript}`, async () => {
      const program = compileC(stopper, { name: `tidy-${signal}`, kind: 'pie', flags: [`-DWITH=${signal}`] });
      const { status, shown } = await type('bash --norc --noprofile -i', [
        [/[#$] $/, `$INSITU run ${way} ${program}\n`],
        [/pid \d+\n/, SUSPEND],
        [/tidied\n[\s\S]*Stopped[\s\S]*[#$] $/, 'fg\n'],
        [/back\n/, INTERRUPT],
        [/[#$] $/, 'echo "ended $?"; exit 3\n'],
      ]);
      assert.is(status, 3, shown);
      assert.match(shown, /ended 130\n/);
      gone(shown);
    });

onTerminal(`compare: ^C ends it, samples and all${noScript}`, async () => {
  const { status } = await type('$INSITU compare --runs 1000 /bin/true', [[/sample \d+ of 8000/, INTERRUPT]]);
  assert.is(status, 130);
});

terminal.run();
