// What JavaScript has to know of a module: types, imports and exports, as one list of numbers and one of names.
// runtime/wasm/shape.ts reads them.
//
//   types     count, then of each: number of parameters, of results, their value types
//   imports   count, then of each: kind, length of the module's name, of the name
//   functions count, then of each: type index          (imported ones first, here and below)
//   tables    count, then of each: element type, flags, min, max
//   memories  count, then of each: flags, min, max
//   globals   count, then of each: value type, mutable
//   tags      count, then of each: type index
//   exports   count, then of each: kind, index, length of the name, and a function's place among the references
//
// Kinds are those of the binary format: 0 function, 1 table, 2 memory, 3 global, 4 tag. flags: 1 has a maximum,
// 2 shared, 4 64-bit. Limits are two numbers each, the lower 32 bits first. Lengths are in UTF-16 units; the names
// follow each other in UTF-8.
import type { ExternalKind, Limits, Module } from './module.ts';

const KIND: Record<ExternalKind, number> = { function: 0, table: 1, memory: 2, global: 3, tag: 4 };

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
  const words: number[] = [];
  let names = '';
  const list = <T>(items: T[], write: (item: T) => number[]) => {
    words.push(items.length);
    for (const item of items) for (const word of write(item)) words.push(word);
  };
  list(module.types, ({ params, results }) => [params.length, results.length, ...params, ...results]);
  list(module.imports, (item) => {
    names += item.module + item.name;
    return [KIND[item.kind], item.module.length, item.name.length];
  });
  list(module.functions, ({ typeIndex }) => [typeIndex]);
  list(module.tables, ({ type }) => [type.element, ...limitWords(type)]);
  list(module.memories, limitWords);
  list(module.globals, ({ type }) => [type.type, type.mutable ? 1 : 0]);
  list(module.tags, ({ typeIndex }) => [typeIndex]);
  list(module.exports, ({ name, kind, index }) => {
    names += name;
    return [KIND[kind], index, name.length, kind === 'function' ? placeOf(index) : 0];
  });
  return { words, names: new TextEncoder().encode(names) };
}
