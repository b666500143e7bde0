// What the linker can ask for: IFUNC, versions, hash tables, RELR, RELRO, weak symbols, and what a debugger sees.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { loadSync } from '../../runtime/index.ts';
import { compileC } from '../build/compile.ts';
import type { BuiltRow } from './built.ts';
import { places } from './loading.ts';

const compiled =
  (name: string, source: string, flags: string[] = [], libraries: string[] = []) =>
  (dir: string) => ({
    library: compileC(source, { name, kind: 'shared', flags, libraries, dir }),
  });

const ifuncs = `
static int plain(int x) { return x + 1; }
static int other(int x) { return x + 2; }
static int resolved;
typedef int function(int);
static function *resolve_exported(void) { resolved++; return plain; }
static function *resolve_hidden(void) { resolved++; return other; }
int exported(int) __attribute__((ifunc("resolve_exported")));
static int hidden(int) __attribute__((ifunc("resolve_hidden")));
function *const table[] = {exported, hidden, plain};
int through_plt(int x) { return exported(x) * 100 + hidden(x); }
int through_table(int x) { return table[0](x) * 10000 + table[1](x) * 100 + table[2](x); }
int resolved_count(void) { return resolved; }
int same(void) { return table[0] == exported; }
`;

const neededIfunc = `
static int here(int x) { return x * 3; }
static int (*resolve(void))(int) { return here; }
int chosen(int) __attribute__((ifunc("resolve")));
`;

const versioned = (script: string, source: string, dir: string): string =>
  compileC(source, {
    name: 'libversioned.so',
    kind: 'shared',
    flags: [
      `-Wl,--version-script=${fileURLToPath(new URL(script, import.meta.url))}`,
      '-Wl,-soname,libversioned.so',
    ],
    dir,
  });

const client =
  'int f(void); int call(void) { return f() * 10; } int (*pointer)(void) = f; int through(void) { return pointer(); }';

function makeVersions(dir: string) {
  const old = versioned('./versions-old.map', 'int f(void) { return 1; }', join(dir, 'old'));
  const both = `
    __asm__(".symver f1, f@V1"); int f1(void) { return 1; }
    __asm__(".symver f2, f@@V2"); int f2(void) { return 2; }`;
  const current = versioned('./versions.map', both, dir);
  const clients = { bound1: old, bound2: current };
  const files: Record<string, string> = { library: current };
  for (const [name, against] of Object.entries(clients))
    files[name] = compileC(client, {
      name: `lib${name}.so`,
      kind: 'shared',
      libraries: [against],
      flags: ['-Wl,-rpath,$ORIGIN'],
      dir,
    });
  return files;
}

const weak = `
extern int nowhere(int) __attribute__((weak));
extern int nothing __attribute__((weak));
extern int also_weak(int) __attribute__((weak));
int also_weak(int x) { return x + 5; }
int (*pointer)(int) = nowhere;
int call(int x) { return nowhere ? nowhere(x) : &nothing ? -1 : pointer ? -2 : also_weak(x); }
`;

const COUNT = 300;
const many = Array.from({ length: COUNT }, (_, i) => `int function_${i}(void) { return ${i * 7}; }`).join(
  '\n',
);

const pointers = `
int values[600];
static int hidden = 4;
int *const pointers[600] = {${Array.from({ length: 600 }, (_, i) => `&values[${(i * 37) % 600}]`).join(', ')}};
int *sparse[200] = {[3] = &hidden, [64] = &hidden, [67] = &values[9], [199] = &values[1]};
int sum(void) {
  int total = 0;
  for (int i = 0; i < 600; i++) values[i] = i;
  for (int i = 0; i < 600; i++) total += (*pointers[i] == (i * 37) % 600);
  return total * 10 + (sparse[3] == &hidden) + (*sparse[64] == 4) + (*sparse[67] == 9) + (*sparse[199] == 1);
}
`;

const relro = `
extern int printf(const char *, ...);
static int a, b;
int *const table[] = {&a, &b};
int read_it(void) { return table[0] == &a; }
void write_it(void) { ((int *volatile *)table)[1] = 0; }
`;

const gdbSource = `
#include <signal.h>
__attribute__((noinline)) int insitu_inner(int n) { raise(SIGTRAP); return n + 1; }
__attribute__((noinline)) int insitu_outer(int n) { return insitu_inner(n) + 1; }
`;

/** The child runs again under gdb, as a program that stops inside the mapped library. */
function checkDebugger(path: string): void {
  const child = fileURLToPath(new URL('./child.ts', import.meta.url));
  const script = `
    import { loadSync } from ${JSON.stringify(new URL('../../runtime/index.ts', import.meta.url).href)};
    loadSync(process.argv[2], { place: process.argv[3] }).func('int insitu_outer(int)')(1);`;
  const file = join(path, '../stop.mts');
  writeFileSync(file, script);
  for (const place of places) {
    const node = [process.execPath, '--import', import.meta.resolve('tsx'), file, path, place];
    const commands = ['set debuginfod enabled off', 'run', 'info sharedlibrary', 'bt 8'];
    const { stdout } = spawnSync(
      'gdb',
      ['-nx', '-batch', ...commands.flatMap((c) => ['-ex', c]), '--args', ...node],
      {
        encoding: 'utf8',
        cwd: fileURLToPath(new URL('.', import.meta.url)),
      },
    );
    assert.match(stdout, /SIGTRAP/, child);
    assert(
      new RegExp(`^0x[0-9a-f]+ +0x[0-9a-f]+ +Yes.* ${path}$`, 'm').test(stdout),
      `info sharedlibrary:\n${stdout}`,
    );
    for (const name of ['insitu_inner', 'insitu_outer'])
      assert(new RegExp(`^#\\d+ .* in ${name} \\(\\) from ${path}$`, 'm').test(stdout), `bt:\n${stdout}`);
  }
}

export const elfRows: BuiltRow[] = [
  {
    name: 'IFUNC symbols of its own, exported, hidden and in a table',
    make: compiled('libifunc.so', ifuncs),
    check: ({ library = '' }) => {
      for (const place of places) {
        using loaded = loadSync(library, { place });
        assert.equal(loaded.func('int exported(int)')(5), 6);
        assert.equal(loaded.func('int through_plt(int)')(5), 607);
        assert.equal(loaded.func('int through_table(int)')(5), 60706);
        assert.equal(loaded.func('int same()')(), 1);
        assert(loaded.func('int resolved_count()')() >= 2);
      }
    },
  },
  {
    name: 'IFUNC symbol of a needed library',
    make: (dir) => {
      const needed = compileC(neededIfunc, {
        name: 'libchosen.so',
        kind: 'shared',
        flags: ['-Wl,-soname,libchosen.so'],
        dir,
      });
      const source =
        'int chosen(int); int (*p)(int) = chosen; int call(int x) { return chosen(x) + p(x) * 100; }';
      return compiled('libchooser.so', source, ['-Wl,-rpath,$ORIGIN'], [needed])(dir);
    },
    check: ({ library = '' }) => {
      for (const place of places) {
        using loaded = loadSync(library, { place });
        assert.equal(loaded.func('int call(int)')(4), 1212);
      }
    },
  },
  {
    name: 'symbol versions: f@V1 and f@@V2, a client of each',
    make: makeVersions,
    check: ({ library = '', bound1 = '', bound2 = '' }) => {
      for (const place of places) {
        using loaded = loadSync(library, { place });
        assert.equal(loaded.func('int f()')(), 2, 'default version');
        for (const [path, version] of [
          [bound1, 1],
          [bound2, 2],
        ] as const) {
          using bound = loadSync(path, { place });
          assert.equal(bound.func('int call()')(), version * 10, path);
          assert.equal(bound.func('int through()')(), version, path);
        }
      }
    },
  },
  {
    name: 'weak undefined symbols are null, weak defined ones are used',
    make: compiled('libweak.so', weak),
    check: ({ library = '' }) => {
      for (const place of places) {
        using loaded = loadSync(library, { place });
        assert.equal(loaded.func('int call(int)')(2), 7);
      }
    },
  },
  ...['gnu', 'sysv', 'both'].map(
    (style): BuiltRow => ({
      name: `hash style ${style}`,
      make: compiled(`libhash-${style}.so`, many, [`-Wl,--hash-style=${style}`]),
      check: ({ library = '' }) => {
        for (const place of places) {
          using loaded = loadSync(library, { place });
          for (let i = 0; i < COUNT; i++) assert(loaded.symbol(`function_${i}`) > 0n);
          assert.equal(new Set(loaded.exports).size, COUNT);
          assert.equal(loaded.func('int function_299()')(), 299 * 7);
          assert.throws(() => loaded.symbol('function_300'), { code: 'ERR_SYMBOL' });
          assert.deepEqual(loaded.symbolAt(loaded.symbol('function_20') + 1n), {
            name: 'function_20',
            distance: 1,
          });
        }
      },
    }),
  ),
  {
    name: 'DT_RELR',
    make: (dir) => {
      const made = compiled('librelr.so', pointers, ['-Wl,-z,pack-relative-relocs'])(dir);
      const dynamic = execFileSync('readelf', ['-dW', made.library], { encoding: 'utf8' });
      assert.match(dynamic, /\(RELR\)/, 'the linker made no DT_RELR');
      return made;
    },
    check: ({ library = '' }) => {
      for (const place of places) {
        using loaded = loadSync(library, { place });
        assert.equal(loaded.func('int sum()')(), 6004);
      }
    },
  },
  ...places.map(
    (place): BuiltRow => ({
      name: `RELRO: a write to it ends the process, naming the file, ${place}`,
      make: compiled('librelro.so', relro, ['-Wl,-z,relro,-z,now']),
      check: ({ library = '' }) => {
        const loaded = loadSync(library, { place });
        assert.equal(loaded.func('int read_it()')(), 1);
        loaded.func('void write_it()')();
        throw new Error(`wrote to RELRO:\n${readFileSync('/proc/self/maps', 'utf8')}`);
      },
      dies: /^insitu: \/.*\/librelro\.so: SIGSEGV at file offset 0x[0-9a-f]+, code at .* in write_it\+0x/m,
    }),
  ),
  {
    name: 'gdb lists the library and names its functions',
    make: compiled('libgdb.so', gdbSource, ['-fno-optimize-sibling-calls']),
    check: ({ library = '' }) => checkDebugger(library),
    skip: () => (spawnSync('gdb', ['--version']).status === 0 ? undefined : 'no gdb (package gdb)'),
  },
];
