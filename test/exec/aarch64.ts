// The runner, the loader and compiled modules for aarch64: cross-compiled, and run under qemu's user-mode emulation in
// place and copied. Start it with: node --import tsx test/exec/aarch64.ts
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { emulator, gcc, gxx, native, provideNode, provideTools, succeeds } from './aarch64/machine.ts';
import { checkOperators, checkScripts } from './aarch64/modules.ts';

const runner = fileURLToPath(new URL('../../prebuilds/linux-arm64/insitu-exec', import.meta.url));

const source = `
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
static char zeroed[100000];
static int initialized = 7;
static _Thread_local int per_thread = 9;
int main(int argc, char **argv) {
  for (unsigned i = 0; i < sizeof zeroed; i++) if (zeroed[i]) return 1;
  char *heap = sbrk(1 << 20);
  if (heap == (void *)-1 || (uintptr_t)__builtin_frame_address(0) % 16) return 2;
  memset(heap, 1, 1 << 20);
  printf("%d %s %s %s %d %d %s\\n", argc, argv[0], argv[1], getenv("ONE"), initialized, per_thread,
         (char *)getauxval(AT_EXECFN));
  return 37;
}
`;

/** What relocation and linking have to get right: every kind of dynamic relocation, TLS by descriptor, exceptions. */
const librarySource = `
#include <cstdlib>
#include <stdexcept>
#include <string>
static int started = 0;
__attribute__((constructor(101))) static void first() { started = 1; }
__attribute__((constructor(102))) static void second() { started = started * 10 + 2; }
static thread_local int counter = 40;
thread_local char zeroed[64];
static int forty_two() { return 42; }
static int (*const table[])() = {forty_two, forty_two};
extern "C" __attribute__((weak)) void nowhere();
extern "C" {
int constructors() { return started; }
int thread_locals() { return ++counter + zeroed[3]; }
int relocated() { return table[started & 1](); }
int weak_is_null() { return nowhere == nullptr; }
int imported() { return abs(-7) + static_cast<int>(std::string("four").size()); }
int thrown() {
  try { throw std::runtime_error("thrown"); } catch (const std::exception &e) { return e.what()[0]; }
}
static int chosen() { return 5; }
static int (*choose(void))(void) { return chosen; }
int indirect(void) __attribute__((ifunc("choose")));
int through_ifunc() { return indirect(); }
}
`;
const answers = {
  constructors: 12,
  thread_locals: 41,
  relocated: 42,
  weak_is_null: 1,
  imported: 11,
  thrown: 't'.charCodeAt(0),
  through_ifunc: 5,
};

/** The loader of shared objects, as a program without Node, on the same sources as the addon. */
function libraries(): void {
  const host = join(directory, 'load-library');
  const sources = readdirSync(native).filter((name) =>
    /^(?!addon|process|region|census|ranges|mapped).*\.cc$/.test(name),
  );
  const files = [...sources, 'tls_aarch64.S'].map((name) => join(native, name));
  const main = fileURLToPath(new URL('./load-library.cc', import.meta.url));
  const flags = ['-std=c++20', '-O1', '-D_GNU_SOURCE', '-ftls-model=initial-exec', '-iquote', native];
  const library = join(directory, 'library.so');
  writeFileSync(join(directory, 'library.cc'), librarySource);
  const built =
    succeeds(gxx, [...flags, '-o', host, main, ...files, '-ldl']) &&
    succeeds(gxx, ['-O1', '-shared', '-fPIC', '-o', library, join(directory, 'library.cc')]);
  if (!built) {
    counts.failed++;
    return;
  }
  const stdout = Object.entries(answers)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
  for (const way of [[], ['--copy']])
    checkProgram(`library ${way.join('')}`, [host, ...way, library, ...Object.keys(answers)], {
      status: 0,
      stdout: `${stdout}copied=${way.length}\n`,
    });
}

const counts = { passed: 0, failed: 0 };

function finish(...skips: string[]): never {
  for (const skip of skips) console.log(`skipped: ${skip}`);
  const skipped = skips.length === 0 ? '' : `, ${skips.length} skipped`;
  console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
  process.exit(counts.failed > 0 ? 1 : 0);
}

function check(
  label: string,
  args: string[],
  expected: { status: number; stdout?: string; stderr?: RegExp },
): void {
  checkProgram(label, [runner, ...args], expected);
}

function checkProgram(
  label: string,
  program: string[],
  expected: { status: number; stdout?: string; stderr?: RegExp },
): void {
  const [command = '', ...first] = [...emulator, ...program];
  const result = spawnSync(command, first, {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, ONE: '1' },
  });
  const right =
    result.status === expected.status &&
    (expected.stdout === undefined || result.stdout === expected.stdout) &&
    (expected.stderr === undefined || expected.stderr.test(result.stderr));
  counts[right ? 'passed' : 'failed']++;
  if (!right)
    console.log(
      `FAILED ${label}: ${JSON.stringify([result.status, result.signal, result.stdout, result.stderr])}`,
    );
}

const missing = provideTools();
if (missing !== undefined) finish(missing);
const forArm = ['ARCH=arm64', `CC=${gcc}`, `CXX=${gxx}`];
if (!succeeds('make', ['-s', '-j2', '-C', native, ...forArm, 'runner', 'addon'])) {
  counts.failed++;
  finish();
}

const directory = mkdtempSync(join(tmpdir(), 'insitu-aarch64-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const code = join(directory, 'program.c');
writeFileSync(code, source);

const offset = 0x10000; // a multiple of every page size that aarch64 has
for (const [kind, flags] of Object.entries({
  static: ['-static'],
  'static-pie': ['-static-pie'],
  pie: ['-pie'],
  'no-pie': ['-no-pie', '-fno-pie'],
})) {
  const program = join(directory, kind);
  const held = join(directory, `${kind}-container`);
  if (!succeeds(gcc, ['-O1', ...flags, '-o', program, code])) {
    counts.failed++;
    continue;
  }
  writeFileSync(held, Buffer.concat([Buffer.alloc(offset, 0xee), readFileSync(program)]));
  for (const way of [[], ['--copy']])
    for (const [file, path] of [
      [program, program],
      [`${held}@0x10000`, held],
    ] as const) {
      const label = `${kind} ${way.join('')} ${file}`;
      check(label, [...way, file, 'x'], { status: 37, stdout: `2 ${path} x 1 7 9 ${path}\n` });
      check(label, [...way, '--argv0', 'name', file, 'x'], {
        status: 37,
        stdout: `2 name x 1 7 9 ${path}\n`,
      });
    }
}
libraries();
check('another machine', [process.execPath], { status: 126, stderr: /ELF machine is 62; want 183/ });
check('not found', [join(directory, 'nowhere')], { status: 127, stderr: /ENOENT/ });
check('no ELF', [`${code}@0`], { status: 126, stderr: /starts with bytes/ });
check('version', ['--version'], { status: 0, stdout: '0.1.0\n' });
checkOperators(counts);
const node = provideNode();
const skipped = typeof node === 'string' ? node : await checkScripts(counts, node);
finish(...(skipped === undefined ? [] : [skipped]));
