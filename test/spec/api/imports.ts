// Import objects: what may stand in them, in which order they are read, and the words where they do not fit.
import type { Area, Loose, Trial } from './trial.ts';

const wants: Record<string, string> = {
  func: '(func (param i32) (result i32))',
  'global i32': '(global i32)',
  'global i64': '(global i64)',
  'global f64': '(global f64)',
  'global externref': '(global externref)',
  'global funcref': '(global funcref)',
  'global mut i32': '(global (mut i32))',
  memory: '(memory 2 4)',
  'memory shared': '(memory 2 4 shared)',
  table: '(table 2 4 funcref)',
  'table externref': '(table 2 4 externref)',
  tag: '(tag (param i32))',
};

function offers({ W, start }: Trial): [string, unknown][] {
  const { exports } = start('offers');
  const memory = (initial: number, maximum?: number, shared = false) =>
    new W.Memory({ initial, ...(maximum && { maximum }), ...(shared && { shared }) });
  const table = (initial: number, maximum: number | undefined, element: string) =>
    new W.Table({ initial, ...(maximum && { maximum }), element });
  return [
    ['undefined', undefined],
    ['null', null],
    ['7', 7],
    ['-0.5', -0.5],
    ['7n', 7n],
    ['"7"', '7'],
    ['an object', {}],
    ['an arrow function', (n: number) => n * 2],
    ['a class', class {}],
    ['a Proxy of a function', new Proxy((n: number) => n * 3, {})],
    ['an export', exports.f],
    ['an export of another type', exports.g],
    ['global i32', new W.Global({ value: 'i32' }, 9)],
    ['global mut i32', new W.Global({ value: 'i32', mutable: true }, 9)],
    ['global i64', new W.Global({ value: 'i64' }, 9n)],
    ['global externref', new W.Global({ value: 'externref' }, 'text')],
    ['global funcref', new W.Global({ value: 'anyfunc' }, exports.f)],
    ['memory 1', memory(1)],
    ['memory 2', memory(2)],
    ['memory 2 4', memory(2, 4)],
    ['memory 2 5', memory(2, 5)],
    ['memory 3 3', memory(3, 3)],
    ['memory 5 5', memory(5, 5)],
    ['memory 2 4 shared', memory(2, 4, true)],
    ['table 1', table(1, undefined, 'anyfunc')],
    ['table 2', table(2, undefined, 'anyfunc')],
    ['table 2 4', table(2, 4, 'anyfunc')],
    ['table 2 5', table(2, 5, 'anyfunc')],
    ['table 5 5', table(5, 5, 'anyfunc')],
    ['table 2 4 externref', table(2, 4, 'externref')],
    ['an exported memory', exports.memory],
    ['an exported tag', exports.tag],
    ['a tag', new W.Tag({ parameters: ['i32'] })],
    ['a tag of another type', new W.Tag({ parameters: ['i64'] })],
    ['a buffer', new ArrayBuffer(8)],
  ];
}

const results: [string, unknown][] = [
  ['an array', [1, 2n, 3.5]],
  ['too few', [1, 2n]],
  ['too many', [1, 2n, 3, 4]],
  ['a set', new Set([1, 2n, 3])],
  ['a string', '123'],
  ['no iterable', 5],
  ['undefined', undefined],
  ['null', null],
  ['an object', {}],
  ['a wrong number', [1, 2, 3]],
  ['text', ['1', '2', '3']],
];

function* generated(order: string[]): Generator<unknown> {
  order.push('first');
  yield 1;
  order.push('second');
  yield 2n;
  order.push('third');
  yield 3;
  order.push('end');
}

function throwing(value: unknown): () => never {
  return () => {
    throw value;
  };
}

export const imports: Area = {
  name: 'imports',
  modules: {
    ...Object.fromEntries(
      Object.entries(wants).map(([name, type]) => {
        const [, kind = ''] = /^\((\w+)/.exec(type) ?? [];
        return [name, `(module (import "mod" "field" ${type}) (export "value" (${kind} 0)))`];
      }),
    ),
    offers: `(module
      (func (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 5)))
      (func (export "g") (param i64))
      (memory (export "memory") 3 4)
      (tag (export "tag") (param i32)))`,
    order: `(module
      (import "a" "f" (func)) (import "b" "g" (global i32)) (import "a" "h" (func)) (import "a" "f" (func))
      (import "" "" (func)))`,
    returns: `(module
      (import "m" "i32" (func $i32 (result i32))) (import "m" "i64" (func $i64 (result i64)))
      (import "m" "f32" (func $f32 (result f32))) (import "m" "any" (func $any (result externref)))
      (import "m" "func" (func $func (result funcref))) (import "m" "none" (func $none))
      (import "m" "many" (func $many (result i32 i64 f64)))
      (func (export "i32") (result i32) (call $i32)) (func (export "i64") (result i64) (call $i64))
      (func (export "f32") (result f32) (call $f32)) (func (export "any") (result externref) (call $any))
      (func (export "func") (result funcref) (call $func)) (func (export "none") (call $none))
      (func (export "many") (result i32 i64 f64) (call $many)))`,
    passes: `(module
      (import "m" "f" (func $f (param i32 i64 f32 f64 externref funcref)))
      (func $run (export "run") (param externref)
        (call $f (i32.const -1) (i64.const -2) (f32.const 0.1) (f64.const 0.1) (local.get 0) (ref.func $run))))`,
    start: `(module (import "m" "f" (func $f)) (start $f) (func (export "g")))`,
  },
  scripts: {
    ...Object.fromEntries(
      Object.keys(wants).map((name) => [
        `as ${name}`,
        (trial: Trial) => {
          const { see, start } = trial;
          for (const [label, offer] of offers(trial)) {
            const started = see(label, () => start(name, { mod: { field: offer } }));
            if (started) see(`${label} exported`, () => started.exports.value);
            if (started) see(`${label} identical`, () => Object.is(started.exports.value, offer));
          }
        },
      ]),
    ),
    'import objects'({ W, bytes, see }) {
      const module = new W.Module(bytes('func'));
      const given: [string, unknown][] = [
        ['undefined', undefined],
        ['null', null],
        ['5', 5],
        ['"text"', 'text'],
        ['an empty one', {}],
        ['undefined module', { mod: undefined }],
        ['null module', { mod: null }],
        ['number module', { mod: 4 }],
        ['text module', { mod: 'text' }],
        ['function module', { mod: () => 1 }],
        ['function module with the field', { mod: Object.assign(() => 1, { field: () => 2 }) }],
        ['inherited', Object.create({ mod: Object.create({ field: () => 1 }) })],
        ['an array', []],
      ];
      for (const [label, object] of given) see(label, () => new W.Instance(module, object));
      see('without one', () => new W.Instance(module));
      see('no module', () => new W.Instance({}, {}));
      const none = new W.Module(bytes('offers'));
      see('not wanted: 5', () => new W.Instance(none, 5));
      see('not wanted: null', () => new W.Instance(none, null));
      see('not wanted: undefined', () => new W.Instance(none, undefined));
    },
    'order of reading'({ W, bytes, see }) {
      const order: string[] = [];
      const watched = (name: string, target: object): object =>
        new Proxy(target, {
          get(object, key, receiver) {
            order.push(`${name}.${String(key)}`);
            return Reflect.get(object, key, receiver);
          },
          has: (_, key) => order.push(`has ${name}.${String(key)}`) > 0,
        });
      const f = () => undefined;
      const module = new W.Module(bytes('order'));
      const object = {
        a: watched('a', { f, h: f }),
        b: watched('b', { g: 1 }),
        '': watched('empty', { '': f }),
      };
      see('all there', () => new W.Instance(module, watched('imports', object)));
      see('order', () => order.splice(0));
      see(
        'one missing',
        () => new W.Instance(module, watched('imports', { ...object, b: watched('b', {}) })),
      );
      see('order then', () => order.splice(0));
      const failing = {
        get f() {
          order.push('getter');
          throw new URIError('of a getter');
        },
      };
      see('a getter that throws', () => new W.Instance(module, { a: failing }));
      see('order at last', () => order);
    },
    'results of JavaScript'({ start, see }) {
      const give: [string, unknown][] = [
        ['undefined', undefined],
        ['null', null],
        ['1.5', 1.5],
        ['2^32+1', 2 ** 32 + 1],
        ['5n', 5n],
        ['-2n**63n', -(2n ** 63n)],
        ['text', '17'],
        ['an object', { own: 1 }],
        ['valueOf', { valueOf: () => 3 }],
        ['symbol', Symbol('r')],
        ['function', () => 1],
      ];
      for (const [label, value] of give) {
        const f = () => value;
        const { exports } = start('returns', {
          m: { i32: f, i64: f, f32: f, any: f, func: f, none: f, many: f },
        });
        for (const name of ['i32', 'i64', 'f32', 'any', 'func', 'none'] as const) {
          see(`${label} as ${name}`, () => exports[name]());
        }
      }
    },
    'several results of JavaScript'({ start, see }) {
      const f = () => 0;
      const others = { i32: f, i64: f, f32: f, any: f, func: f, none: f };
      for (const [label, value] of results) {
        see(label, () => start('returns', { m: { ...others, many: () => value } }).exports.many());
      }
      const order: string[] = [];
      see('a generator', () =>
        start('returns', { m: { ...others, many: () => generated(order) } }).exports.many(),
      );
      see('its order', () => order);
    },
    'arguments to JavaScript'({ start, see }) {
      const seen: unknown[] = [];
      const { exports } = start('passes', {
        m: {
          f(this: unknown, ...args: unknown[]) {
            seen.push(this, ...args);
          },
        },
      });
      const object = { own: 1 };
      see('run', () => exports.run(object));
      see('this and arguments', () => seen);
      see('the same object', () => seen[5] === object);
      see('the same function', () => seen[6] === (exports.run as unknown));
    },
    'what JavaScript throws'({ start, see }) {
      const thrown: [string, unknown][] = [
        ['an Error', new SyntaxError('of an import')],
        ['text', 'text'],
        ['undefined', undefined],
        ['null', null],
        ['a number', 5],
        ['an object', { own: 1 }],
      ];
      for (const [label, value] of thrown) {
        const f = throwing(value);
        const { exports } = start('returns', {
          m: { i32: f, i64: f, f32: f, any: f, func: f, none: f, many: f },
        });
        see(label, () => exports.i32());
        see(`${label}, the same`, () => {
          try {
            return exports.none();
          } catch (error) {
            return Object.is(error, value);
          }
        });
      }
    },
    'start function'({ start, see }) {
      let calls = 0;
      see('runs', () => start('start', { m: { f: () => ++calls } }));
      see('once', () => calls);
      see('throws', () => start('start', { m: { f: throwing(new EvalError('of start')) } }));
    },
    'a class as a function'({ start, see }) {
      class Own {}
      const made = see('a class', () => start('func', { mod: { field: Own } })) as Loose | undefined;
      see('called', () => made?.exports.value(1));
    },
  },
};
