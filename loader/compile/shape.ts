// What JavaScript has to know of a module: types, imports and exports, as numbers that are read where they are wanted,
// and names. runtime/wasm/shape.ts reads them.
//
//   0   types     place, count; there for each its place: number of parameters, of results, their value types
//   2   imports   place, count; each: kind, length of the module's name, of the name
//   4   functions place, count; each: type index          (imported ones first, here and below)
//   6   tables    place, count; each: element type, flags, min, max
//   8   memories  place, count; each: flags, min, max
//   10  globals   place, count; each: value type, mutable
//   12  tags      place, count; each: type index
//   14  exports   place, count; each: kind, index, length of the name, and a function's place among the references
//   16  where the names of exports begin
//
// Kinds are those of the binary format: 0 function, 1 table, 2 memory, 3 global, 4 tag. flags: 1 has a maximum,
// 2 shared, 4 64-bit. Limits are two numbers each, the lower 32 bits first. Lengths are in UTF-16 units; the names
// follow each other in UTF-8, a lone surrogate cannot be in them.
import type { ExternalKind, Limits, Module } from './module.ts';

const KIND: Record<ExternalKind, number> = { function: 0, table: 1, memory: 2, global: 3, tag: 4 };
const HEAD = 17;

function limitWords(limits: Limits): number[] {
  const flags = (limits.max === undefined ? 0 : 1) | (limits.shared ? 2 : 0) | (limits.is64 ? 4 : 0);
  const max = limits.max ?? 0;
  return [flags, limits.min >>> 0, Math.floor(limits.min / 2 ** 32), max >>> 0, Math.floor(max / 2 ** 32)];
}

export interface Shape {
  words: number[];
  names: Uint8Array;
}

export function moduleShape(module: Module, placeOf: (functionIndex: number) => number): Shape {
  const words: number[] = new Array(HEAD).fill(0);
  let names = '';
  const list = <T>(head: number, items: T[], write: (item: T) => number[]) => {
    words[head] = words.length;
    words[head + 1] = items.length;
    for (const item of items) for (const word of write(item)) words.push(word);
  };
  const typePlaces = module.types.map(({ params, results }) => {
    const at = words.length;
    words.push(params.length, results.length, ...params, ...results);
    return at;
  });
  list(0, typePlaces, (place) => [place]);
  list(2, module.imports, (item) => {
    names += item.module + item.name;
    return [KIND[item.kind], item.module.length, item.name.length];
  });
  words[16] = names.length;
  list(4, module.functions, ({ typeIndex }) => [typeIndex]);
  list(6, module.tables, ({ type }) => [type.element, ...limitWords(type)]);
  list(8, module.memories, limitWords);
  list(10, module.globals, ({ type }) => [type.type, type.mutable ? 1 : 0]);
  list(12, module.tags, ({ typeIndex }) => [typeIndex]);
  const exported: string[] = [];
  list(14, module.exports, ({ name, kind, index }) => {
    exported.push(name);
    return [KIND[kind], index, name.length, kind === 'function' ? placeOf(index) : 0];
  });
  return { words, names: new TextEncoder().encode(names + exported.join('')) };
}
