// What the fuzzer starts from, all of it built from readable source: minimal images and their variants, every row of
// the malformed table, and small shared objects of the real compiler and linker.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileC, temporaryDirectory } from '../build/compile.ts';
import { type ElfFile, type LibraryOptions, minimalLibrary, minimalProgram } from '../build/elf.ts';
import { malformed } from '../build/malformed.ts';
import { found } from './found.ts';

const getpid = { name: 'getpid', version: { name: 'GLIBC_2.2.5', library: 'libc.so.6' } };

const libraries: Record<string, LibraryOptions> = {
  plain: {},
  sysv: { hash: 'sysv', soname: 'libplain.so' },
  gnu: { hash: 'gnu', relro: true },
  relr: { relr: true, initArray: true },
  tls: { tls: true, relro: true, initArray: true },
  imports: { imports: [{ name: 'getpid' }, { name: 'abort' }], needed: ['libc.so.6'] },
  versions: { imports: [getpid], runpath: '$ORIGIN', relro: true, hash: 'gnu' },
  everything: { imports: [getpid], soname: 'liball.so', tls: true, relr: true, initArray: true, relro: true },
};

/** Flags that keep the linker's output at some KiB. */
const small = ['-nostdlib', '-Wl,-s', '-Wl,-z,max-page-size=4096', '-fno-asynchronous-unwind-tables'];

const functions = 'int state; int *where = &state; int answer(void) { return 42 + state; }';
const sources: Record<string, { source: string; flags?: string[]; versionScript?: string }> = {
  functions: { source: functions },
  sysv: { source: functions, flags: ['-Wl,--hash-style=sysv', '-Wl,-z,noseparate-code'] },
  relr: { source: functions, flags: ['-Wl,-z,pack-relative-relocs'] },
  lazy: {
    source: 'int getpid(void); int weak(void) __attribute__((weak)); int f(void) { return getpid() + weak(); }',
    flags: ['-Wl,-z,lazy'],
  },
  tls: { source: '__thread int a = 1; static __thread int b[9]; int *f(int i) { return i ? &a : &b[i]; }' },
  descriptors: {
    source: 'extern __thread int a; static __thread int b; int f(void) { return a + b; }',
    flags: ['-mtls-dialect=gnu2'],
  },
  ifunc: {
    source: `
      static int one(void) { return 1; }
      static int (*choose(void))(void) { return one; }
      int answer(void) __attribute__((ifunc("choose")));
      static int hidden(void) __attribute__((ifunc("choose")));
      int (*pointer)(void) = answer;
      int f(void) { return answer() + hidden(); }`,
  },
  versions: {
    source: `
      int old(void) { return 1; }
      int new(void) { return 2; }
      __asm__(".symver old, answer@INSITU_1");
      __asm__(".symver new, answer@@INSITU_2");`,
    versionScript: 'INSITU_1 { local: *; }; INSITU_2 { global: answer; } INSITU_1;',
  },
  unique: { source: '__asm__(".data; .globl u; .type u, @gnu_unique_object; .size u, 8; u: .quad u");' },
  // Enough neighbours for the kernel to be asked for whole pages (Relocator::populate).
  neighbours: { source: 'int x; int *table[2100] = { [0 ... 2099] = &x };', flags: ['-Wl,-Bsymbolic'] },
};

/** See native/fuzz/knobs.h: how an input is to be loaded stands in e_ident. */
const knobs: Record<string, number[]> = {
  place: [0],
  copy: [1],
  'no-private': [2],
  'behind-a-page': [8 + 16],
  units: [32 + 64],
  cut: [0, 3, 100],
};

function withKnobs(bytes: Buffer, values: number[]): Buffer {
  const copy = Buffer.from(bytes);
  copy.set(values, 9);
  return copy;
}

function valid(): Map<string, Buffer> {
  const images = new Map<string, Buffer>();
  const add = (name: string, image: ElfFile) => images.set(name, image.bytes());
  for (const [name, options] of Object.entries(libraries)) add(`minimal-${name}`, minimalLibrary(options));
  for (const kind of ['static', 'static-pie', 'pie'] as const) add(`program-${kind}`, minimalProgram({ kind }));
  for (const [name, { source, flags = [], versionScript }] of Object.entries(sources)) {
    const all = [...small, ...flags];
    if (versionScript !== undefined) {
      const script = join(temporaryDirectory(), `fuzz-${name}.map`);
      writeFileSync(script, versionScript);
      all.push(`-Wl,--version-script=${script}`);
    }
    const path = compileC(source, { name: `fuzz-${name}.so`, kind: 'shared', flags: all });
    images.set(`compiled-${name}`, readFileSync(path));
  }
  return images;
}

/** Writes all seeds into a directory and answers their number. */
export function writeSeeds(directory: string): number {
  mkdirSync(directory, { recursive: true });
  let count = 0;
  const write = (name: string, bytes: Buffer) => {
    writeFileSync(join(directory, name.replace(/[^\w.-]+/g, '_')), bytes);
    count++;
  };
  for (const [name, bytes] of valid())
    for (const [knob, values] of Object.entries(knobs)) write(`${name}-${knob}`, withKnobs(bytes, values));
  for (const { name, bytes } of malformed) write(`malformed-${name}`, bytes());
  for (const { name, bytes } of found) write(`found-${name}`, bytes());
  return count;
}
