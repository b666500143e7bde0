// Modules and shared memories in several threads.
import type { Area, Loose } from './trial.ts';

export const threads: Area = {
  name: 'threads',
  modules: {
    plain: `(module
      (func (export "f") (result i32) (i32.const 7))
      (func (export "g") unreachable)
      (func $h (export "h") (result i32) (i32.add (i32.const 1) (call $h))))`,
    shared: `(module
      (import "m" "memory" (memory 1 10 shared))
      (func (export "add") (param i32) (result i32)
        (loop $again
          (drop (i32.atomic.rmw.add (i32.const 16) (i32.const 1)))
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (i32.const 0))
      (func (export "read") (param i32) (result i32) (i32.atomic.load (local.get 0)))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "size") (result i32) (memory.size)))`,
  },
  scripts: {
    async 'a module in a worker'({ W, bytes, settled, inWorker }) {
      const module = new W.Module(bytes('plain'));
      for (const task of ['kind', 'exports', 'call', 'trap', 'exhaustion', 'a trap, then a call']) {
        await settled(task, () => inWorker(task, { module }));
      }
    },
    async 'several workers at once'({ W, bytes, settled, inWorker }) {
      const module = new W.Module(bytes('plain'));
      const tasks = ['call', 'trap', 'exhaustion', 'call'];
      await settled('all', () => Promise.all(tasks.map((task) => inWorker(task, { module }))));
    },
    async 'a shared memory'({ W, bytes, see, settled, inWorker }) {
      const memory = new W.Memory({ initial: 1, maximum: 10, shared: true });
      const module = new W.Module(bytes('shared'));
      const { exports } = new W.Instance(module, { m: { memory } });
      const working = ['add', 'add', 'add'].map((task) => inWorker(task, { module, memory }));
      see('here', () => exports.add(1000));
      await settled('there', () => Promise.all(working));
      see('sum', () => exports.read(16));
      see('seen by JavaScript', () => new Int32Array(memory.buffer as unknown as ArrayBuffer)[4]);
      await settled('grown there', () => inWorker('grow', { module, memory }));
      see('size here', () => [exports.size(), memory.buffer.byteLength]);
      see('the new page', () => exports.read(65536));
      see('grown here', () => exports.grow(1));
      see('unaligned', () => exports.read(3));
      see('size then', () => (memory.buffer as Loose).byteLength);
    },
  },
};
