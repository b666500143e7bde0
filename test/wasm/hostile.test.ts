// What programs do to an engine: nested calls, stacks that end, memory that ends, threads that are ended, references whose
// owner is gone. Each in a process of its own, that has to live.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileMany } from '../../loader/compile/many.ts';
import type { Compiled, Play, Stage } from './hostile-stage.ts';
import { directory } from './stage.ts';

const script = fileURLToPath(new URL('./hostile-stage.ts', import.meta.url));

const TEXTS = {
  memory: `(module (memory (export "m") 1 4)
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "store") (param i32) (i32.store (local.get 0) (i32.const 1)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))`,
  recursion: `(module (import "m" "f" (func $f (param i32)))
    (func $r (export "r") (param i32) (result i32) (i32.add (i32.const 1) (call $r (local.get 0))))
    (func (export "out") (call $f (i32.const 0)))
    (func (export "trap") unreachable))`,
  startless: '(module (func $r (call $r)) (start $r))',
  starttrap: '(module (func $r unreachable) (start $r))',
  answer:
    '(module (import "m" "f" (func $f (result i32))) (func (export "run") (result i32) (call $f)) (func (export "trap") unreachable) (func (export "other") (result i32) (i32.const 77)))',
  secret:
    '(module (memory 1) (global $g (mut i32) (i32.const 42)) (func (export "f") (result i32) (global.get $g)))',
  holder: `(module (import "m" "get" (func $get (result funcref)))
    (table (export "t") 1 funcref) (global $g (export "g") (mut funcref) (ref.null func))
    (type $v (func (result i32)))
    (func (export "set") (param funcref) (table.set 0 (i32.const 0) (local.get 0)))
    (func (export "keep") (param funcref) (global.set $g (local.get 0)))
    (func (export "ask") (table.set 0 (i32.const 0) (call $get)))
    (func (export "call") (result i32) (call_indirect (type $v) (i32.const 0)))
    (func (export "kept") (result i32) (table.set 0 (i32.const 0) (global.get $g)) (call_indirect (type $v) (i32.const 0))))`,
  host: '(module (import "m" "f" (func $f (result i32))) (elem declare func $f) (func (export "get") (result funcref) (ref.func $f)))',
  tag0: '(module (tag (export "t") (param i32)) (func (export "f") (param i32) (throw 0 (local.get 0))))',
  tag1: '(module (tag (export "t") (param i64)) (func (export "f") (param i64) (throw 0 (local.get 0))))',
  tag2: '(module (tag (export "t") (param externref)) (func (export "f") (param externref) (throw 0 (local.get 0))))',
  take: '(module (func (export "take") (param externref)))',
  wide: `(module (memory i64 1 4)
    (func (export "byte") (param i64) (result i64) (i64.load8_u offset=18446744073709551615 (local.get 0)))
    (func (export "word") (param i64) (i64.store offset=18446744073709551608 (local.get 0) (i64.const 1)))
    (func (export "near") (param i64) (result i64) (i64.load offset=65528 (local.get 0))))`,
  growing: `(module (import "m" "f" (func $f)) (memory (export "m") 1 4)
    (func (export "run") (result i32) (call $f) (i32.add (memory.size) (i32.load (i32.const 131068)))))`,
  three: `(module (func (export "three") (param i32 i32 i32) (result i32)
    (i32.add (i32.add (local.get 0) (i32.mul (i32.const 10) (local.get 1))) (i32.mul (i32.const 100) (local.get 2)))))`,
  links: '(module (import "a" "b" (func)) (import "a" "c" (global i32)) (import "d" "e" (memory 1)))',
  spin: '(module (import "m" "f" (func $f)) (func (export "spin") (loop (call $f) (br 0))))',
};
type Name = keyof typeof TEXTS;

async function compileAll(): Promise<Record<string, Compiled>> {
  const names = Object.keys(TEXTS) as Name[];
  const items = await Promise.all(
    names.map(async (name) => ({ bytes: await parse(TEXTS[name]), output: join(directory, `${name}.so`) })),
  );
  const failures = await compileMany(items, { directory, tier: 'quick', cpu: 'baseline' });
  assert.equal(
    failures.filter((failure) => failure !== undefined),
    [],
  );
  return Object.fromEntries(
    names.map((name, index) => {
      const source = join(directory, `${name}.wasm`);
      writeFileSync(source, items[index]?.bytes ?? new Uint8Array());
      return [name, { image: join(directory, `${name}.so`), source }];
    }),
  );
}
const modules = await compileAll();

interface Way {
  /** Options of Node. */
  node?: string[];
  fallback?: boolean;
}

function start(
  act: (stage: Stage) => unknown,
  { node = [], fallback = false }: Way,
): SpawnSyncReturns<string> {
  const play: Play = { modules, act: String(act), fallback };
  const args = ['--expose-gc', ...node, '--import', 'tsx', script];
  return spawnSync(process.execPath, args, {
    input: JSON.stringify(play),
    encoding: 'utf8',
    timeout: 60_000,
  });
}

/** What the act answers; the process must have ended well. */
function answer(act: (stage: Stage) => unknown, way: Way = {}): unknown {
  const { stdout, stderr, status, signal } = start(act, way);
  assert.is(signal ?? status, 0, stderr);
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  return last === 'undefined' ? undefined : JSON.parse(last);
}

const DEEP = 'RangeError: Maximum call stack size exceeded';
const OUTSIDE = 'RuntimeError: memory access out of bounds';

const stacks = suite('stacks');

stacks('recursion ends with RangeError, again and again', () => {
  const told = answer(({ make, told }) => {
    const { r } = make('recursion', { m: { f() {} } });
    return [1, 2, 3].map(() => told(() => r?.(0)));
  });
  assert.equal(told, [DEEP, DEEP, DEEP]);
});

stacks('recursion below JavaScript that is deep already', () => {
  const told = answer(({ make, told }) => {
    const { r } = make('recursion', { m: { f() {} } });
    const below = (depth: number): unknown => (depth === 0 ? r?.(0) : [below(depth - 1)]);
    return [10, 1000, 5000, 7000, 9000, 11000].map((depth) => told(() => below(depth)));
  });
  assert.equal(told, new Array(6).fill(DEEP));
});

stacks('recursion through JavaScript, thrown on and swallowed', () => {
  const told = answer(({ make, told }) => {
    let calls = 0;
    let swallow = false;
    const { out } = make('recursion', {
      m: {
        f() {
          calls++;
          if (!swallow) return out?.();
          try {
            return out?.();
          } catch {
            return 0;
          }
        },
      },
    });
    const thrown = told(() => out?.());
    swallow = true;
    return [thrown, told(() => out?.()) ?? 'ended', calls > 200];
  });
  assert.equal(told, [DEEP, 'ended', true]);
});

stacks('in start functions', () => {
  const told = answer(({ module, insitu, told }) =>
    ['startless', 'startless', 'starttrap', 'starttrap'].map((name) =>
      told(() => new insitu.Instance(module(name))),
    ),
  );
  assert.equal(told, [DEEP, DEEP, 'RuntimeError: unreachable', 'RuntimeError: unreachable']);
});

stacks('in a worker', () => {
  const told = answer(({ inWorker }) =>
    inWorker(({ make, told, process }) => {
      const { r, out } = make('recursion', { m: { f: () => out?.() } });
      const ends = [told(() => r?.(0)), told(() => out?.()), told(() => r?.(0))];
      process.exitCode = ends.every((end) => /^RangeError: Maximum call/.test(String(end))) ? 0 : 3;
    }),
  );
  assert.is(told, 0);
});

stacks.run();

const nesting = suite('calls within calls');

nesting('an import that catches a trap and answers', () => {
  const told = answer(({ make, told }) => {
    const exports = make('answer', {
      m: {
        f() {
          try {
            return exports.trap?.();
          } catch {
            return 1;
          }
        },
      },
    });
    return [told(() => exports.run?.()), told(() => exports.trap?.()), told(() => exports.run?.())];
  });
  assert.equal(told, [1, 'RuntimeError: unreachable', 1]);
});

nesting('a result whose conversion calls back in', () => {
  const told = answer(({ make }) => {
    const exports = make('answer', {
      m: { f: () => ({ valueOf: () => (exports.other?.() as number) + 1 }) },
    });
    return exports.run?.();
  });
  assert.is(told, 78);
});

nesting('arguments whose conversion calls back in, or throws', () => {
  const told = answer(({ make, told }) => {
    const { three } = make('three');
    const within = (value: number) => ({
      valueOf() {
        three?.(9, 9, 9);
        return value;
      },
    });
    const bad = {
      valueOf() {
        throw new TypeError('no number');
      },
    };
    return [
      three?.(within(1), within(2), within(3)),
      told(() => three?.(1, bad, 3)),
      told(() => three?.(1n)),
    ];
  });
  assert.equal(told, [321, 'TypeError: no number', 'TypeError: Cannot convert a BigInt value to a number']);
});

nesting('memory that grows while compiled code is on the stack', () => {
  const told = answer(({ make }) => {
    const exports = make('growing', {
      m: {
        f() {
          const memory = exports.m as unknown as { grow(pages: number): number; buffer: ArrayBuffer };
          memory.grow(1);
          new Int32Array(memory.buffer)[32767] = 40;
        },
      },
    });
    return exports.run?.();
  });
  assert.is(told, 42);
});

nesting('imports by getters and Proxies that throw', () => {
  const told = answer(({ module, insitu, told }) => {
    const asked: unknown[] = [];
    const inner = new Proxy(
      {},
      {
        get(_, name) {
          asked.push(name);
          return name === 'b' ? () => 0 : 5;
        },
      },
    );
    const outer = new Proxy(
      {},
      {
        get(_, name) {
          asked.push(name);
          if (name === 'd') throw new RangeError('not this one');
          return inner;
        },
      },
    );
    const make = (imports: unknown) => told(() => new insitu.Instance(module('links'), imports));
    return [make(outer), asked, make({ a: { b: 1, c: 5 }, d: {} })];
  });
  const [thrown, asked, wrong] = told as [string, string[], string];
  assert.is(thrown, 'RangeError: not this one');
  assert.equal(asked, ['a', 'b', 'a', 'c', 'd']);
  assert.match(wrong, /^LinkError: .*Import #0 .*function import requires a callable/);
});

nesting('process.exit within an import, here and in a worker', () => {
  const ended = start(({ make, process }) => make('spin', { m: { f: () => process.exit(7) } }).spin?.(), {});
  assert.is(ended.status, 7, ended.stderr);
  const told = answer(({ inWorker }) =>
    inWorker(({ make, process }) => make('spin', { m: { f: () => process.exit(9) } }).spin?.()),
  );
  assert.is(told, 9);
});

nesting('a worker that is terminated in a loop of compiled code that calls out', () => {
  const told = answer(({ inWorker }) =>
    inWorker(
      ({ make, post }) => {
        post('begins');
        make('spin', { m: { f() {} } }).spin?.();
      },
      (worker) => worker.terminate(),
    ),
  );
  assert.is(told, 1);
});

nesting('a signal that is none of its own still ends the process', () => {
  const ended = start(async ({ make, told, process, pause }) => {
    told(() => make('memory').load?.(70000));
    process.kill(process.pid, 'SIGSEGV');
    await pause(5000);
  }, {});
  assert.is(ended.signal, 'SIGSEGV');
});

nesting.run();

const lifetimes = suite('lifetimes');

lifetimes('functions live as long as anything that compiled code keeps them in', () => {
  const told = answer(async ({ make, collect }) => {
    const fresh = () => make('secret').f;
    const holders = Array.from({ length: 4 }, () => make('holder', { m: { get: fresh } }));
    const [table, global, asked, hosted] = holders;
    (() => {
      table?.set?.(fresh());
      global?.keep?.(fresh());
      asked?.ask?.();
      hosted?.set?.(make('host', { m: { f: () => 17 } }).get?.());
    })();
    for (let turn = 0; turn < 4; turn++) {
      await collect();
      for (let i = 0; i < 50; i++) make('secret');
    }
    return [table?.call?.(), global?.kept?.(), asked?.call?.(), hosted?.call?.()];
  });
  assert.equal(told, [42, 42, 42, 17]);
});

lifetimes('tags of instances that are gone are not taken for those of new ones', () => {
  const wrong = answer(async ({ make, collect }) => {
    const values = [5, 5n, 'five'];
    let wrong = 0;
    for (let i = 0; i < 900; i++) {
      const { f, t } = make(`tag${i % 3}`);
      try {
        f?.(values[i % 3]);
      } catch (error) {
        const thrown = error as { getArg(tag: unknown, index: number): unknown };
        if (thrown.getArg(t, 0) !== values[i % 3]) wrong++;
      }
      if (i % 100 === 0) await collect();
    }
    return wrong;
  });
  assert.is(wrong, 0);
});

lifetimes('ten thousand instances, each dropped: memory is bounded', () => {
  const sizes = answer(async ({ module, insitu, collect, process }) => {
    const shared = module('memory');
    const sizes: number[] = [];
    for (let i = 0; i < 10000; i++) {
      const { load } = new insitu.Instance(shared).exports as Record<string, (at: number) => number>;
      load?.(0);
      if (i % 1000 !== 999) continue;
      await collect();
      sizes.push(process.memoryUsage().rss / 1e6);
    }
    return sizes;
  }) as number[];
  assert.ok((sizes.at(-1) as number) < (sizes[2] as number) + 40, sizes.map(Math.round).join(' '));
});

lifetimes('values that went through compiled code can be collected', () => {
  const grown = answer(async ({ make, collect, process }) => {
    const { take } = make('take');
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 5000; i++) take?.({ i, much: new Array(1000).fill(i) });
    await collect();
    return (process.memoryUsage().heapUsed - before) / 1e6;
  }) as number;
  assert.ok(grown < 20, `${grown} MB of 40 are held`);
});

lifetimes.run();

const memories = suite('memories');

memories('growth past the limit, and accesses behind it', () => {
  const told = answer(({ make, told }) => {
    const { grow, load, store } = make('memory');
    const grown = [0, 1, 100, -1, 2, 1].map((pages) => grow?.(pages));
    return [
      grown,
      told(() => load?.(262140)),
      ...[262141, 262144, 1 << 20, -4].map((at) => told(() => store?.(at))),
    ];
  });
  assert.equal(told, [[1, 1, -1, -1, 2, -1], 0, OUTSIDE, OUTSIDE, OUTSIDE, OUTSIDE]);
});

memories('64-bit addresses and offsets whose sum is beyond 64 bits', () => {
  const told = answer(({ make, told }) => {
    const { byte, word, near } = make('wide');
    const ends = [0n, 1n, 8n, 65536n, -1n];
    return [
      ...ends.flatMap((at) => [told(() => byte?.(at)), told(() => word?.(at))]),
      near?.(0n),
      told(() => near?.(1n)),
      told(() => near?.(-1n)),
    ];
  });
  assert.equal(told, [...new Array(10).fill(OUTSIDE), '0n', OUTSIDE, OUTSIDE]);
});

memories('more memories at once than a thousand, the last one guarded too', () => {
  const told = answer(({ module, insitu, told }) => {
    const shared = module('memory');
    const all = Array.from(
      { length: 1100 },
      () => new insitu.Instance(shared).exports as Record<string, (at: number) => number>,
    );
    return [told(() => all.at(-1)?.load?.(70000)), told(() => all[0]?.load?.(70000)), all.at(-1)?.load?.(0)];
  });
  assert.equal(told, [OUTSIDE, OUTSIDE, 0]);
});

/** What is behind a memory of one page, run here or by V8. */
const touchAround = ({ make, told }: Stage) => {
  const { load, store } = make('memory');
  return [65536, 1 << 20, 1 << 24, -4].flatMap((at) => [told(() => load?.(at)), told(() => store?.(at))]);
};

memories('V8 that gives memories no guard pages: nothing behind one is touched', () => {
  const touched = answer(touchAround, { node: ['--disable-wasm-trap-handler'], fallback: true });
  assert.equal(touched, new Array(8).fill(OUTSIDE));
});

memories('an address space that has no room for a guarded memory', () => {
  const touched = answer(({ make, told, limitAddresses }) => {
    limitAddresses(4e9);
    return told(() => make('memory'));
  });
  assert.match(String(touched), /^RangeError: .*(could not allocate memory|Out of memory)/);
});

memories.run();
