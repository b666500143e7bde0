// The directory that every run starts with a copy of.
import { execFileSync } from 'node:child_process';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const lines = [
  'the quick brown fox',
  'apple pie and\tfig jam',
  'lime, pear',
  '',
  'over the lazy dog',
  'last line',
];

const files: Record<string, string | Buffer> = {
  'a.txt': `${lines.join('\n')}\n`,
  'b.txt': `${[...lines.slice(2), 'grüße', 'the end'].join('\n')}\n`,
  'sorted1.txt': 'apple 1\napple 1\nfig 2\npear 3\n',
  'sorted2.txt': 'apple red\nlime green\npear yellow\n',
  'table.txt': 'one:1:eins\ntwo:2:zwei\nthree:30:drei\n',
  'tabs.txt': 'a\tb\n\t\tc\n',
  'change.patch':
    '--- a.txt\n+++ a.txt\n@@ -1,2 +1,2 @@\n-the quick brown fox\n+the slow brown fox\n apple pie and\tfig jam\n',
  'random.bin': Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * i * 31 + i * 7) & 0xff)),
  'sub/c.txt': 'in a directory: the third\n',
  'source.c':
    '#include <stdio.h>\nint square(int x) { return x * x; }\nint main(void) { return printf("%d\\n", square(7)) < 0; }\n',
  'broken.c': 'int main(void) { int unused; return undefined_name; }\n',
  'source.cc':
    '#include <string>\n#include <vector>\nstd::string join(const std::vector<std::string>& v) { std::string s; for (const auto& x : v) s += x; return s; }\n',
  'source.s': '.globl f\nf: mov $42, %eax\nret\n.data\nword: .quad f\n',
  Makefile: 'all: x y\n\t@echo done $^ $(shell expr 2 + 3)\nx y:\n\techo making $@\n\tfalse || true\n',
  'script.sh':
    'set -e\nwhile read -r w; do echo "$1 $w $(( s += 2 ))"; done | sort -r\n[[ $2 == t* ]] && exit 9\n',
  'script.js': [
    "const { execFileSync, fork } = require('child_process');",
    'if (process.send) { process.send(process.argv.slice(2)); }',
    'else {',
    "  console.log(process.execPath, process.argv, require('fs').readdirSync('sub'));",
    "  console.log(execFileSync(process.execPath, ['-p', '1 + 1']).toString());",
    "  fork(__filename, ['from', 'child']).on('message', (m) => console.log(m));",
    '}',
  ].join('\n'),
};

/** Makes the fixture in `directory`, which must not exist; `env` fixes what git would take from its surroundings. */
export function makeFixture(directory: string, env: NodeJS.ProcessEnv): void {
  mkdirSync(join(directory, 'sub'), { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, name), content);
    utimesSync(join(directory, name), 1_000_000_000, 1_000_000_000);
  }
  const run = (command: string, ...args: string[]): void => {
    execFileSync(command, args, { cwd: directory, env, stdio: ['ignore', 'ignore', 'inherit'] });
  };
  run('gcc', '-c', '-o', 'prebuilt.o', 'source.s');
  run('git', 'init', '-q', '-b', 'main', 'repo');
  for (const [name, content] of [
    ['first', 'apple\nfig\n'],
    ['second', 'apple\n'],
  ] as const) {
    writeFileSync(join(directory, 'repo', name), content);
    run('git', '-C', 'repo', 'add', name);
    run('git', '-C', 'repo', 'commit', '-q', '-m', `Add ${name}`);
  }
  writeFileSync(join(directory, 'repo', 'second'), 'changed\n');
}
