// compile, instantiate and validate: their overloads, what they answer and reject with, and when.
import type { Area } from './trial.ts';

const notBytes: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['5', 5],
  ['text', 'text'],
  ['an object', {}],
  ['an array', [0, 0x61, 0x73, 0x6d]],
  ['an empty buffer', new ArrayBuffer(0)],
  ['an empty array', new Uint8Array(0)],
  ['zeros', new Uint8Array(8)],
  ['the magic only', new Uint8Array([0, 0x61, 0x73, 0x6d])],
  ['version 2', new Uint8Array([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0])],
  ['an unknown section', new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0x7f, 0])],
  ['cut short', new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1])],
];

export const promises: Area = {
  name: 'promises',
  modules: {
    plain: `(module (func (export "f") (result i32) (i32.const 7)))`,
    importing: `(module (import "m" "f" (func $f)) (start $f) (func (export "g") (result i32) (i32.const 8)))`,
    trapping: `(module (func $f unreachable) (start $f))`,
    'out of bounds': `(module (memory 1) (data (i32.const 65536) "x"))`,
    'out of the table': `(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))`,
    partial: `(module
      (import "m" "memory" (memory 1)) (import "m" "table" (table 1 funcref))
      (func $f (export "f") (result i32) (i32.const 6))
      (elem (i32.const 0) $f)
      (data (i32.const 0) "one") (data (i32.const 65535) "two"))`,
  },
  scripts: {
    async 'what is not bytes'({ W, see, settled }) {
      for (const [label, value] of notBytes) {
        see(`validate ${label}`, () => W.validate(value));
        see(`new Module ${label}`, () => new W.Module(value));
        await settled(`compile ${label}`, () => W.compile(value));
        await settled(`instantiate ${label}`, () => W.instantiate(value));
      }
      see('validate nothing', () => W.validate());
      await settled('compile nothing', () => W.compile());
      await settled('instantiate nothing', () => W.instantiate());
    },
    async 'kinds of bytes'({ W, bytes, see, settled }) {
      const plain = bytes('plain');
      const padded = new Uint8Array(plain.length + 10);
      padded.set(plain, 5);
      const shared = new Uint8Array(new SharedArrayBuffer(plain.length));
      shared.set(plain);
      const kinds: [string, unknown][] = [
        ['Uint8Array', plain],
        ['ArrayBuffer', plain.buffer.slice(plain.byteOffset, plain.byteOffset + plain.length)],
        ['a part', padded.subarray(5, 5 + plain.length)],
        ['DataView', new DataView(padded.buffer, 5, plain.length)],
        ['Int8Array', new Int8Array(padded.buffer, 5, plain.length)],
        ['Buffer', Buffer.from(plain)],
        ['a shared one', shared],
        ['a shared buffer', shared.buffer],
      ];
      for (const [label, kind] of kinds) {
        see(`validate ${label}`, () => W.validate(kind));
        see(`new Module ${label}`, () => new W.Module(kind));
        await settled(`compile ${label}`, () => W.compile(kind));
        await settled(`instantiate ${label}`, () => W.instantiate(kind));
      }
    },
    async instantiate({ W, bytes, see, settled }) {
      const both = await settled('of bytes', () => W.instantiate(bytes('plain')));
      see('keys', () => Object.keys(both));
      see('prototype', () => Object.getPrototypeOf(both) === Object.prototype);
      see('call', () => both.instance.exports.f());
      see('of its module', () => new W.Instance(both.module).exports.f());
      const one = await settled('of a module', () => W.instantiate(both.module));
      see('is an Instance', () => (one as object) instanceof W.Instance);
      see('call that', () => one.exports.f());
      await settled('imports 5', () => W.instantiate(bytes('plain'), 5));
      await settled('imports null', () => W.instantiate(bytes('plain'), null));
      await settled('of a module, imports 5', () => W.instantiate(both.module, 5));
      await settled('no imports', () => W.instantiate(bytes('importing')));
      await settled('no module of imports', () => W.instantiate(bytes('importing'), {}));
      await settled('no field', () => W.instantiate(bytes('importing'), { m: {} }));
      await settled('of a module, no field', () =>
        W.instantiate(new W.Module(bytes('importing')), { m: {} }),
      );
      await settled('a wrong field', () => W.instantiate(bytes('importing'), { m: { f: 5 } }));
      await settled('a trap at start', () => W.instantiate(bytes('trapping')));
      await settled('of a module, a trap at start', () => W.instantiate(new W.Module(bytes('trapping'))));
      const f = () => {
        throw new EvalError('of start');
      };
      await settled('an error at start', () => W.instantiate(bytes('importing'), { m: { f } }));
      await settled('data out of bounds', () => W.instantiate(bytes('out of bounds')));
      await settled('elements out of bounds', () => W.instantiate(bytes('out of the table')));
      see('new Instance, a trap', () => new W.Instance(new W.Module(bytes('trapping'))));
      see('new Instance, data', () => new W.Instance(new W.Module(bytes('out of bounds'))));
      see('new Instance, elements', () => new W.Instance(new W.Module(bytes('out of the table'))));
    },
    async 'order in time'({ W, bytes, see }) {
      const order: string[] = [];
      const imports = {
        get m() {
          order.push('imports read');
          return { f: () => order.push('started') };
        },
      };
      const changing = Uint8Array.from(bytes('importing'));
      const promise = W.instantiate(changing, imports) as unknown as Promise<unknown>;
      changing.fill(0); // what is compiled is what was there when it was called
      order.push('returned');
      await promise.then(
        () => order.push('done'),
        (error: Error) => order.push(error.message),
      );
      see('of bytes', () => order.splice(0));
      const module = new W.Module(bytes('importing'));
      const second = W.instantiate(module, imports) as unknown as Promise<unknown>;
      order.push('returned');
      await second;
      order.push('done');
      see('of a module', () => order.splice(0));
    },
    'what a failed start leaves'({ W, bytes, see }) {
      const memory = new W.Memory({ initial: 1 });
      const table = new W.Table({ initial: 1, element: 'anyfunc' });
      see('fails', () => new W.Instance(new W.Module(bytes('partial')), { m: { memory, table } }));
      see('the first segment', () => [...new Uint8Array(memory.buffer as unknown as ArrayBuffer, 0, 4)]);
      see('the second', () => new Uint8Array(memory.buffer as unknown as ArrayBuffer)[65535]);
      see('the element', () => table.get(0));
      see('works', () => (table.get(0) as Loose)());
    },
    async 'several at once'({ W, bytes, settled }) {
      const all = () =>
        Promise.all([1, 2, 3].map(() => W.instantiate(bytes('plain')) as unknown as Promise<unknown>));
      await settled('three', all);
      await settled('then', () =>
        (W.compile(bytes('plain')) as unknown as Promise<unknown>).then(() => 'compiled'),
      );
    },
  },
};
type Loose = () => unknown;
