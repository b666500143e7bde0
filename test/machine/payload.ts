// What the guest runs: compiled on the host, because a compiler is 18 times slower in there.
import { execFileSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compileC } from '../build/compile.ts';
import { generateLibrary, generateProgram } from '../build/generate.ts';
import { addonIn } from '../hook/addon.ts';
import { makeErofs } from './erofs.ts';
import { buildRecorder } from './order/recorder.ts';

/** Linked so that no two segments share a 2 MiB unit. */
const HUGE = 2 << 20;
const hugeFlags = [`-Wl,-z,max-page-size=0x${HUGE.toString(16)}`, '-Wl,-z,separate-code'];

/** Reads all of its own text, says so, and waits for the end of its input. */
const resident = `
#include <stdio.h>
#include <unistd.h>
extern const char __executable_start[] __attribute__((weak));
extern const char etext[];
static char zeroed[3 * 4096];
static int initialized[1024] = {1};
#ifdef SIDE
int side(void);
#else
static int side(void) { return 7; }
#endif
__asm__(".text\\n.balign 4096\\n.globl text_start\\ntext_start:\\n.rept 2 << 20\\nnop\\n.endr\\n");
extern const char text_start[];
int main(void) {
  volatile int sum = 0;
  for (const char *at = text_start; at < etext; at += 4096) sum += *at;
  zeroed[4096] = 1;
  initialized[0] = side();
  printf("ready %d\\n", getpid());
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) {}
  return initialized[0] == 7 ? 0 : 1;
}
`;

const script = `
let sum = 0;
for (let i = 0; i < 1e5; i++) sum += i % 7;
console.log('ready', process.pid, sum);
process.stdin.resume();
`;

/** vaddrs of the pages that hold a word which is relocated at load. */
function relocatedPages(path: string): number[] {
  const listed = execFileSync('readelf', ['-rW', path], { encoding: 'utf8', maxBuffer: 64 << 20 });
  const pages = [...listed.matchAll(/^([0-9a-f]{16}) /gm)].map(([, offset]) => Number(`0x${offset}`) & ~4095);
  return [...new Set(pages)].sort((a, b) => a - b);
}

const app = `
const { answer } = require('./lib/addon.node');
console.log('ready', process.pid, answer());
process.stdin.resume();
`;

export interface Payload {
  directory: string;
  /** The compiled guest code. */
  code: string;
  /** insitu-exec. */
  runner: string;
}

/** Where the dynamic linker and libc of this machine lie, as a program linked here names them. */
function systemLibraries(): string[] {
  const listed = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });
  const path = (pattern: RegExp) => {
    const found = pattern.exec(listed)?.[1];
    if (found === undefined) throw new Error(`ldd of node names no ${pattern}`);
    return found;
  };
  return [path(/libc\.so\.6 => (\S+)/), path(/(\/\S*ld-linux\S+)/)];
}

/** What the other media get by `insitu place`, on a medium that nothing can be placed on. */
export const placed = ['text64.so', 'static', 'dynamic', 'libside.so', 'ld-linux-x86-64.so.2', 'libc.so.6'];

function buildErofs(directory: string): void {
  const content = join(directory, 'erofs');
  mkdirSync(content);
  for (const name of placed) linkSync(join(directory, name), join(content, name));
  copyFileSync(process.execPath, join(content, 'node'));
  makeErofs(content, join(directory, 'erofs.img'));
  rmSync(content, { recursive: true });
}

/** @throws Error when something could not be compiled */
export function buildPayload(): Payload {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const directory = join(root, 'build/machine');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  execFileSync('npx', ['--no-install', 'tsc', '-p', 'tsconfig.machine.json'], {
    cwd: root,
    stdio: 'inherit',
  });

  const keep = (name: string, path: string) => copyFileSync(path, join(directory, name));
  const shared = { kind: 'shared' as const, dir: directory, flags: hugeFlags };
  keep('text64.so', generateLibrary({ textMiB: 64, relocations: 'none', maxPageSize: HUGE }));
  keep('small-pages', generateProgram({ textMiB: 8, kind: 'pie' }));
  keep('relocated.so', generateLibrary({ textMiB: 4, relocations: 'many' }));
  keep('plain.so', generateLibrary({ textMiB: 4, relocations: 'none' }));
  for (const name of ['relocated.so', 'plain.so'])
    writeFileSync(
      join(directory, `${name}.relocated-pages.json`),
      JSON.stringify(relocatedPages(join(directory, name))),
    );
  const side = compileC('int side(void) { return 7; }', { ...shared, name: 'libside.so' });
  compileC(resident, { name: 'static', kind: 'static', dir: directory, flags: hugeFlags });
  const libraries = systemLibraries();
  for (const path of libraries) keep(path.split('/').at(-1) as string, path);
  // Wherever /mnt/here leads, there its libraries lie, the dynamic linker among them.
  const linker = `-Wl,--dynamic-linker=/mnt/here/${libraries[1]?.split('/').at(-1)}`;
  const flags = [...hugeFlags, '-DSIDE', linker, '-Wl,-rpath,$ORIGIN'];
  compileC(resident, { name: 'dynamic', kind: 'pie', dir: directory, flags, libraries: [side] });
  const source = fileURLToPath(new URL('./guest/truth.c', import.meta.url));
  compileC(readFileSync(source, 'utf8'), { name: 'truth', kind: 'static', dir: directory, flags: ['-O1'] });
  writeFileSync(join(directory, 'script.js'), script);
  addonIn(join(directory, 'app'), 4, hugeFlags);
  writeFileSync(join(directory, 'app/index.js'), app);
  writeFileSync(join(directory, 'app/package.json'), '{}');
  buildErofs(directory);
  buildRecorder(directory);
  return {
    directory,
    code: join(root, 'build/test/machine'),
    runner: join(root, `prebuilds/linux-${process.arch}/insitu-exec`),
  };
}
