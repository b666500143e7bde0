// What random modules import: functions that note what they are called with and answer from their seed, and those of
// binaryen's fuzzer that call back in.
import { decode } from '../../../loader/compile/decode.ts';
import { type FunctionType, type Import, type Limits, ValueType } from '../../../loader/compile/module.ts';
import type { Random } from './random.ts';
import { argumentOf, references, show } from './values.ts';

type AnyFunction = (...args: unknown[]) => unknown;

/** The namespace of the WebAssembly JavaScript interface, as far as it is used here: V8's or insitu's. */
export interface Namespace {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: Record<string, unknown> };
  Memory: new (type: object) => { buffer: ArrayBuffer };
  Table: new (
    type: object,
  ) => { length: number; get(index: number): unknown; set(index: number, value: unknown): void };
  Global: new (type: object, value: unknown) => { value: unknown };
  Tag: new (type: { parameters: string[] }) => object;
  Exception: abstract new (...args: never[]) => object;
  RuntimeError: abstract new (...args: never[]) => object;
}

/** Where the run notes what happens, and what calls back in are about. */
export interface Stage {
  note(line: string): void;
  readonly functions: AnyFunction[];
  table:
    | { length: number; get(index: number): unknown; set(index: number, value: unknown): void }
    | undefined;
  /** Calls into the module that are under way, and how many calls out there may still be. */
  depth: number;
  calls: number;
  describe(error: unknown): string;
}

const MOST_DEPTH = 8;

const TYPE_NAMES: Partial<Record<ValueType, string>> = {
  [ValueType.i32]: 'i32',
  [ValueType.i64]: 'i64',
  [ValueType.f32]: 'f32',
  [ValueType.f64]: 'f64',
  [ValueType.v128]: 'v128',
  [ValueType.funcref]: 'anyfunc',
  [ValueType.externref]: 'externref',
};

/** Everything that a module imports. */
export function importsFor(bytes: Uint8Array, W: Namespace, random: Random, stage: Stage): object {
  const { imports, types } = decode(bytes);
  const modules: Record<string, Record<string, unknown>> = {};
  for (const item of imports) {
    modules[item.module] ??= {};
    (modules[item.module] as Record<string, unknown>)[item.name] = make(item, types, W, random, stage);
  }
  return modules;
}

function make(item: Import, types: FunctionType[], W: Namespace, random: Random, stage: Stage): unknown {
  switch (item.kind) {
    case 'function':
      return hostFunction(item.name, types[item.typeIndex] as FunctionType, random, stage);
    case 'global':
      return global(item.type, W, random);
    case 'memory':
      return new W.Memory(limits(item.type));
    case 'table': {
      const element = item.type.element === ValueType.externref ? 'externref' : 'anyfunc';
      return new W.Table({ element, ...limits(item.type) });
    }
    case 'tag':
      return new W.Tag({
        parameters: (types[item.typeIndex] as FunctionType).params.map((type) => TYPE_NAMES[type] ?? ''),
      });
  }
}

function limits({ min, max, shared, is64 }: Limits): object {
  const count = (value: number) => (is64 ? BigInt(value) : value);
  return {
    initial: count(min),
    ...(max === undefined ? {} : { maximum: count(max) }),
    ...(shared ? { shared } : {}),
    ...(is64 ? { address: 'i64' } : {}),
  };
}

function global(
  { type, mutable }: { type: ValueType; mutable: boolean },
  W: Namespace,
  random: Random,
): unknown {
  const value = argumentOf(type, random, []);
  return mutable || random.once(2) ? new W.Global({ value: TYPE_NAMES[type], mutable }, value) : value;
}

function hostFunction(name: string, type: FunctionType, random: Random, stage: Stage): AnyFunction {
  const act = ACTIONS[name];
  return (...args) => {
    stage.note(`  ${name}(${args.map(show).join(', ')})`);
    const acted = stage.calls-- > 0 ? act?.(stage, args) : undefined;
    if (acted !== undefined && type.results.length === 1) return acted;
    const results = type.results.map((result) => argumentOf(result, random, stage.functions));
    return results.length > 1 ? results : results[0];
  };
}

/** By the names that binaryen's fuzzer gives them. An answer counts where one result is wanted. */
const ACTIONS: Record<string, (stage: Stage, args: unknown[]) => unknown> = {
  'call-export': (stage, [index]) => callBack(stage, stage.functions[at(index, stage.functions)]),
  'call-export-catch': (stage, [index]) =>
    catching(stage, () => callBack(stage, stage.functions[at(index, stage.functions)])),
  'call-ref': (stage, [reference]) => callBack(stage, reference as AnyFunction | null),
  'call-ref-catch': (stage, [reference]) =>
    catching(stage, () => callBack(stage, reference as AnyFunction | null)),
  'table-get': ({ table }, [index]) => table?.get((index as number) >>> 0),
  'table-set': ({ table }, [index, value]) => table?.set((index as number) >>> 0, value),
  sleep: (_, [, id]) => id,
  throw: () => {
    throw references[2];
  },
  rethrow: (_, [what]) => {
    throw what;
  },
};

const at = (index: unknown, list: unknown[]): number => (list.length === 0 ? 0 : Number(index) % list.length);

function callBack(stage: Stage, callee: AnyFunction | null | undefined): undefined {
  if (typeof callee !== 'function' || stage.depth >= MOST_DEPTH) return;
  stage.depth++;
  try {
    const results = callee(...Array.from({ length: callee.length }, () => 0));
    stage.note(`  called back: ${show(results)}`);
  } finally {
    stage.depth--;
  }
}

function catching(stage: Stage, call: () => void): number {
  try {
    call();
    return 0;
  } catch (error) {
    stage.note(`  caught ${stage.describe(error)}`);
    return 1;
  }
}
