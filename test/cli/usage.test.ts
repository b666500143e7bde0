import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { insitu, main, shell } from './insitu.ts';

const usage = suite('insitu: usage');
const verbs = ['inspect', 'run', 'call', 'compare', 'doctor'];

function misused(args: string[], message: RegExp): void {
  const { status, stdout, stderr } = insitu(args);
  assert.equal([status, stdout], [2, ''], args.join(' '));
  assert.match(stderr, /^insitu: .*--help/, args.join(' '));
  assert.match(stderr, message);
}

usage('help is data, and teaches by example', () => {
  for (const args of [
    ['--help'],
    ['-h'],
    ['help'],
    ...verbs.flatMap((verb) => [
      [verb, '--help'],
      [verb, '-h'],
    ]),
  ]) {
    const { status, stdout, stderr } = insitu(args);
    assert.equal([status, stderr], [0, ''], args.join(' '));
    assert.match(stdout, /^usage: insitu /m);
    assert.match(
      stdout,
      new RegExp(`^ *(usage: )?insitu ${verbs.includes(args[0] as string) ? args[0] : 'run'} `, 'm'),
    );
  }
  const { stdout } = insitu(['--help']);
  for (const verb of verbs) assert.match(stdout, new RegExp(`^  ${verb} `, 'm'));
  assert.match(stdout, /126 .*127/s);
});

usage('the version is the package’s', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.is(insitu(['--version']).stdout, `${version}\n`);
});

usage('nothing said: help on stderr', () => {
  const { status, stdout, stderr } = insitu([]);
  assert.equal([status, stdout], [2, '']);
  assert.match(stderr, /^usage: insitu/m);
});

usage('unknown verbs and options, and what is missing or too much', () => {
  misused(['frobnicate'], /'frobnicate' is no verb; want inspect, run/);
  misused(['constructor'], /is no verb/);
  misused(['--json'], /'--json' is no verb/);
  for (const verb of verbs) misused([verb, '--frobnicate'], /'--frobnicate'/);
  misused(['inspect'], /wants one FILE/);
  misused(['inspect', '/bin/ls', '/bin/cat'], /wants one FILE/);
  misused(['inspect', '--json=yes', '/bin/ls'], /--json/);
  misused(['run'], /wants a FILE/);
  misused(['run', '--report'], /wants a FILE/);
  misused(['run', '--report=xml', '/bin/true'], /--report=xml is unknown/);
  misused(['run', '--report-file'], /argument missing/);
  misused(['call'], /wants FILE and 'PROTOTYPE'/);
  misused(['call', '/bin/ls'], /wants FILE and 'PROTOTYPE'/);
  misused(['compare'], /wants one FILE/);
  misused(['compare', '/bin/ls', '--call'], /wants a 'PROTOTYPE'/);
  for (const runs of ['0', '-1', 'x', '1.5', '1e9', ''])
    misused(['compare', `--runs=${runs}`, '/bin/true'], /want 1 to 10000/);
  misused(['doctor', 'now'], /wants no FILE/);
});

usage('a reader that goes away early is no error', () => {
  const { status, stdout, stderr } = shell(
    `set -o pipefail; for i in 1 2 3; do $INSITU inspect --json /bin/ls | head -1 || exit 9; done`,
  );
  assert.equal([status, stdout, stderr], [0, '{\n{\n{\n', '']);
  assert.is(shell('set -o pipefail; $INSITU inspect --json /bin/ls | true').status, 0);
});

usage('no colour where it goes to no terminal, or NO_COLOR is set', () => {
  const script = (environment: string, command: string) =>
    execFileSync('script', ['-qec', `${environment} ${process.execPath} ${main} ${command}`, '/dev/null'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '', TERM: 'xterm' },
    });
  const coloured = (text: string) => text.includes('\x1b[');
  for (const args of [['inspect', '/bin/ls'], ['doctor']]) assert.not(coloured(insitu(args).stdout));
  assert.not(coloured(insitu(['run', '--report', '/bin/true']).stderr));
  assert.ok(coloured(script('', 'inspect /bin/ls')));
  assert.not(coloured(script('NO_COLOR=1', 'inspect /bin/ls')));
  assert.not(coloured(script('TERM=dumb', 'inspect /bin/ls')));
  // A terminal for stdout says nothing of stderr.
  const errors = script('', 'run --report /bin/true 2>&1 >/dev/tty | cat');
  assert.match(errors, /^program /m);
  assert.not(coloured(errors));
});

usage.run();
