// Control that leaves compiled code and comes back: traps, exhaustion, exceptions, calls that go in and out again.
import type { Area, Loose, Trial } from './trial.ts';

/** The words of compiled frames in a stack; where the code lies differs. */
function frames(error: unknown): string[] {
  const stack = Object(error) as { stack?: string };
  return [...(stack.stack ?? '').matchAll(/at (?:(\S+) \()?.*(wasm-function\[\d+\])/g)].map(
    ([, name, place]) => `${name ?? 'no name'} ${place}`,
  );
}

function caught(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

const traps: Record<string, unknown[]> = {
  unreachable: [],
  divide: [1, 0],
  'divide overflow': [-(2 ** 31), -1],
  remainder: [1, 0],
  'divide 64': [1n, 0n],
  'divide 64 overflow': [-(2n ** 63n), -1n],
  'remainder 64': [1n, 0n],
  truncate: [Number.NaN],
  'truncate too large': [1e300],
  load: [65536],
  'load near the end': [65533],
  'load with an offset': [-1],
  store: [65536],
  fill: [65530, 1, 7],
  copy: [0, 65530, 7],
  init: [0, 2, 3],
  'null call': [0],
  'call of another type': [1],
  'call beyond': [9],
  'table get': [9],
  'table set': [9],
  'table fill': [1, 5],
  'table copy': [0, 1, 5],
  'table init': [0, 1, 1],
};

const trapModule = `(module
  (type $t (func))
  (memory 1) (data $d "abcd")
  (table $table 2 funcref) (elem (i32.const 1) $other) (elem $e func $other)
  (func $other (result i32) (i32.const 1))
  (func $inner (export "unreachable") unreachable)
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "divide overflow") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "remainder") (param i32 i32) (result i32) (i32.rem_u (local.get 0) (local.get 1)))
  (func (export "divide 64") (param i64 i64) (result i64) (i64.div_u (local.get 0) (local.get 1)))
  (func (export "divide 64 overflow") (param i64 i64) (result i64) (i64.div_s (local.get 0) (local.get 1)))
  (func (export "remainder 64") (param i64 i64) (result i64) (i64.rem_s (local.get 0) (local.get 1)))
  (func (export "truncate") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
  (func (export "truncate too large") (param f64) (result i64) (i64.trunc_f64_u (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "load near the end") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "load with an offset") (param i32) (result i64) (i64.load offset=4294967295 (local.get 0)))
  (func (export "store") (param i32) (i32.store8 (local.get 0) (i32.const 1)))
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init") (param i32 i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
  (func (export "null call") (param i32) (call_indirect (type $t) (local.get 0)))
  (func (export "call of another type") (param i32) (call_indirect (type $t) (local.get 0)))
  (func (export "call beyond") (param i32) (call_indirect (type $t) (local.get 0)))
  (func (export "table get") (param i32) (result funcref) (table.get $table (local.get 0)))
  (func (export "table set") (param i32) (table.set $table (local.get 0) (ref.null func)))
  (func (export "table fill") (param i32 i32) (table.fill $table (local.get 0) (ref.null func) (local.get 1)))
  (func (export "table copy") (param i32 i32 i32)
    (table.copy $table $table (local.get 0) (local.get 1) (local.get 2)))
  (func (export "table init") (param i32 i32 i32)
    (table.init $table $e (local.get 0) (local.get 1) (local.get 2)))
  (func $middle (call $inner))
  (func (export "outer") (call $middle)))`;

function seeException({ W, see }: Trial, label: string, call: () => unknown): void {
  const error = caught(call) as Loose;
  see(label, () => ({
    exception: (error as object) instanceof W.Exception,
    error: (error as object) instanceof Error,
    tag: Object.prototype.toString.call(error),
  }));
}

export const control: Area = {
  name: 'control',
  modules: {
    traps: trapModule,
    deep: `(module
      (import "m" "f" (func $f (param i32)))
      (func $down (export "f") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
      (func $forever (export "g") (result i32) (i32.add (i32.const 1) (call $forever)))
      (func (export "h") (param i32) (call $f (local.get 0))))`,
    again: `(module
      (import "m" "f" (func $f (param i32) (result i32)))
      (memory (export "memory") 1 10)
      (global $g (export "global") (mut i32) (i32.const 0))
      (func (export "run") (param i32) (result i32) (local i32)
        (i32.store (i32.const 0) (local.get 0))
        (global.set $g (local.get 0))
        (local.set 1 (call $f (local.get 0)))
        (i32.add (i32.add (i32.load (i32.const 0)) (global.get $g)) (local.get 1)))
      (func (export "read") (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "grow") (result i32) (memory.grow (i32.const 1))))`,
    exceptions: `(module
      (import "m" "f" (func $f (param i32)))
      (import "m" "tag" (tag $imported (param i32 f64)))
      (tag $own (export "tag") (param i32 i64 externref))
      (export "h" (tag $imported))
      (func (export "f1") (param i32) (throw $own (local.get 0) (i64.const 9) (ref.null extern)))
      (func (export "f2") (param i32) (throw $imported (local.get 0) (f64.const 0.5)))
      (func (export "f3") (param i32) (call $f (local.get 0)))
      (func (export "g") (param i32) (result i32)
        (try (result i32)
          (do (call $f (local.get 0)) (i32.const -1))
          (catch $imported (drop))
          (catch_all (i32.const 99))))
      (func (export "g1") (param i32)
        (try (do (call $f (local.get 0))) (catch_all (rethrow 0))))
      (func (export "g2") (param i32)
        (try (do (call $f (local.get 0))) (catch $imported (drop) (drop) (rethrow 0))))
      (func (export "g3") (result i32)
        (try (result i32) (do unreachable) (catch_all (i32.const 5)))))`,
  },
  scripts: {
    traps({ W, see, start }) {
      const exports = start('traps').exports as unknown as Record<string, (...args: unknown[]) => unknown>;
      for (const [name, args] of Object.entries(traps)) see(name, () => exports[name]?.(...args));
      const error = caught(() => exports.outer?.()) as Error;
      see('class', () => error.constructor === (W.RuntimeError as unknown));
      see('is an Error', () => error instanceof Error);
      see('own keys', () => Reflect.ownKeys(error).map(String).sort());
      see('frames', () => frames(error));
      see('the first line', () => error.stack?.split('\n')[0]);
      see('works on', () => exports.load?.(0));
    },
    exhaustion({ see, start }) {
      const { exports } = start('deep', { m: { f: () => undefined } });
      see('deep, but well', () => exports.f(3000));
      for (let turn = 0; turn < 3; turn++) see(`forever, ${turn}`, () => exports.g());
      see('a RangeError', () => caught(() => exports.g()) instanceof RangeError);
      see('works on', () => exports.f(100));
      const mutual = start('deep', { m: { f: (n: unknown) => mutual.exports.h(n) } });
      see('through JavaScript', () => mutual.exports.h(1));
      see('works on then', () => mutual.exports.f(100));
    },
    're-entry'({ see, start }) {
      const seen: unknown[] = [];
      const instance: Loose = start('again', {
        m: {
          f(n: number) {
            const { exports } = instance;
            seen.push(n, exports.read(0), exports.global.value);
            return n > 0 ? exports.run(n - 1) : 0;
          },
        },
      });
      see('nested', () => instance.exports.run(5));
      see('seen', () => seen);
    },
    'changes during a call'({ see, start }) {
      const instance: Loose = start('again', {
        m: {
          f(n: number) {
            const { exports } = instance;
            if (n === 1) exports.memory.grow(1);
            if (n === 2) exports.grow();
            new Int32Array(exports.memory.buffer as unknown as ArrayBuffer)[0] = 100;
            exports.global.value = 1000 as unknown as Loose;
            return 10000;
          },
        },
      });
      for (const n of [0, 1, 2]) see(`run ${n}`, () => instance.exports.run(n));
      see('buffer', () => instance.exports.memory.buffer);
    },
    'errors in nested calls'({ see, start }) {
      const thrown = new SyntaxError('deep');
      const instance: Loose = start('again', {
        m: {
          f(n: number) {
            if (n === 0) throw thrown;
            if (n % 2 === 0) return instance.exports.run(n - 1);
            try {
              return instance.exports.run(n - 1);
            } catch (error) {
              if (n === 1) throw error;
              return 7;
            }
          },
        },
      });
      see('from the bottom', () => caught(() => instance.exports.run(2)) === thrown);
      see('caught midway', () => instance.exports.run(3));
      see('works on', () => instance.exports.read(0));
    },
    'traps in nested calls'({ see, start }) {
      const inner = start('traps').exports as unknown as Record<string, () => unknown>;
      const { exports } = start('again', { m: { f: () => inner.unreachable?.() } });
      see('through two instances', () => exports.run(1));
      see('again', () => exports.run(1));
      see('frames', () => frames(caught(() => exports.run(1))));
    },
    'exceptions out'(trial) {
      const { W, see, start } = trial;
      const tag = new W.Tag({ parameters: ['i32', 'f64'] });
      const { exports } = start('exceptions', { m: { f: () => undefined, tag } });
      see('the imported tag', () => exports.h === tag);
      seeException(trial, 'own tag', () => exports.f1(4));
      const own = caught(() => exports.f1(4)) as Loose;
      see('is', () => [own.is(exports.tag), own.is(tag)]);
      see('arguments', () => [0, 1, 2].map((index) => own.getArg(exports.tag, index)));
      see('beyond', () => own.getArg(exports.tag, 3));
      see('of another tag', () => own.getArg(tag, 0));
      see('of no tag', () => own.is({}));
      const other = caught(() => exports.f2(5)) as Loose;
      see('imported tag', () => [other.is(tag), other.getArg(tag, 0), other.getArg(tag, 1)]);
      see('the stack', () => typeof (other as unknown as Error).stack);
    },
    'exceptions in'({ W, see, start }) {
      const tag = new W.Tag({ parameters: ['i32', 'f64'] });
      const foreign = new W.Tag({ parameters: [] });
      const thrown: [string, unknown][] = [
        ['of the tag', new W.Exception(tag, [41, 1.5])],
        ['of another tag', new W.Exception(foreign, [])],
        ['an Error', new SyntaxError('of JavaScript')],
        ['text', 'text'],
        ['undefined', undefined],
        ['a RuntimeError made here', new W.RuntimeError('made')],
      ];
      for (const [label, value] of thrown) {
        const f = () => {
          throw value;
        };
        const { exports } = start('exceptions', { m: { f, tag } });
        see(`${label} caught`, () => exports.g(1));
        see(`${label} through`, () =>
          Object.is(
            caught(() => exports.f3(1)),
            value,
          ),
        );
        see(`${label} rethrown`, () =>
          Object.is(
            caught(() => exports.g1(1)),
            value,
          ),
        );
        see(`${label} rethrown by its tag`, () =>
          Object.is(
            caught(() => exports.g2(1)),
            value,
          ),
        );
      }
    },
    'exceptions between instances'({ W, see, start }) {
      const tag = new W.Tag({ parameters: ['i32', 'f64'] });
      const thrower = start('exceptions', { m: { f: () => undefined, tag } }).exports;
      const direct = start('exceptions', { m: { f: thrower.f2, tag } }).exports;
      see('caught by the tag', () => direct.g(77));
      see('and rethrown', () => (caught(() => direct.g2(78)) as Loose).getArg(tag, 0));
      const foreign = start('exceptions', { m: { f: thrower.f1, tag } }).exports;
      see('of an unknown tag', () => foreign.g(79));
      see('passes', () => (caught(() => foreign.g2(80)) as Loose).getArg(thrower.tag, 0));
      const through = start('exceptions', { m: { f: (n: unknown) => thrower.f2(n), tag } }).exports;
      see('through JavaScript', () => through.g(81));
    },
    'traps and exceptions'({ W, see, start }) {
      const tag = new W.Tag({ parameters: ['i32', 'f64'] });
      const inner = start('traps').exports as unknown as Record<string, () => unknown>;
      const { exports } = start('exceptions', { m: { f: () => inner.unreachable?.(), tag } });
      see('a trap is not caught', () => exports.g3());
      see('nor one from below', () => exports.g(1));
    },
    'new Tag and Exception'({ W, see }) {
      see('no parameters', () => new W.Tag({}));
      see('an unknown type', () => new W.Tag({ parameters: ['i8'] }));
      see('empty', () => new W.Tag({ parameters: [] }));
      const tag = new W.Tag({ parameters: ['i32', 'i64', 'externref'] });
      see('exception', () => new W.Exception(tag, [1, 2n, 'three']).getArg(tag, 2));
      see('too few', () => new W.Exception(tag, [1]));
      see('too many', () => new W.Exception(tag, [1, 2n, 3, 4]));
      see('a wrong kind', () => new W.Exception(tag, [1, 2, 3]));
      see('no list', () => new W.Exception(tag, 5));
      see('converted', () => new W.Exception(tag, ['7.9', '8', null]).getArg(tag, 0));
      const exception = new W.Exception(tag, [1, 2n, 'three']);
      see('index -1', () => exception.getArg(tag, -1));
      see('index "1"', () => exception.getArg(tag, '1'));
      see('no index', () => exception.getArg(tag));
      see('stack', () => typeof (exception as unknown as Error).stack);
      see(
        'traced',
        () => typeof (new W.Exception(tag, [1, 2n, 3], { traceStack: true }) as unknown as Error).stack,
      );
    },
  },
};
