// The namespace and its classes as objects: names, lengths, descriptors, what happens without `new`.
import { inspect } from 'node:util';
import type { Area, Loose, Trial } from './trial.ts';

const classes = [
  'Module',
  'Instance',
  'Memory',
  'Table',
  'Global',
  'Tag',
  'Exception',
  'CompileError',
  'LinkError',
  'RuntimeError',
] as const;

function describe(object: object, key: string | symbol): string {
  const descriptor = Object.getOwnPropertyDescriptor(object, key);
  if (!descriptor) return 'none';
  const flags = `${descriptor.writable ? 'w' : '-'}${descriptor.enumerable ? 'e' : '-'}${descriptor.configurable ? 'c' : '-'}`;
  const show = (part: unknown) =>
    typeof part === 'function'
      ? `${part.name}/${part.length}`
      : typeof part === 'string'
        ? part
        : typeof part;
  return 'value' in descriptor
    ? `${flags} ${show(descriptor.value)}`
    : `${flags} get ${show(descriptor.get)} set ${show(descriptor.set)}`;
}

// Functions of V8's own have these of a time before strict mode, and no way of making functions in JavaScript gives them;
// hasInstance is how an object of V8's and one of another implementation can be of one class.
const unlikeAnyway = new Set<string | symbol>(['arguments', 'caller', Symbol.hasInstance]);
const keysOf = (object: object) => Reflect.ownKeys(object).filter((key) => !unlikeAnyway.has(key));

function seeMembers({ see }: Trial, label: string, object: object): void {
  for (const key of keysOf(object)) see(`${label} ${String(key)}`, () => describe(object, key));
}

const instances = (trial: Trial): [string, () => Loose][] => [
  ['Module', () => new trial.W.Module(trial.bytes('small'))],
  ['Instance', () => trial.start('small')],
  ['Memory', () => new trial.W.Memory({ initial: 1 })],
  ['Table', () => new trial.W.Table({ initial: 1, element: 'anyfunc' })],
  ['Global', () => new trial.W.Global({ value: 'i32' })],
];

export const shape: Area = {
  name: 'shape',
  modules: {
    small: `(module (func (export "f") (result i32) (i32.const 7)))`,
    many: `(module
      (import "m" "f" (func (param i32 i64) (result f32)))
      (import "m" "g" (global i64))
      (import "n" "h" (memory 1 2))
      (import "n" "t" (table 1 funcref))
      (func (export "f1"))
      (global (export "g1") (mut i32) (i32.const 0))
      (export "memory2" (memory 0))
      (table (export "t1") 1 externref)
      (func (export "") (param i32))
      (@custom "first" "\\01\\02")
      (@custom "other" "")
      (@custom "first" "\\03"))`,
  },
  scripts: {
    namespace(trial) {
      const { W, see } = trial;
      see('type', () => typeof W);
      see('tag', () => Object.prototype.toString.call(W));
      see('prototype', () => Object.getPrototypeOf(W) === Object.prototype);
      see('keys', () => Reflect.ownKeys(W).map(String));
      see('in a loop', () => Object.keys(W));
      for (const name of [...classes, 'compile', 'instantiate', 'validate', 'compileStreaming', 'JSTag']) {
        see(`W.${name}`, () => describe(W, name));
      }
    },
    classes(trial) {
      for (const name of classes) {
        const found = trial.W[name];
        if (!found) continue;
        trial.see(`${name} keys`, () => keysOf(found).map(String));
        trial.see(`${name}.prototype keys`, () => keysOf(found.prototype).map(String));
        seeMembers(trial, name, found);
        seeMembers(trial, `${name}.prototype`, found.prototype);
      }
    },
    'without new'({ W, see }) {
      for (const name of classes) see(name, () => W[name]?.());
    },
    'without arguments'({ W, see }) {
      for (const name of classes) see(`new ${name}`, () => new W[name]());
      for (const name of classes) see(`new ${name} of null`, () => new W[name](null));
      for (const name of classes) see(`new ${name} of an object`, () => new W[name]({}));
    },
    instances(trial) {
      for (const [name, make] of instances(trial)) {
        const made = make();
        trial.see(`${name} tag`, () => Object.prototype.toString.call(made));
        trial.see(`${name} own keys`, () => Reflect.ownKeys(made).map(String));
        trial.see(`${name} extensible`, () => Object.isExtensible(made));
        trial.see(`${name} instanceof`, () => (made as object) instanceof trial.W[name as 'Module']);
        trial.see(`${name} constructor`, () => made.constructor === trial.W[name as 'Module']);
        trial.see(`${name} as text`, () => String(made));
        trial.see(`${name} inspected`, () => inspect(made));
        trial.see(`${name} as JSON`, () => JSON.stringify(made));
        trial.see(`${name} without its prototype`, () => {
          Object.setPrototypeOf(made, null);
          return Reflect.ownKeys(made).length;
        });
      }
    },
    'getters on other objects'({ W, see }) {
      const getter = (name: 'Memory' | 'Table' | 'Global' | 'Instance', key: string) =>
        Object.getOwnPropertyDescriptor(W[name].prototype, key)?.get;
      see('Memory buffer', () => getter('Memory', 'buffer')?.call({}));
      see('Table length', () => getter('Table', 'length')?.call(1));
      see('Global value', () => getter('Global', 'value')?.call({}));
      see('Instance exports', () => getter('Instance', 'exports')?.call({}));
      see('Memory grow', () => W.Memory.prototype.grow.call({}, 1));
      see('Table get', () => W.Table.prototype.get.call({}, 1));
    },
    'module sections'({ W, bytes, see }) {
      const module = new W.Module(bytes('many'));
      see('imports', () => W.Module.imports(module));
      see('exports', () => W.Module.exports(module));
      see('import keys', () => Object.keys(W.Module.imports(module)).join());
      see('a fresh list', () => Object.is(W.Module.exports(module), W.Module.exports(module)));
      see('first', () => W.Module.customSections(module, 'first'));
      see('other', () => W.Module.customSections(module, 'other'));
      see('absent', () => W.Module.customSections(module, 'absent'));
      see('no name', () => W.Module.customSections(module));
      see('undefined name', () => W.Module.customSections(module, undefined));
      see('number name', () => W.Module.customSections(module, 7));
      see('exports of no module', () => W.Module.exports({}));
      see('imports of nothing', () => W.Module.imports());
      see('customSections of no module', () => W.Module.customSections(3, 'a'));
    },
    subclasses({ W, bytes, see }) {
      class Own extends W.Module {}
      class OwnMemory extends W.Memory {}
      class OwnInstance extends W.Instance {}
      const module = new Own(bytes('small'));
      see('Module', () => Object.getPrototypeOf(module) === Own.prototype);
      see('its exports', () => W.Module.exports(module));
      see('Memory', () => Object.getPrototypeOf(new OwnMemory({ initial: 1 })) === OwnMemory.prototype);
      see('Instance', () => Object.getPrototypeOf(new OwnInstance(module)) === OwnInstance.prototype);
      see('its call', () => new OwnInstance(module).exports.f());
    },
    'structured clones'({ W, bytes, see, start }) {
      const clone = structuredClone(new W.Module(bytes('small')) as object) as Loose;
      see('is a Module', () => (clone as object) instanceof W.Module);
      see('its exports', () => W.Module.exports(clone));
      see('its call', () => new W.Instance(clone).exports.f());
      see('of an instance', () => structuredClone(start('small')));
      see('of a function', () => structuredClone(start('small').exports.f));
      see('of a table', () => structuredClone(new W.Table({ initial: 1, element: 'anyfunc' })));
      see('of a global', () => structuredClone(new W.Global({ value: 'i32' })));
      see('of a memory', () => structuredClone(new W.Memory({ initial: 1 })));
      const module = new W.Module(bytes('small'));
      const deep = structuredClone({ list: [module, module] }) as unknown as { list: [Loose, Loose] };
      see('of a module in others', () => new W.Instance(deep.list[1]).exports.f());
      see('one twice', () => deep.list[0] === deep.list[1]);
      see('a clone of a clone', () => new W.Instance(structuredClone(deep.list[0])).exports.f());
      see('a clone looks like one', () => inspect(deep.list[0]));
    },
    errors({ W, see }) {
      for (const name of ['CompileError', 'LinkError', 'RuntimeError'] as const) {
        const error = new W[name]('text', { cause: 3 });
        see(`${name} is an Error`, () => (error as object) instanceof Error);
        see(`${name} name`, () => error.name);
        see(`${name} text`, () => String(error));
        see(`${name} cause`, () => (error as unknown as Error).cause);
        see(`${name} parent`, () => Object.getPrototypeOf(W[name]) === Error);
      }
    },
  },
};
