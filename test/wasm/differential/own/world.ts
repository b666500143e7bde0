// What a random module declares, before its bodies: chosen so that bodies find something for everything.
import { type FunctionType, ValueType as V, type ValueType } from '../../../../loader/compile/module.ts';
import { has } from '../features.ts';
import type { Random } from '../random.ts';

export interface World {
  types: FunctionType[];
  /** Type indices; the imported ones first. */
  functions: number[];
  importedFunctions: number;
  globals: { type: ValueType; mutable: boolean; imported: boolean }[];
  /** The global that ends endless loops. */
  fuel: number;
  tables: { element: ValueType; min: number; max: number; imported: boolean }[];
  memories: { min: number; max: number; is64: boolean; shared: boolean; imported: boolean }[];
  /** Type indices. */
  tags: number[];
  /** Sizes of data segments and of element segments; even ones are passive. */
  data: number[];
  elements: { table: number; functions: number[]; mode: 'active' | 'passive' }[];
  /** Every value type that may be met. */
  values: ValueType[];
  features: { simd: boolean; threads: boolean; tailCall: boolean; exceptions: 'legacy' | 'exnref' | 'none' };
}

/** What the global that ends endless loops begins with. */
export const FULL = 300;

export function chooseWorld(random: Random): World {
  const features: World['features'] = {
    simd: random.once(3),
    threads: has('threads') && random.once(4),
    tailCall: has('tail-call') && !random.once(3),
    exceptions: exceptions(random),
  };
  const values: ValueType[] = [V.i32, V.i32, V.i64, V.i64, V.f32, V.f64, V.funcref, V.externref];
  if (features.simd) values.push(V.v128, V.v128);
  const types = chooseTypes(random, values);
  const importedFunctions = 1 + random.below(3);
  const functions = Array.from({ length: importedFunctions + 3 + random.below(6) }, () =>
    random.below(types.length),
  );
  const tables = chooseTables(random);
  return {
    types,
    functions,
    importedFunctions,
    ...chooseGlobals(random, values),
    tables,
    memories: chooseMemories(random, features.threads),
    tags: features.exceptions === 'none' ? [] : chooseTags(random, types),
    data: Array.from({ length: 2 + random.below(4) }, () => random.below(random.once(4) ? 70000 : 40)),
    elements: chooseElements(random, tables, functions.length),
    values,
    features,
  };
}

function exceptions(random: Random): World['features']['exceptions'] {
  if (random.once(2)) return 'none';
  if (has('exception-handling') && random.once(2)) return 'exnref';
  return has('legacy-exceptions') ? 'legacy' : 'none';
}

const someTypes = (random: Random, values: ValueType[], most: number): ValueType[] =>
  Array.from({ length: random.below(most + 1) }, () => random.pick(values));

/** Few different lists of results: tail calls find others of their own. The last three are () -> (), and for tags. */
function chooseTypes(random: Random, values: ValueType[]): FunctionType[] {
  const results = [
    [],
    [random.pick(values)],
    someTypes(random, values, 3),
    someTypes(random, values, random.once(8) ? 20 : 4),
  ];
  const types = Array.from({ length: 4 + random.below(6) }, () => ({
    params: someTypes(random, values, random.once(5) ? 40 : 4),
    results: random.pick(results),
  }));
  return [
    ...types,
    { params: [], results: [] },
    // An exception with a vector is none that JavaScript can make.
    { params: someTypes(random, values, 3).filter((type) => type !== V.v128), results: [] },
    { params: [V.i32], results: [] },
  ];
}

const chooseTags = (random: Random, types: FunctionType[]): number[] =>
  Array.from({ length: 1 + random.below(3) }, () => types.length - 1 - random.below(3));

/** Those that JavaScript can make can be imported. */
function chooseGlobals(random: Random, values: ValueType[]): Pick<World, 'globals' | 'fuel'> {
  const chosen = [...new Set(values)].flatMap((type) =>
    Array.from({ length: 1 + random.below(2) }, () => ({
      type,
      mutable: !random.once(5),
      imported: type !== V.v128 && random.once(5),
    })),
  );
  const imported = chosen.filter((global) => global.imported);
  const fuel = { type: V.i32, mutable: true, imported: false };
  const own = chosen.filter((global) => !global.imported);
  return { globals: [...imported, fuel, ...own], fuel: imported.length };
}

function chooseTables(random: Random): World['tables'] {
  const limits = () => ({ min: random.below(12), max: 12 + random.below(20) });
  const tables = [V.funcref, V.externref, V.funcref].map((element) => ({
    element,
    ...limits(),
    imported: random.once(5),
  }));
  return tables.sort((a, b) => Number(b.imported) - Number(a.imported));
}

function chooseMemories(random: Random, threads: boolean): World['memories'] {
  const count = has('multimemory') && random.once(2) ? 2 : 1;
  const memories = Array.from({ length: count }, () => {
    const is64 = has('memory64 alone') && random.once(3);
    const shared = threads && random.once(2);
    // How JavaScript makes one with 64-bit addresses differs between versions.
    return {
      min: random.below(3),
      max: 3 + random.below(2),
      is64,
      shared,
      imported: !is64 && random.once(5),
    };
  });
  return memories.sort((a, b) => Number(b.imported) - Number(a.imported));
}

function chooseElements(random: Random, tables: World['tables'], functions: number): World['elements'] {
  return Array.from({ length: 2 + random.below(3) }, () => {
    const table = tables.findIndex(({ element }) => element === V.funcref);
    const most = tables[table]?.min ?? 0;
    const active = random.once(2);
    return {
      table,
      mode: active ? ('active' as const) : ('passive' as const),
      functions: Array.from({ length: random.below((active ? most : 8) + 1) }, () => random.below(functions)),
    };
  });
}
