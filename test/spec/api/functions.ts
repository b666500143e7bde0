// Exported functions: what they are, how arguments and results are converted, who they are identical to.
import type { Area, Trial } from './trial.ts';

const identity = (type: string, name: string) =>
  `(func (export "${name}") (param ${type}) (result ${type}) (local.get 0))`;

const arguments_: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['true', true],
  ['12', 12],
  ['-1', -1],
  ['-0', -0],
  ['1.9', 1.9],
  ['-1.9', -1.9],
  ['2^31', 2 ** 31],
  ['2^32+5', 2 ** 32 + 5],
  ['1e300', 1e300],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['"34"', '34'],
  ['""', ''],
  ['"x"', 'x'],
  ['"0x10"', '0x10'],
  ['[]', []],
  ['[5]', [5]],
  ['{}', {}],
  ['a Date', new Date(5)],
  ['5n', 5n],
  ['-5n', -5n],
  ['2n**63n', 2n ** 63n],
  ['2n**64n+3n', 2n ** 64n + 3n],
  ['a symbol', Symbol('s')],
  ['valueOf', { valueOf: () => 41 }],
  ['valueOf of a BigInt', { valueOf: () => 41n }],
  ['toString', { toString: () => '42' }],
  ['toPrimitive', { [Symbol.toPrimitive]: (hint: string) => (hint === 'number' ? 43 : 0) }],
  ['a function', () => 1],
  ['a Number', Object(7)],
];

function seeConversions({ start, see }: Trial, name: 'i32' | 'i64' | 'f32' | 'f64' | 'any' | 'func'): void {
  const { exports } = start('identities');
  const call = exports[name];
  see('no argument', () => call());
  for (const [label, argument] of arguments_) see(label, () => call(argument));
  see('one too many', () => call(...(name === 'i64' ? [1n, 2n] : [null, 2])));
}

export const functions: Area = {
  name: 'functions',
  modules: {
    identities: `(module
      ${identity('i32', 'i32')} ${identity('i64', 'i64')} ${identity('f32', 'f32')}
      ${identity('f64', 'f64')} ${identity('externref', 'any')} ${identity('funcref', 'func')}
      (func (export "many") (param i32 i64 f32 f64 externref) (result f64 externref i64 i32)
        (local.get 3) (local.get 4) (local.get 1) (local.get 0))
      (func (export "none") (param i32)))`,
    twice: `(module
      (import "m" "f" (func $imported (param i32) (result i32)))
      (func $own (export "f1") (export "f2") (result i32) (i32.const 5))
      (export "f3" (func $imported))
      (table (export "table") funcref (elem $own $imported $own))
      (global (export "global") funcref (ref.func $own))
      (func (export "get") (param i32) (result funcref) (table.get (local.get 0))))`,
    vector: `(module
      (func (export "f") (param v128))
      (func (export "g") (result v128) (v128.const i32x4 1 2 3 4))
      (global (export "v128") v128 (v128.const i32x4 1 2 3 4)))`,
  },
  scripts: {
    i32: (trial) => seeConversions(trial, 'i32'),
    i64: (trial) => seeConversions(trial, 'i64'),
    f32: (trial) => seeConversions(trial, 'f32'),
    f64: (trial) => seeConversions(trial, 'f64'),
    externref: (trial) => seeConversions(trial, 'any'),
    funcref: (trial) => seeConversions(trial, 'func'),
    'what they are'({ start, see }) {
      const { exports } = start('identities');
      const { many, none } = exports;
      see('many', () => many);
      see('none', () => none);
      see('keys', () => Reflect.ownKeys(many).map(String));
      see('text', () => String(many));
      see('prototype', () => Object.getPrototypeOf(many) === Function.prototype);
      see('has a prototype', () => 'prototype' in many);
      see('extensible', () => Object.isExtensible(many));
      see('frozen', () => Object.isFrozen(many));
      see('new', () => Reflect.construct(Object, [], none));
      see('writing the name', () => {
        (many as unknown as { name: string }).name = 'other';
      });
      see('name redefined', () => Object.defineProperty(many, 'name', { value: 'other' }).name);
      see('a property', () => Object.assign(none, { own: 3 }));
      see('kept', () => Object.keys(exports.none));
      see('call', () => none.call(null, 1));
      see('bound', () => Function.prototype.bind.call(none as never, null));
    },
    'several results'({ start, see }) {
      const { many } = start('identities').exports;
      const object = { own: 1 };
      const result = see('many', () => many(1, 2n, 3, 4.5, object));
      see('an array', () => Array.isArray(result));
      see('extensible', () => Object.isExtensible(result));
      see('the same object', () => Object.is(Reflect.get(result, 1), object));
      see('a fresh one', () => many(1, 2n, 3, 4.5, object) === result);
      see('none', () => start('identities').exports.none(1));
    },
    'order of conversions'({ start, see }) {
      const { many } = start('identities').exports;
      const order: string[] = [];
      const noted = (name: string, value: unknown) => ({
        valueOf: () => {
          order.push(name);
          return value;
        },
      });
      see('all', () => many(noted('a', 1), noted('b', 2n), noted('c', 3), noted('d', 4), noted('e', 5)));
      see('their order', () => order.splice(0));
      see('the second fails', () => many(noted('a', 1), noted('b', 2), noted('c', 3)));
      see('their order then', () => order.splice(0));
      const failing = {
        valueOf: () => {
          throw new RangeError('of valueOf');
        },
      };
      see('an error of valueOf', () => many(noted('a', 1), failing, noted('c', 3)));
      see('their order at last', () => order);
    },
    'who they are'({ start, see }) {
      const other = start('identities').exports;
      const { exports } = start('twice', { m: { f: other.i32 } });
      see('exported twice', () => exports.f1 === exports.f2);
      see('exported on', () => exports.f3 === other.i32);
      see('its name', () => exports.f3);
      see('in a table', () => [0, 1, 2].map((index) => exports.table.get(index) === exports.f1));
      see('of another instance in a table', () => exports.table.get(1) === other.i32);
      see('in a global', () => exports.global.value === exports.f1);
      see('as a result', () => [0, 1].map((index) => exports.get(index)));
      see('the same as a result', () => exports.get(0) === exports.f1 && exports.get(1) === other.i32);
      see('through another module', () => other.func(exports.f1) === exports.f1);
      see('not of two instances', () => start('identities').exports.i32 === other.i32);
      const host = (n: number) => n + 1;
      const wrapped = start('twice', { m: { f: host } }).exports;
      see('of JavaScript', () => wrapped.f3);
      see('is not the one passed', () => (wrapped.f3 as unknown) === host);
      see('and is in the table', () => wrapped.table.get(1) === wrapped.f3);
      see('it works', () => wrapped.f3(4));
      const once = start('twice', { m: { f: host } }).exports.f3;
      see('another wrapping', () => once === wrapped.f3);
    },
    vectors({ start, see }) {
      const { exports } = start('vector');
      see('argument', () => exports.f(1));
      see('no argument', () => exports.f());
      see('result', () => exports.g());
      see('global', () => exports.v128.value);
    },
    'the exports object'({ start, see }) {
      const instance = start('identities');
      const { exports } = instance;
      see('the same', () => instance.exports === exports);
      see('frozen', () => Object.isFrozen(exports));
      see('prototype', () => Object.getPrototypeOf(exports));
      see('order', () => Object.keys(exports));
      see('a descriptor', () => Object.getOwnPropertyDescriptor(exports, 'i32'));
      see('assignment', () => {
        exports.f = exports.i32;
      });
      see('overwriting', () => {
        exports.i32 = exports.i64;
      });
      see('deletion', () => Reflect.deleteProperty(exports, 'i32'));
      see('assignment to the instance', () => {
        instance.exports = exports;
      });
      see('in a loop', () => {
        const names: string[] = [];
        for (const name in exports) names.push(name);
        return names;
      });
    },
  },
};
