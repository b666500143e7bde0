// C++ and C: exceptions, constructors and destructors, unique symbols.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { loadSync } from '../../runtime/index.ts';
import { compileC } from '../build/compile.ts';
import type { BuiltRow, Files } from './built.ts';
import { mappingsOf, places } from './loading.ts';

const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi').default;

/** dlopen itself: koffi would close what it loads when the environment ends. */
function dlopened(path: string): { work: () => void; close: () => void } {
  const libc = koffi.load(null);
  const handle = libc.func('void *dlopen(const char *, int)')(path, 2);
  const work = libc.func('void *dlsym(void *, const char *)')(handle, 'work');
  return {
    work: koffi.decode(work, koffi.proto('void work()')) as () => void,
    close: () => libc.func('int dlclose(void *)')(handle),
  };
}

const exceptions = `
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>
struct Local { int code; };
static int unwound;
struct Guard { ~Guard() { unwound++; } };
extern "C" __attribute__((noinline)) int through_c(int (*f)(int), int x) { return f(x) + 1; }
static int thrower(int x) {
  Guard guard;
  if (x > 0) throw Local{x};
  return x;
}
static int compare(const void *a, const void *) {
  Guard guard;
  throw std::string(1, *static_cast<const char *>(a));
}
extern "C" int inside(int x) {
  try {
    Guard guard;
    return std::vector<int>(3).at(x);
  } catch (const std::out_of_range &e) {
    return std::string(e.what()).find("range_check") != std::string::npos ? 100 : 200;
  }
}
extern "C" int rethrown(int x) {
  try {
    try { throw std::runtime_error("x"); } catch (std::exception &) { Guard guard; throw; }
  } catch (const std::logic_error &) { return 1; } catch (const std::runtime_error &) { return 2 + x; }
  return 3;
}
extern "C" int own_frame(int x) {
  try { return through_c(thrower, x); } catch (const Local &e) { return 1000 + e.code; }
}
extern "C" int libc_frame() {
  char text[] = "ba";
  try { qsort(text, 2, 1, compare); } catch (const std::string &e) { return e[0]; }
  return 0;
}
extern "C" int deep(int n) {
  Guard guard;
  if (n == 0) throw Local{77};
  return deep(n - 1) + 1;
}
extern "C" int deep_caught(int n) { try { return deep(n); } catch (Local e) { return e.code; } }
extern "C" int unwound_count() { return unwound; }
`;

const dependency = `
#include <stdexcept>
extern "C" void throw_runtime_error() { throw std::runtime_error("from the needed library"); }
extern "C" int call_back(int (*f)(int), int x) { return f(x); }
struct Kind { virtual ~Kind() = default; int code = 0; };
extern "C" int caught_by_type(void (*f)()) { try { f(); } catch (const Kind &e) { return e.code; } return -1; }
`;

const dependent = `
#include <cstring>
#include <stdexcept>
extern "C" void throw_runtime_error();
extern "C" int call_back(int (*)(int), int);
extern "C" int caught_by_type(void (*)());
struct Kind { virtual ~Kind() = default; int code = 0; };
extern "C" int from_needed() {
  try { throw_runtime_error(); } catch (const std::exception &e) { return static_cast<int>(strlen(e.what())); }
  return 0;
}
extern "C" int through_needed(int x) {
  try { return call_back([](int y) -> int { throw y + 1; }, x); } catch (int y) { return y; }
}
extern "C" int into_needed() { return caught_by_type([] { Kind kind; kind.code = 55; throw kind; }); }
`;

const printing = `
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <unistd.h>
extern char **environ;
extern "C" int print(int x) {
  std::cout << "out " << std::hex << x << std::endl;
  std::cerr << "err " << x << '\\n' << std::flush;
  std::clog << "log\\n" << std::flush;
  fprintf(stdout, "stdio\\n");
  fflush(stdout);
  int variables = 0;
  for (char **each = environ; each != nullptr && *each != nullptr; each++) variables++;
  return variables > 0 && std::cout.good() && std::cerr.good() && getenv("PATH") != nullptr;
}
`;

const order = `
#include <cstdlib>
#include <cstring>
#include <unistd.h>
static void say(const char *text) { if (write(1, text, strlen(text)) < 0) abort(); }
struct Object {
  const char *name;
  explicit Object(const char *n) : name(n) { say("object "); say(name); say("\\n"); }
  ~Object() { say("gone "); say(name); say("\\n"); }
};
static void at_exit_of_it() { say("atexit\\n"); }
extern "C" void old_init(int argc, char **argv, char **) {
  say(argc > 1 && argv[argc] == nullptr && strstr(argv[0], "node") ? "init with arguments\\n" : "init\\n");
}
extern "C" void old_fini() { say("fini\\n"); }
__attribute__((constructor(101))) static void early() { say("constructor 101\\n"); }
__attribute__((constructor(102))) static void later() { say("constructor 102\\n"); }
__attribute__((destructor(101))) static void last() { say("destructor 101\\n"); }
__attribute__((destructor(102))) static void before_last() { say("destructor 102\\n"); }
static Object one("one"), two("two");
__attribute__((constructor)) static void plain() { say("constructor\\n"); atexit(at_exit_of_it); }
__attribute__((destructor)) static void plain_end() { say("destructor\\n"); }
extern "C" void work() {
  static Object three("three");
  say("work\\n");
}
`;

function makeOrder(directory: string): Files {
  return {
    library: compileC(order, {
      name: 'liborder.so',
      kind: 'shared',
      language: 'c++',
      flags: ['-Wl,-init,old_init', '-Wl,-fini,old_fini'],
      dir: directory,
    }),
  };
}

const orderRows = places.flatMap((place): BuiltRow[] => [
  {
    name: `constructors and destructors in order at close, ${place}`,
    make: makeOrder,
    check: ({ library = '' }) => {
      const loaded = loadSync(library, { place });
      loaded.func('void work()')();
      loaded.close();
      assert.deepEqual(mappingsOf(library), []);
    },
    reference: ({ library = '' }) => {
      const loaded = dlopened(library);
      loaded.work();
      loaded.close();
    },
  },
  {
    name: `constructors and destructors in order at exit without close, ${place}`,
    make: makeOrder,
    check: ({ library = '' }) => void loadSync(library, { place }).func('void work()')(),
    reference: ({ library = '' }) => dlopened(library).work(),
  },
]);

const unique = (name: string): string => `
struct Registry { static inline int count = 5; };
template <typename T> struct Holder { static T value; };
template <typename T> T Holder<T>::value = 70;
inline int &counter() { static int count = 900; return count; }
extern "C" int ${name}() { return ++Registry::count + ++Holder<long>::value + ++counter(); }
`;

function makeUnique(directory: string): Files {
  return Object.fromEntries(
    ['first', 'second'].map((name) => [
      name,
      compileC(unique(name), { name: `lib${name}.so`, kind: 'shared', language: 'c++', dir: directory }),
    ]),
  );
}

export const languageRows: BuiltRow[] = [
  {
    name: 'exceptions thrown and caught inside, through C frames of its own and of libc',
    make: (dir) => ({
      library: compileC(exceptions, {
        name: 'libexceptions.so',
        kind: 'shared',
        language: 'c++',
        flags: ['-fexceptions'],
        dir,
      }),
    }),
    check: ({ library = '' }) => {
      for (const place of places) {
        using loaded = loadSync(library, { place });
        const call = (name: string) => loaded.func(`int ${name}(int)`);
        assert.equal(call('inside')(3), 100);
        assert.equal(call('rethrown')(5), 7);
        assert.equal(call('own_frame')(4), 1004);
        assert.equal(call('own_frame')(-4), -3);
        assert.equal(loaded.func('int libc_frame()')(), 'b'.charCodeAt(0));
        assert.equal(call('deep_caught')(50), 77);
        assert.equal(loaded.func('int unwound_count()')(), 1 + 1 + 2 + 1 + 51);
      }
    },
  },
  {
    name: 'exceptions from, through and into a needed library, found by $ORIGIN',
    make: (dir) => {
      const needed = compileC(dependency, {
        name: 'deps/libdependency.so',
        kind: 'shared',
        language: 'c++',
        flags: ['-Wl,-soname,libdependency.so'],
        dir,
      });
      const library = compileC(dependent, {
        name: 'libdependent.so',
        kind: 'shared',
        language: 'c++',
        libraries: [needed],
        flags: ['-Wl,-rpath,$ORIGIN/deps'],
        dir,
      });
      return { library, needed };
    },
    check: ({ library = '', needed = '' }) => {
      for (const place of places) {
        const loaded = loadSync(library, { place });
        assert.equal(loaded.func('int from_needed()')(), 'from the needed library'.length);
        assert.equal(loaded.func('int through_needed(int)')(8), 9);
        assert.equal(loaded.func('int into_needed()')(), 55);
        assert(mappingsOf(needed).length > 0, 'the needed library is elsewhere');
        loaded.close();
        assert.deepEqual(mappingsOf(needed), [], 'nobody needs it any more');
      }
    },
  },
  ...places.map(
    (place): BuiltRow => ({
      name: `standard streams and environ, in the library and in one that it needs, ${place}`,
      make: (dir) => {
        const needed = compileC(printing, {
          name: 'libprinting.so',
          kind: 'shared',
          language: 'c++',
          flags: ['-Wl,-soname,libprinting.so'],
          dir,
        });
        const source = `${printing.replace('print(int', 'own_print(int')}
        extern "C" int print(int);
        extern "C" int both(int x) { return own_print(x) * 10 + print(x); }`;
        const library = compileC(source, {
          name: 'libprints.so',
          kind: 'shared',
          language: 'c++',
          libraries: [needed],
          flags: ['-Wl,-rpath,$ORIGIN'],
          dir,
        });
        return { library };
      },
      check: ({ library = '' }) => {
        using loaded = loadSync(library, { place });
        assert.equal(loaded.func('int both(int)')(255), 11);
      },
      reference: ({ library = '' }) => assert.equal(koffi.load(library).func('int both(int)')(255), 11),
    }),
  ),
  ...orderRows,
  {
    name: 'STB_GNU_UNIQUE: static variables shared with a library that dlopen loaded before',
    make: makeUnique,
    check: ({ first = '', second = '' }) => {
      const other = koffi.load(first).func('int first()');
      assert.equal(other(), 977 + 1);
      for (const [i, place] of places.entries()) {
        const loaded = loadSync(second, { place });
        assert.equal(loaded.func('int second()')(), 978 + 6 * i + 3, 'counts on');
        loaded.close();
        assert.equal(other(), 978 + 6 * (i + 1), 'as the other sees it');
      }
    },
  },
];
