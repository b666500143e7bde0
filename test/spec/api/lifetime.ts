// What must live on when only one thing of an instance is still held.
import type { Area, Loose, Trial } from './trial.ts';

async function rounds({ collect }: Trial, make: () => unknown): Promise<void> {
  for (let round = 0; round < 20; round++) make();
  await collect();
}

export const lifetime: Area = {
  name: 'lifetime',
  modules: {
    counter: `(module
      (memory (export "memory") 1)
      (table (export "table") 2 funcref)
      (elem (i32.const 0) $next)
      (global (export "global") (mut i32) (i32.const 5))
      (func $next (export "f") (result i32)
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
        (global.set 0 (i32.add (global.get 0) (i32.const 1)))
        (i32.load (i32.const 0)))
      (func (export "any") (param externref) (result externref) (local.get 0)))`,
    user: `(module
      (type $t (func (result i32)))
      (import "m" "f" (func $f (result i32)))
      (import "m" "table" (table 1 funcref))
      (func (export "f") (result i32) (call $f))
      (func (export "g") (result i32) (call_indirect (type $t) (i32.const 0))))`,
    holder: `(module
      (table $t (export "table") 1 externref)
      (global $g (mut externref) (ref.null extern))
      (func (export "set") (param externref)
        (table.set $t (i32.const 0) (local.get 0)) (global.set $g (local.get 0)))
      (func (export "get") (result externref) (global.get $g))
      (func (export "f") (result externref) (table.get $t (i32.const 0))))`,
  },
  scripts: {
    async 'only the function'(trial) {
      const { f } = trial.start('counter').exports;
      await rounds(trial, () => trial.start('counter').exports.f());
      for (let turn = 0; turn < 3; turn++) trial.see(`call ${turn}`, () => f());
    },
    async 'only the memory'(trial) {
      const { memory, f } = trial.start('counter').exports;
      f();
      const kept = { memory };
      await rounds(trial, () => trial.start('counter').exports.f());
      trial.see('content', () => new Int32Array(kept.memory.buffer as unknown as ArrayBuffer)[0]);
      trial.see('grows', () => kept.memory.grow(1));
    },
    async 'only the buffer'(trial) {
      const view = new Int32Array(trial.start('counter').exports.memory.buffer as unknown as ArrayBuffer);
      view[100] = 7;
      await rounds(trial, () => trial.start('counter'));
      trial.see('content', () => [view[100], view.length]);
    },
    async 'only the table'(trial) {
      const { table } = trial.start('counter').exports;
      await rounds(trial, () => trial.start('counter').exports.f());
      trial.see('its function', () => (table.get(0) as unknown as () => unknown)());
      trial.see('again', () => (table.get(0) as unknown as () => unknown)());
      trial.see('identity', () => Object.is(table.get(0), table.get(0)));
    },
    async 'only the global'(trial) {
      const { global } = trial.start('counter').exports;
      await rounds(trial, () => trial.start('counter').exports.f());
      trial.see('value', () => global.value);
      global.value = 8 as unknown as Loose;
      trial.see('written', () => global.value);
    },
    async 'only who imports it'(trial) {
      const { f, g } = trial.start('user', { m: trial.start('counter').exports }).exports;
      await rounds(trial, () => trial.start('user', { m: trial.start('counter').exports }).exports.g());
      trial.see('through an import', () => f());
      trial.see('through a table', () => g());
      trial.see('the same instance', () => f());
    },
    async 'only a table of another'(trial) {
      const { W, see, start } = trial;
      const table = new W.Table({ initial: 1, element: 'anyfunc' });
      table.set(0, start('counter').exports.f);
      await rounds(trial, () => start('counter').exports.f());
      see('call', () => (table.get(0) as unknown as () => unknown)());
      const { g } = start('user', { m: { f: () => 1, table } }).exports;
      await rounds(trial, () => start('counter').exports.f());
      see('from compiled code', () => g());
    },
    async 'values of JavaScript'(trial) {
      const { start, see } = trial;
      const { exports } = start('holder');
      exports.set({ own: 'kept' });
      await rounds(trial, () => start('holder').exports.set({ own: 'other' }));
      see('in a global', () => exports.get());
      see('in a table', () => exports.f());
      see('the same', () => Object.is(exports.get(), exports.table.get(0)));
    },
    async 'values of JavaScript are let go'(trial) {
      const { start, see, collect } = trial;
      const { exports } = start('counter');
      const references: WeakRef<object>[] = [];
      for (let round = 0; round < 200; round++) {
        const value = { round };
        references.push(new WeakRef(value));
        exports.any(value);
      }
      await collect();
      await collect();
      see('most of them', () => references.filter((reference) => reference.deref()).length < 20);
    },
    async 'instances are let go'(trial) {
      const { start, see, collect } = trial;
      const references: WeakRef<object>[] = [];
      for (let round = 0; round < 100; round++) {
        const instance = start('counter');
        instance.exports.f();
        references.push(new WeakRef(instance));
      }
      await collect();
      await collect();
      see('most of them', () => references.filter((reference) => reference.deref()).length < 20);
    },
    async 'memories are let go'(trial) {
      const { start, see, collect } = trial;
      const references: WeakRef<object>[] = [];
      for (let round = 0; round < 60; round++) {
        references.push(new WeakRef(start('counter').exports.memory));
        if (round % 20 === 0) await collect();
      }
      await collect();
      await collect();
      see('most of them', () => references.filter((reference) => reference.deref()).length < 20);
    },
  },
};
