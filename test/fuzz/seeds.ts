// What the fuzzer starts from, all of it built from readable source: minimal images and their variants, every row of
// the malformed table, and small shared objects of the real compiler and linker.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileC, temporaryDirectory } from '../build/compile.ts';
import { type ElfFile, type LibraryOptions, minimalLibrary, minimalProgram, R_X86_64 } from '../build/elf.ts';
import { PT } from '../build/fields.ts';
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
    source:
      'int getpid(void); int weak(void) __attribute__((weak)); int f(void) { return getpid() + weak(); }',
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
  neighbours: { source: 'int x; int *table[600] = { [0 ... 599] = &x };', flags: ['-Wl,-Bsymbolic'] },
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

/** So many RELATIVE relocations of neighbours that whole pages are made of them (Relocator::apply_full_pages). */
function dense(): Buffer {
  const count = 16 * 512;
  const [offset, vaddr, first] = [0x4000, 0x40000, 0x5000];
  const table = Buffer.alloc(24 * count);
  for (let i = 0; i < count; i++) {
    table.writeBigUInt64LE(BigInt(first + 8 * i), 24 * i);
    table.writeBigUInt64LE(BigInt(R_X86_64.RELATIVE), 24 * i + 8);
    table.writeBigUInt64LE(BigInt(i), 24 * i + 16);
  }
  const image = minimalLibrary({ relro: true });
  const header = {
    p_type: PT.LOAD,
    p_flags: 4,
    p_offset: offset,
    p_vaddr: vaddr,
    p_filesz: table.length,
    p_memsz: table.length,
    p_align: 0x1000,
  };
  const patched = image.patch({
    ...Object.fromEntries(Object.entries(header).map(([k, v]) => [`phdr[PT_GNU_RELRO].${k}`, v])),
    'phdr[2].p_memsz': first + 8 * count - 0x3000,
    'dyn[DT_RELA].d_val': vaddr,
    'dyn[DT_RELASZ].d_val': table.length,
  });
  return Buffer.concat([patched.bytes(), Buffer.alloc(offset - patched.size), table]);
}

function valid(): Map<string, Buffer> {
  const images = new Map<string, Buffer>();
  const add = (name: string, image: ElfFile) => images.set(name, image.bytes());
  for (const [name, options] of Object.entries(libraries)) add(`minimal-${name}`, minimalLibrary(options));
  for (const kind of ['static', 'static-pie', 'pie'] as const)
    add(`program-${kind}`, minimalProgram({ kind }));
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
  images.set('minimal-dense', dense());
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
  for (const { name, bytes, knobs } of found) write(`found-${name}`, withKnobs(bytes(), knobs));
  return count;
}
