// What happens to a library, and to those who hold something of it, when it is closed or its thread is ended.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileC, temporaryDirectory } from '../build/compile.ts';

const lifetime = suite('lifetime');
const library = fileURLToPath(new URL('../../runtime/index.ts', import.meta.url));

/** Runs a module's text in a process of its own; `load` and the path are at hand. */
function inProcess(path: string, code: string, env: Record<string, string> = {}) {
  const text = `import { loadSync } from ${JSON.stringify(library)};\nconst path = ${JSON.stringify(path)};\n${code}`;
  const args = [...process.execArgv, '--expose-gc', '--input-type=module', '-e', text];
  return spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...env },
  });
}

const plain = () => compileC('int answer(void) { return 42; }', { name: 'libanswer.so', kind: 'shared' });

lifetime('a function of a closed library throws, and so does its evidence', () => {
  const { status, stdout, stderr } = inProcess(
    plain(),
    `const lib = loadSync(path), answer = lib.func('int answer(void)'), report = lib.report;
     console.log(answer());
     lib.close();
     for (const use of [() => answer(), () => lib.symbol('answer'), () => report.evidence])
       try { console.log(use()); } catch (error) { console.log(error.code); }`,
  );
  assert.equal([status, stdout], [0, '42\nERR_CLOSED\nERR_CLOSED\nERR_CLOSED\n'], stderr);
});

lifetime('a worker that is ended while it loads takes nothing with it', () => {
  const { status, stdout, stderr } = inProcess(
    plain(),
    `import { Worker } from 'node:worker_threads';
     const code = \`
       const { parentPort, workerData } = require('node:worker_threads');
       import(workerData.library).then(({ loadSync }) => {
         parentPort.postMessage(1);
         for (;;) loadSync(workerData.path).close();
       });\`;
     const library = new URL('../dist/runtime/index.mjs', 'file://${library}').href;
     for (let i = 0; i < 12; i++) {
       const worker = new Worker(code, { eval: true, execArgv: [], workerData: { path, library } });
       await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
       await new Promise((resolve) => setTimeout(resolve, i * 2));
       await worker.terminate();
     }
     console.log('alive');`,
  );
  assert.equal([status, stdout], [0, 'alive\n'], stderr);
});

lifetime('a loop of loads that never yields keeps no memory', () => {
  const { stdout, stderr } = inProcess(
    plain(),
    `for (let i = 0; i < 2000; i++) loadSync(path).close();
     globalThis.gc();
     const before = process.memoryUsage().rss;
     for (let i = 0; i < 10000; i++) loadSync(path).close();
     globalThis.gc();
     console.log(process.memoryUsage().rss - before);`,
  );
  assert.ok(Number(stdout) < 30e6, `${stdout} bytes more after 10000 loads ${stderr}`);
});

lifetime('thread-local objects are destroyed before the static ones that they may use', () => {
  const path = compileC(
    `#include <cstdio>
     struct Static { bool alive = true; ~Static() { alive = false; std::printf("static\\n"); } };
     static Static object;
     struct Local { int value = 1; ~Local() { std::printf("local, static alive %d\\n", object.alive); } };
     static thread_local Local local;
     extern "C" int touch(void) { return local.value; }`,
    { name: 'liblocal.so', kind: 'shared', language: 'c++' },
  );
  const { stdout, stderr } = inProcess(
    path,
    `const lib = loadSync(path); lib.func('int touch(void)')(); lib.close();`,
  );
  assert.is(stdout, 'local, static alive 1\nstatic\n', stderr);
});

lifetime('INSITU_PERF_MAP=1: perf finds the functions of a copy', () => {
  const path = compileC('int first(void) { return 1; } int second(void) { return 2; }', {
    name: 'libperf.so',
    kind: 'shared',
  });
  const { stdout, stderr } = inProcess(
    path,
    `import { readFileSync, rmSync } from 'node:fs';
     const lib = loadSync(path, { place: 'copy' });
     const map = '/tmp/perf-' + process.pid + '.map';
     const lines = readFileSync(map, 'utf8').split('\\n');
     rmSync(map);
     for (const name of ['first', 'second']) {
       const start = lib.symbol(name).toString(16) + ' ';
       console.log(lines.some((line) => line.startsWith(start) && line.endsWith(' ' + name)));
     }`,
    { INSITU_PERF_MAP: '1' },
  );
  assert.is(stdout, 'true\ntrue\n', stderr);
});

lifetime('a directory that is itself called $ORIGIN is no loop', () => {
  const made = compileC('int answer(void) { return 42; }', {
    name: 'liborigin.so',
    kind: 'shared',
    flags: ['-Wl,-rpath,$ORIGIN/lib'],
  });
  const directory = join(temporaryDirectory(), '$ORIGIN');
  mkdirSync(directory);
  const path = join(directory, 'liborigin.so');
  copyFileSync(made, path);
  const { status, stdout, stderr } = inProcess(
    path,
    `console.log(loadSync(path).func('int answer(void)')());`,
  );
  assert.equal([status, stdout], [0, '42\n'], stderr);
});

lifetime.run();
