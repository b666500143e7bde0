// Threads: thread-local storage and its destructors, TLS descriptors, several loads at once.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { LoadError, loadSync } from '../../runtime/index.ts';
import { compileC } from '../build/compile.ts';
import type { BuiltRow } from './built.ts';
import { type Place, places } from './loading.ts';

const require = createRequire(import.meta.url);

const destructors = `
#include <atomic>
#include <pthread.h>
#include <string>
static std::atomic<int> made, gone;
struct Tracked {
  int value = 7;
  std::string text = "long enough to be allocated on the heap";
  Tracked() { made++; }
  ~Tracked() { gone += value > 0 && text.size() == 39; value = -1000; }
};
static thread_local Tracked first;
static thread_local Tracked second;
extern "C" int touch(int x) { first.value += x; second.value = first.value; return second.value; }
extern "C" int made_count() { return made; }
extern "C" int gone_count() { return gone; }
static void *body(void *x) { *static_cast<int *>(x) = touch(*static_cast<int *>(x)); return nullptr; }
extern "C" int in_thread(int x) {
  pthread_t thread;
  if (pthread_create(&thread, nullptr, body, &x) != 0) return -1;
  pthread_join(thread, nullptr);
  return x;
}
`;

/** Calls one address with an int, in a worker thread that does not know insitu. */
function callInWorker(address: bigint, argument: number): Promise<number> {
  const code = `
    const koffi = require(${JSON.stringify(require.resolve('koffi'))});
    const { parentPort, workerData } = require('node:worker_threads');
    koffi.load(null);
    const call = koffi.decode(workerData.address, koffi.proto('int call(int)'));
    parentPort.postMessage(call(workerData.argument));`;
  const worker = new Worker(code, { eval: true, workerData: { address, argument } });
  return new Promise((resolve, reject) => {
    let answer = Number.NaN;
    worker.on('message', (message) => {
      answer = message;
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve(answer)); // the thread has ended: so have its destructors
  });
}

async function checkDestructors(path: string, place: Place): Promise<void> {
  const library = loadSync(path, { place });
  const touch = library.func('int touch(int)');
  const counts = () => [library.func('int made_count()')(), library.func('int gone_count()')()];
  assert.equal(touch(1), 8);
  assert.equal(touch(1), 9);
  assert.deepEqual(counts(), [2, 0]);
  assert.equal(library.func('int in_thread(int)')(5), 12);
  assert.deepEqual(counts(), [4, 2]);
  assert.equal(await callInWorker(library.symbol('touch'), 10), 17);
  assert.deepEqual(counts(), [6, 4]);
  assert.equal(touch(1), 10, 'its own still');
  library.close(); // this thread's destructors are due at exit: the code stays for them
}

const atThreadEnd = `
#include <pthread.h>
static __thread int slot = 41;
__thread int other[100] = {1};
static pthread_key_t key;
static int seen, rounds;
static void at_end(void *value) {
  seen = ++slot + other[0];
  if (++rounds < 3) pthread_setspecific(key, value);
}
static void *body(void *x) {
  slot++;
  other[0] = 1000;
  pthread_setspecific(key, &key);
  return x;
}
int run(void) {
  pthread_t thread;
  slot++; /* the loader's own key comes first, if it has one */
  seen = rounds = 0;
  pthread_key_create(&key, at_end);
  if (pthread_create(&thread, 0, body, 0) != 0) return -1;
  pthread_join(thread, 0);
  pthread_key_delete(key);
  return seen;
}
`;

const general = ['rcx', 'rdx', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];

/** A function that holds known values in every register across a TLS descriptor call and stores what is left. */
function probe(registers: string, count: number, move: string, size: number): string {
  const each = (line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i));
  const masks = registers === 'zmm' ? [1, 2, 3, 4, 5, 6, 7] : [];
  const lines = [
    `.globl probe_${registers}`,
    `.type probe_${registers}, @function`,
    `probe_${registers}:`,
    ...['rbx', 'rbp', 'r12', 'r13', 'r14', 'r15'].map((name) => `pushq %${name}`),
    'movq %rsi, %rbx',
    'movq %rdx, %rbp',
    ...each((i) => `${move} ${i * size}(%rdi), %${registers}${i}`),
    ...masks.map((i) => `kmovq ${i * 8}(%rdi), %k${i}`),
    ...general.map((name, i) => `movabsq $0x${(0x1234567890abcdn + BigInt(i)).toString(16)}, %${name}`),
    'leaq variable@tlsdesc(%rip), %rax',
    'call *variable@tlscall(%rax)',
    ...each((i) => `${move} %${registers}${i}, ${i * size}(%rbx)`),
    ...masks.map((i) => `kmovq %k${i}, ${count * size + i * 8}(%rbx)`),
    ...general.map((name, i) => `movq %${name}, ${8 * i}(%rbp)`),
    'addq %fs:0, %rax',
    ...['r15', 'r14', 'r13', 'r12', 'rbp', 'rbx'].map((name) => `popq %${name}`),
    ...(registers === 'xmm' ? [] : ['vzeroupper']),
    'ret',
  ];
  return lines.map((line) => `"${line}\\n"`).join('\n');
}

const descriptors = `
#include <pthread.h>
#include <string.h>
__thread long before[3] = {1, 2, 3};
__thread long variable = 4711;
asm(".text\\n"
${probe('xmm', 16, 'movups', 16)}
${probe('ymm', 16, 'vmovups', 32)}
${probe('zmm', 32, 'vmovups', 64)}
);
long *probe_xmm(void *, void *, void *), *probe_ymm(void *, void *, void *), *probe_zmm(void *, void *, void *);
struct level { long *(*probe)(void *, void *, void *); int bytes, masks; };
static int check(struct level level) {
  unsigned char in[32 * 64 + 64], out[32 * 64 + 64];
  long general[12];
  for (unsigned i = 0; i < sizeof in; i++) in[i] = (unsigned char)(i * 7 + (i >> 8) + 1);
  memset(out, 0, sizeof out);
  long *found = level.probe(in, out, general);
  if (found != &variable || *found != 4711) return 1;
  if (memcmp(in, out, level.bytes) != 0) return 2;
  if (level.masks && memcmp(in + 8, out + level.bytes + 8, 7 * 8) != 0) return 3;
  for (int i = 0; i < 12; i++) if (general[i] != 0x1234567890abcd + i) return 10 + i;
  return 0;
}
static void *body(void *x) {
  struct level *level = x;
  int first = check(*level), second = check(*level); /* the first touch allocates, the second does not */
  return (void *)(long)(first != 0 ? first : second * 100);
}
int descriptors_keep(int wide) {
  struct level levels[] = {{probe_xmm, 16 * 16, 0}, {probe_ymm, 16 * 32, 0}, {probe_zmm, 32 * 64, 1}};
  if (wide == 1 && !__builtin_cpu_supports("avx")) return -1;
  if (wide == 2 && !(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))) return -1;
  for (int round = 0; round < 3; round++) {
    pthread_t thread;
    void *answer;
    if (pthread_create(&thread, 0, body, &levels[wide]) != 0) return 1000;
    pthread_join(thread, &answer);
    if (answer != 0) return (int)(long)answer;
  }
  return check(levels[wide]);
}
long values(void) { before[1] += 10; return before[0] + before[1] + before[2] + variable; }
`;

export const busy = `
#include <pthread.h>
#include <stdexcept>
#include <string>
static int constructed;
__attribute__((constructor)) static void construct() { constructed = 1; }
thread_local int calls = 0;
extern "C" int work(int x) {
  try {
    calls++;
    throw std::runtime_error(std::to_string(x));
  } catch (const std::exception &e) {
    return std::stoi(e.what()) * 2 + constructed + calls;
  }
}
`;

/** worker.ts: loads, calls and closes many times, then tells how often. */
export function loadInWorker(path: string, kind: 'busy' | 'addon'): Promise<unknown> {
  // Node 20 does not give tsx's hooks to a worker: it registers them itself.
  const code = `import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))}).then(({ register }) => {
    register();
    return import(${JSON.stringify(new URL('./worker.ts', import.meta.url).href)});
  });`;
  const worker = new Worker(code, { eval: true, workerData: { path, kind } });
  return new Promise((resolve, reject) => {
    let answer: unknown;
    worker.on('message', (message) => {
      answer = message;
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve(answer));
  });
}

/** A thread that calls one address after the other. */
function callingWorker(): { call: (address: bigint) => Promise<number>; end: () => Promise<number> } {
  const code = `
    const koffi = require(${JSON.stringify(require.resolve('koffi'))});
    const { parentPort } = require('node:worker_threads');
    koffi.load(null);
    const type = koffi.proto('int call(int)');
    parentPort.on('message', (address) => parentPort.postMessage(koffi.decode(address, type)(1)));`;
  const worker = new Worker(code, { eval: true });
  return {
    call: (address) =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
        worker.postMessage(address);
      }),
    end: () => worker.terminate(),
  };
}

const reloaded = `
__thread int mine = 5;
__thread char buffer[1000];
int touch(int x) { buffer[999] += x; return (mine += x) * 10 + buffer[999]; }
`;

const RELOADS = 5000; // more than there is room for at once

async function checkReloads(path: string): Promise<void> {
  const worker = callingWorker();
  for (let i = 0; i < RELOADS; i++) {
    const library = loadSync(path, { place: places[i & 1] ?? 'in-place' });
    if (i % 100 === 0) {
      const touch = library.func('int touch(int)');
      assert.deepEqual([touch(1), touch(1)], [61, 72], 'fresh in this thread');
      assert.equal(
        await worker.call(library.symbol('touch')),
        61,
        'fresh in a thread that knew the ones before',
      );
    }
    library.close();
  }
  await worker.end();
}

const twice = `
#include <stdlib.h>
int counter = 10;
__thread int mine = 5;
static int zero[5000];
int *pointer = &counter;
int count(int by) { zero[4999] += by; mine += by; return *pointer += by; }
int sum(void) { return counter * 10000 + zero[4999] * 100 + mine; }
`;

const shared =
  (name: string, source: string, language: 'c' | 'c++', flags: string[] = []) =>
  (dir: string) => ({
    library: compileC(source, { name, kind: 'shared' as const, language, flags, dir }),
  });

export const threadRows: BuiltRow[] = [
  ...places.map(
    (place): BuiltRow => ({
      name: `thread_local objects with destructors, in this thread, a pthread and a worker, ${place}`,
      make: shared('libdestructors.so', destructors, 'c++', ['-pthread']),
      check: ({ library = '' }) => checkDestructors(library, place),
    }),
  ),
  {
    name: 'thread-local variables in destructors of thread-specific data',
    make: shared('libthreadend.so', atThreadEnd, 'c', ['-pthread']),
    check: ({ library = '' }) => {
      for (const place of places) {
        using loaded = loadSync(library, { place });
        const run = loaded.func('int run()');
        for (let i = 0; i < 20; i++) assert.equal(run(), 41 + 1 + 3 + 1000);
      }
    },
  },
  {
    name: 'TLS descriptors keep every register, vectors and masks too',
    make: shared('libdescriptors.so', descriptors, 'c', ['-mtls-dialect=gnu2', '-pthread']),
    check: ({ library = '' }) => {
      for (const place of places) {
        using loaded = loadSync(library, { place });
        const keep = loaded.func('int descriptors_keep(int)');
        for (const [wide, name] of ['SSE', 'AVX', 'AVX-512'].entries()) {
          const answer = keep(wide);
          if (answer === -1) console.error(`this processor has no ${name}`);
          else assert.equal(answer, 0, name);
        }
        assert.equal(Number(loaded.func('long values()')()), 6 + 10 + 4711);
      }
    },
  },
  {
    name: 'loaded twice at once: data, zero-filled data and thread-local data of its own',
    make: shared('libtwice.so', twice, 'c'),
    check: ({ library = '' }) => {
      for (const place of places) {
        using one = loadSync(library, { place });
        const two = loadSync(library, { place });
        assert.notEqual(one.report.base, two.report.base);
        assert.equal(one.func('int count(int)')(1), 11);
        assert.equal(two.func('int count(int)')(7), 17);
        assert.equal(one.func('int sum()')(), 11 * 10000 + 100 + 6);
        assert.equal(two.func('int sum()')(), 17 * 10000 + 700 + 12);
        two.close();
        assert.equal(one.func('int count(int)')(1), 12);
        assert.throws(() => two.symbol('sum'), { code: 'ERR_CLOSED' });
      }
    },
  },
  ...['gnu', 'gnu2'].map(
    (dialect): BuiltRow => ({
      name: `thread-local storage of a library that is loaded and closed ${RELOADS} times, TLS dialect ${dialect}`,
      make: shared('libreloaded.so', reloaded, 'c', [`-mtls-dialect=${dialect}`]),
      check: ({ library = '' }) => checkReloads(library),
    }),
  ),
  {
    name: 'four worker threads load, call and close at once',
    make: shared('libbusy.so', busy, 'c++', ['-pthread']),
    check: async ({ library = '' }) => {
      const answers = await Promise.all([1, 2, 3, 4].map(() => loadInWorker(library, 'busy')));
      assert.deepEqual(answers, [50, 50, 50, 50]);
    },
  },
  {
    name: 'initial-exec TLS is refused',
    make: shared('libinitial.so', 'static __thread int x = 3; int f(void) { return ++x; }', 'c', [
      '-ftls-model=initial-exec',
    ]),
    check: ({ library = '' }) => {
      for (const place of places)
        assert.throws(
          () => loadSync(library, { place }),
          (error) =>
            error instanceof LoadError && error.code === 'ERR_TLS' && /initial-exec/.test(error.message),
        );
    },
  },
];
