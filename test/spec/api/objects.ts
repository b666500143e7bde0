// Memories, tables and globals from both sides.
import type { Area, Loose } from './trial.ts';

const limits: [string, unknown][] = [
  ['initial 0', { initial: 0 }],
  ['initial 1 maximum 2', { initial: 1, maximum: 2 }],
  ['initial 2 maximum 1', { initial: 2, maximum: 1 }],
  ['initial -1', { initial: -1 }],
  ['initial "2"', { initial: '2' }],
  ['initial 1.7', { initial: 1.7 }],
  ['initial NaN', { initial: Number.NaN }],
  ['initial null', { initial: null }],
  ['initial undefined', { initial: undefined }],
  ['initial true', { initial: true }],
  ['initial {}', { initial: {} }],
  ['initial 2n', { initial: 2n }],
  ['initial symbol', { initial: Symbol('i') }],
  ['initial 2^32', { initial: 2 ** 32 }],
  ['initial Infinity', { initial: Number.POSITIVE_INFINITY }],
  ['initial valueOf', { initial: { valueOf: () => 1 } }],
  ['maximum 2^32-1', { initial: 1, maximum: 2 ** 32 - 1 }],
  ['maximum 65537', { initial: 1, maximum: 65537 }],
  ['maximum -1', { initial: 1, maximum: -1 }],
  ['maximum undefined', { initial: 1, maximum: undefined }],
  ['maximum null', { initial: 0, maximum: null }],
  ['only maximum', { maximum: 1 }],
];

const deltas: [string, unknown[]][] = [
  ['nothing', []],
  ['0', [0]],
  ['1', [1]],
  ['"1"', ['1']],
  ['-1', [-1]],
  ['NaN', [Number.NaN]],
  ['null', [null]],
  ['1n', [1n]],
  ['2^32', [2 ** 32]],
  ['100', [100]],
];

function bytesOf(memory: Loose): Uint8Array {
  return new Uint8Array(memory.buffer as unknown as ArrayBuffer);
}

export const objects: Area = {
  name: 'objects',
  modules: {
    memory: `(module
      (memory (export "memory") 1 4)
      (data (i32.const 8) "abc")
      (func (export "read") (param i32) (result i32) (i32.load8_u (local.get 0)))
      (func (export "write") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "size") (result i32) (memory.size)))`,
    'imported memory': `(module
      (import "m" "memory" (memory 1))
      (data (i32.const 16) "data")
      (export "memory" (memory 0))
      (func (export "read") (param i32) (result i32) (i32.load8_u (local.get 0)))
      (func (export "write") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "size") (result i32) (memory.size)))`,
    'no limit': `(module (memory (export "memory") 0) (table (export "table") 0 funcref))`,
    table: `(module
      (type $t (func (result i32)))
      (table (export "table") 4 6 funcref)
      (elem (i32.const 1) $one $two)
      (func $one (export "f1") (result i32) (i32.const 1))
      (func $two (export "f2") (result i32) (i32.const 2))
      (func $other (export "f3") (param i32))
      (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0)))
      (func (export "get") (param i32) (result funcref) (table.get (local.get 0)))
      (func (export "set") (param i32 funcref) (table.set (local.get 0) (local.get 1)))
      (func (export "grow") (param i32 funcref) (result i32) (table.grow (local.get 1) (local.get 0)))
      (func (export "size") (result i32) (table.size)))`,
    'imported table': `(module
      (type $t (func (result i32)))
      (import "m" "table" (table 2 funcref))
      (export "table" (table 0))
      (func $own (export "f") (result i32) (i32.const 9))
      (elem (i32.const 0) $own)
      (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))`,
    externs: `(module
      (table (export "table") 2 8 externref)
      (func (export "get") (param i32) (result externref) (table.get (local.get 0)))
      (func (export "set") (param i32 externref) (table.set (local.get 0) (local.get 1))))`,
    globals: `(module
      (global (export "i32") i32 (i32.const -7))
      (global (export "i32_mut") (mut i32) (i32.const 1))
      (global (export "i64_mut") (mut i64) (i64.const 2))
      (global (export "f32_mut") (mut f32) (f32.const 0.1))
      (global (export "f64_mut") (mut f64) (f64.const 0.1))
      (global (export "any_mut") (mut externref) (ref.null extern))
      (global (export "func_mut") (mut funcref) (ref.null func))
      (func (export "get") (result i32) (global.get 1))
      (func (export "set") (param i32) (global.set 1 (local.get 0)))
      (func (export "f") (result funcref) (global.get 6)))`,
    'imported globals': `(module
      (import "m" "i32" (global $i i32)) (import "m" "i64" (global $l i64)) (import "m" "f32" (global f32))
      (import "m" "any" (global externref)) (import "m" "i32_mut" (global $m (mut i32)))
      (export "i32" (global 0)) (export "i64" (global 1)) (export "f32" (global 2)) (export "any" (global 3))
      (export "i32_mut" (global 4))
      (global (export "global") i32 (global.get $i))
      (func (export "get") (result i32) (global.get $m))
      (func (export "set") (param i32) (global.set $m (local.get 0))))`,
  },
  scripts: {
    'new Memory'({ W, see }) {
      for (const [label, type] of limits) {
        const memory = see(label, () => new W.Memory(type));
        if (memory) see(`${label} buffer`, () => memory.buffer);
      }
      see('order', () => {
        const order: string[] = [];
        const type = new Proxy({ initial: 1 } as Record<string, unknown>, {
          get: (target, key) => {
            order.push(String(key));
            return target[String(key)];
          },
        });
        new W.Memory(type);
        return order.filter((key) => ['initial', 'minimum', 'maximum', 'shared'].includes(key));
      });
      see('shared without maximum', () => new W.Memory({ initial: 1, shared: true }));
      const shared = new W.Memory({ initial: 1, maximum: 2, shared: true });
      see('shared buffer', () => shared.buffer);
      see('frozen', () => Object.isFrozen(shared.buffer));
      const before = shared.buffer;
      see('grows', () => shared.grow(1));
      see('the old buffer stays', () => before);
      see('another one', () => shared.buffer);
    },
    'growing a Memory'({ W, see }) {
      for (const [label, args] of deltas) {
        const memory = new W.Memory({ initial: 1, maximum: 3 });
        const before = memory.buffer;
        see(label, () => memory.grow(...args));
        see(`${label} buffers`, () => [
          before.byteLength,
          memory.buffer.byteLength,
          before === memory.buffer,
        ]);
      }
    },
    'an exported memory'({ see, start }) {
      const { exports } = start('memory');
      const { memory } = exports;
      see('buffer', () => memory.buffer);
      see('the same', () => Object.is(memory.buffer, memory.buffer));
      see('data', () => [...bytesOf(memory).subarray(7, 12)]);
      see('written there', () => exports.write(100, 77));
      see('read here', () => bytesOf(memory)[100]);
      bytesOf(memory)[101] = 78;
      see('written here', () => exports.read(101));
      const before = memory.buffer;
      see('grown there', () => exports.grow(1));
      see('the old buffer', () => before);
      see('the new buffer', () => memory.buffer);
      see('kept', () => exports.read(101));
      see('grown by 0 there', () => exports.grow(0));
      see('grown here', () => memory.grow(1));
      see('size there', () => exports.size());
      see('beyond, there', () => exports.grow(2));
      see('beyond, here', () => memory.grow(2));
      see('grown to the end', () => memory.grow(1));
      see('the last byte', () => exports.read(4 * 65536 - 1));
      see('behind it', () => exports.read(4 * 65536));
      see('read at -1', () => exports.read(-1));
      see('transfer', () => structuredClone(memory.buffer, { transfer: [memory.buffer as never] }));
      see('detached by hand', () => memory.buffer.byteLength);
    },
    'an imported memory'({ W, see, start }) {
      const memory = new W.Memory({ initial: 1, maximum: 5 });
      bytesOf(memory).fill(1, 14, 22);
      const one = start('imported memory', { m: { memory } }).exports;
      const two = start('imported memory', { m: { memory } }).exports;
      see('the same', () => one.memory === memory && two.memory === memory);
      see('data', () => [...bytesOf(memory).subarray(14, 22)]);
      see('written by one', () => one.write(1000, 5));
      see('read by two', () => two.read(1000));
      see('grown by one', () => one.grow(1));
      see('size in two', () => two.size());
      see('written by two', () => two.write(70000, 6));
      see('read by one', () => one.read(70000));
      see('grown here', () => memory.grow(1));
      see('sizes', () => [one.size(), two.size(), memory.buffer.byteLength]);
      const exported = start('memory').exports;
      const three = start('imported memory', { m: exported }).exports;
      see('of an instance', () => three.memory === exported.memory);
      see('its data', () => [exported.read(8), exported.read(16)]);
      see('grown there', () => exported.grow(1));
      see('size then', () => three.size());
    },
    'memory without a limit'({ see, start }) {
      const { memory, table } = start('no limit').exports;
      see('nothing', () => memory.buffer);
      see('grow', () => memory.grow(1));
      see('too much', () => memory.grow(65536));
      see('table', () => table.grow(5));
      see('too many', () => table.grow(2 ** 31));
      see('table length', () => table.length);
    },
    'new Table'({ W, see }) {
      for (const [label, type] of limits) {
        if (label === 'initial 2^32') continue;
        const table = see(label, () => new W.Table(Object.assign({ element: 'anyfunc' }, type)));
        if (table) see(`${label} length`, () => table.length);
      }
      for (const element of ['anyfunc', 'externref', 'funcref', 'i32', 'any', '', null, undefined, 5]) {
        see(`element ${element}`, () => new W.Table({ initial: 1, element }).get(0));
      }
      see('externref with a value', () => new W.Table({ initial: 2, element: 'externref' }, 'text').get(1));
      see('externref with undefined', () =>
        new W.Table({ initial: 1, element: 'externref' }, undefined).get(0),
      );
      see('anyfunc with null', () => new W.Table({ initial: 1, element: 'anyfunc' }, null).get(0));
      see('anyfunc with undefined', () => new W.Table({ initial: 1, element: 'anyfunc' }, undefined).get(0));
      see('anyfunc with a function', () => new W.Table({ initial: 1, element: 'anyfunc' }, () => 1));
    },
    'reading descriptors'({ W, see }) {
      const order: string[] = [];
      const noted = (name: string, value: unknown) => ({
        valueOf: () => {
          order.push(`${name} as a value`);
          return value;
        },
        toString: () => {
          order.push(`${name} as text`);
          return String(value);
        },
      });
      const watched = (members: Record<string, unknown>) =>
        new Proxy(members, {
          get: (target, key) => {
            order.push(String(key));
            return target[String(key)];
          },
        });
      const table = { element: noted('element', 'externref'), initial: noted('initial', 2) };
      see('a table', () => new W.Table(watched({ ...table, maximum: noted('maximum', 3) }), 'text').get(1));
      see('order', () => order.splice(0));
      see('a table that fails', () => new W.Table(watched({ ...table, maximum: noted('maximum', 1n) })));
      see('order then', () => order.splice(0));
      const global = watched({ value: noted('value', 'i64'), mutable: noted('mutable', false) });
      see('a global', () => new W.Global(global, noted('initial', 7n)).value);
      see('its order', () => order.splice(0));
      see('a global that fails', () => new W.Global(watched({ value: 'i32' }), noted('initial', 7n)));
      see('its order then', () => order.splice(0));
      const indexed = new W.Table({ initial: 3, element: 'externref' }, 'text');
      see('set', () => indexed.set(noted('index', '1'), noted('element', 1)));
      see('get', () => indexed.get(noted('index', 1)) === (undefined as unknown));
      see('grow', () => indexed.grow(noted('count', 1.9), 'more'));
      see('order at last', () => order);
      see('length', () => [indexed.length, indexed.get(3)]);
    },
    'growing a Table'({ W, see }) {
      for (const [label, args] of deltas) {
        const table = new W.Table({ initial: 1, maximum: 3, element: 'externref' });
        see(label, () => table.grow(...args));
        see(`${label} length`, () => table.length);
      }
      const table = new W.Table({ initial: 1, element: 'externref' });
      see('with a value', () => table.grow(2, 'value'));
      see('elements', () => [0, 1, 2].map((index) => table.get(index)));
      see('with undefined', () => table.grow(1, undefined));
      see('its element', () => table.get(3));
    },
    'elements of a Table'({ W, see, start }) {
      const { f1 } = start('table').exports;
      const table = new W.Table({ initial: 2, element: 'anyfunc' });
      for (const index of [0, 1, 2, -1, '1', 1.5, Number.NaN, undefined, null, 2 ** 32, 1n, {}]) {
        see(`get ${String(index)}`, () => table.get(index));
      }
      see('get without an index', () => table.get());
      see('set', () => table.set(0, f1));
      see('is it', () => table.get(0) === f1);
      see('set null', () => table.set(0, null));
      see('set undefined', () => table.set(0, undefined));
      see('set without a value', () => table.set(0));
      see('get then', () => table.get(0));
      see('set a function of JavaScript', () => table.set(0, () => 1));
      see('set 5', () => table.set(0, 5));
      see('set an object', () => table.set(0, {}));
      see('set beyond', () => table.set(2, f1));
      see('set without an index', () => table.set());
      const externs = new W.Table({ initial: 1, element: 'externref' }, 'first');
      see('externref without a value', () => externs.set(0));
      see('get it', () => externs.get(0));
      for (const value of [5, 'text', null, undefined, Symbol.iterator, 5n, true]) {
        externs.set(0, value);
        see(`externref ${String(value)}`, () => Object.is(externs.get(0), value));
      }
    },
    'an exported table'({ see, start }) {
      const { exports } = start('table');
      const { table, f1, f2, f3 } = exports;
      see('length', () => table.length);
      see('elements', () => [0, 1, 2, 3].map((index) => table.get(index)));
      see('identity', () => table.get(1) === f1 && table.get(2) === f2 && exports.get(1) === f1);
      for (const index of [0, 1, 2, 3, 4, -1]) see(`call ${index}`, () => exports.call(index));
      see('set here', () => table.set(3, f2));
      see('call it', () => exports.call(3));
      see('another type', () => table.set(3, f3));
      see('call that', () => exports.call(3));
      see('set there', () => exports.set(0, f1));
      see('get here', () => table.get(0) === f1);
      see('set what is no function', () => exports.set(0, () => 1));
      see('grow here', () => table.grow(1, f2));
      see('call the new one', () => exports.call(4));
      see('grow there', () => exports.grow(1, f1));
      see('length then', () => [table.length, exports.size()]);
      see('grow beyond here', () => table.grow(1));
      see('grow beyond there', () => exports.grow(1, null));
      see('of another instance', () => table.set(0, start('table').exports.f2));
      see('call it there', () => exports.call(0));
    },
    'an imported table'({ W, see, start }) {
      const table = new W.Table({ initial: 3, element: 'anyfunc' });
      const { f1 } = start('table').exports;
      table.set(2, f1);
      const one = start('imported table', { m: { table } }).exports;
      const two = start('imported table', { m: { table } }).exports;
      see('the same', () => one.table === table);
      see('the last one wrote', () => table.get(0) === two.f);
      see('calls', () => [one.call(0), two.call(0), one.call(2)]);
      see('a null', () => one.call(1));
      see('cleared', () => table.set(0, null));
      see('call then', () => two.call(0));
      const own = start('table').exports;
      const three = start('imported table', { m: own }).exports;
      see('of an instance', () => three.table === own.table);
      see('call across', () => [own.call(0), three.call(1)]);
    },
    'a table of externref'({ see, start }) {
      const { exports } = start('externs');
      const object = { own: 1 };
      see('at first', () => [exports.table.get(0), exports.get(0)]);
      see('set there', () => exports.set(0, object));
      see('the same', () => exports.table.get(0) === (object as unknown));
      see('set here', () => exports.table.set(1, Symbol.iterator));
      see('get there', () => exports.get(1));
      see('undefined', () => exports.set(1, undefined));
      see('is undefined', () => exports.table.get(1));
      see('grow', () => exports.table.grow(2, object));
      see('grown', () => exports.get(3) === (object as unknown));
      see('beyond', () => exports.get(4));
    },
    'new Global'({ W, see }) {
      const types = [
        'i32',
        'i64',
        'f32',
        'f64',
        'externref',
        'anyfunc',
        'funcref',
        'v128',
        'i8',
        '',
        undefined,
        null,
      ];
      const values: [string, unknown][] = [
        ['nothing', undefined],
        ['5', 5],
        ['5n', 5n],
        ['2^40+1', 2 ** 40 + 1],
        ['"6"', '6'],
        ['null', null],
        ['an object', { valueOf: () => 8 }],
        ['0.1', 0.1],
      ];
      for (const type of types) {
        see(`${type} alone`, () => new W.Global({ value: type }).value);
        for (const [label, value] of values) {
          see(`${type} ${label}`, () => new W.Global({ value: type }, value).value);
        }
      }
      see('externref without', () => new W.Global({ value: 'externref' }).value);
      see('mutable', () => {
        const global = new W.Global({ value: 'i32', mutable: 1 }, 3);
        global.value = 9 as unknown as Loose;
        return global.value;
      });
      see('immutable', () => {
        new W.Global({ value: 'i32' }, 3).value = 9 as unknown as Loose;
      });
      see('valueOf', () => new W.Global({ value: 'i64' }, 3n).valueOf());
    },
    'exported globals'({ see, start }) {
      const { exports } = start('globals');
      const write = (
        name: 'i32' | 'i32_mut' | 'i64_mut' | 'f32_mut' | 'f64_mut' | 'any_mut' | 'func_mut',
        value: unknown,
      ) => {
        see(`${name} = ${typeof value} ${String(value)}`, () => {
          exports[name].value = value as Loose;
          return exports[name].value;
        });
      };
      see('one', () => exports.i32.value);
      see('identity', () => Object.is(exports.i32, exports.i32));
      for (const value of [5, '6', 2 ** 33 + 3, undefined, 7n, null]) write('i32_mut', value);
      write('i32', 3);
      for (const value of [5n, -5n, 2n ** 64n - 1n, 5, '5']) write('i64_mut', value);
      for (const value of [0.1, '1e3', -0]) write('f32_mut', value);
      for (const value of [0.1, Number.NaN, {}]) write('f64_mut', value);
      for (const value of ['text', undefined, 5n]) write('any_mut', value);
      write('func_mut', null);
      write('func_mut', 5);
      see('a function', () => {
        exports.func_mut.value = exports.get;
        return exports.func_mut.value === exports.get && exports.f() === exports.get;
      });
      exports.i32_mut.value = 50 as unknown as Loose;
      see('seen there', () => exports.get());
      see('set there', () => exports.set(51));
      see('seen here', () => exports.i32_mut.value);
    },
    'imported globals'({ W, see, start }) {
      const i32_mut = new W.Global({ value: 'i32', mutable: true }, 4);
      const i32 = new W.Global({ value: 'i32' }, 3);
      const m = { i32, i64: 5n, f32: 0.1, any: 'text', i32_mut };
      const one = start('imported globals', { m }).exports;
      const two = start('imported globals', { m: { ...m, i32: 2.9 } }).exports;
      see('values', () => [one.i32, one.i64, one.f32, one.any, one.i32_mut].map((global) => global.value));
      see('of a number', () => two.i32.value);
      see('identities', () => [one.i32 === i32, one.i32_mut === i32_mut, one.i64 === two.i64]);
      see('an initial value of it', () => [one.global.value, two.global.value]);
      see('set by one', () => one.set(70));
      see('seen', () => [two.get(), i32_mut.value]);
      i32_mut.value = 71 as unknown as Loose;
      see('set here', () => [one.get(), two.get()]);
      const exported = start('globals').exports;
      const three = start('imported globals', { m: { ...m, i32_mut: exported.i32_mut } }).exports;
      see('of an instance', () => three.i32_mut === exported.i32_mut);
      see('set in the third', () => three.set(80));
      see('seen in its owner', () => exported.get());
    },
  },
};
