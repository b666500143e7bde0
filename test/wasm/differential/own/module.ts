// A whole random module: the world's sections and a body for each of its functions.
import type { ValueType } from '../../../../loader/compile/module.ts';
import { type Random, seededBytes } from '../random.ts';
import { writeBody } from './body.ts';
import { Code } from './code.ts';
import { allInstructions, byResult } from './operators.ts';
import { chooseWorld, FULL, type World } from './world.ts';

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** Aimed at what binaryen's fuzzer does not do; the same for the same numbers. */
export function ownModule(random: Random): Uint8Array {
  const world = chooseWorld(random);
  const instructions = byResult(allInstructions(world.features));
  const own = world.functions.slice(world.importedFunctions);
  // Before the types: blocks have some of their own.
  const bodies = own.map((type) =>
    writeBody(random, world, instructions, world.types[type] ?? { params: [], results: [] }),
  );
  const code = new Code().byte(...HEADER);
  code.section(1, (to) => to.list(world.types, (type) => to.functionType(type)));
  code.section(2, (to) => writeImports(to, world));
  code.section(3, (to) => to.list(own, (type) => to.u(type)));
  code.section(4, (to) => to.list(world.tables.filter(isOwn), (table) => writeTable(to, table)));
  code.section(5, (to) => to.list(world.memories.filter(isOwn), (memory) => writeMemory(to, memory)));
  if (world.tags.length > 0) code.section(13, (to) => to.list(world.tags, (type) => to.byte(0).u(type)));
  code.section(6, (to) =>
    to.list(world.globals.filter(isOwn), (global) =>
      writeGlobal(to, global, global === world.globals[world.fuel]),
    ),
  );
  const start = own.findIndex((type) => isPlain(world, type));
  if (start >= 0 && random.once(6)) code.section(8, (to) => to.u(world.importedFunctions + start));
  code.section(9, (to) => writeElements(to, world));
  code.section(12, (to) => to.u(world.data.length));
  code.section(10, (to) =>
    to.list(bodies, (body) => {
      to.u(body.length);
      for (const byte of body) to.bytes.push(byte);
    }),
  );
  code.section(11, (to) => writeData(to, world));
  return Uint8Array.from(code.bytes);
}

const isOwn = ({ imported }: { imported: boolean }): boolean => !imported;
const isPlain = (world: World, type: number): boolean =>
  world.types[type]?.params.length === 0 && world.types[type]?.results.length === 0;

function writeImports(to: Code, world: World): void {
  const writers: (() => void)[] = [
    ...world.functions.slice(0, world.importedFunctions).map((type) => () => to.byte(0).u(type)),
    ...world.tables.filter(({ imported }) => imported).map((table) => () => writeTable(to.byte(1), table)),
    ...world.memories
      .filter(({ imported }) => imported)
      .map((memory) => () => writeMemory(to.byte(2), memory)),
    ...world.globals
      .filter(({ imported }) => imported)
      .map(
        ({ type, mutable }) =>
          () =>
            to.byte(3, type, mutable ? 1 : 0),
      ),
  ];
  to.list([...writers.entries()], ([index, write]) => {
    to.name('own').name(`import${index}`);
    write();
  });
}

function writeTable(to: Code, { element, min, max }: World['tables'][number]): void {
  to.byte(element, 1).u(min).u(max);
}

function writeMemory(to: Code, { min, max, is64, shared }: World['memories'][number]): void {
  to.byte(1 | (shared ? 2 : 0) | (is64 ? 4 : 0))
    .u(min)
    .u(max);
}

function writeGlobal(
  to: Code,
  { type, mutable }: { type: ValueType; mutable: boolean },
  isFuel: boolean,
): void {
  to.byte(type, mutable ? 1 : 0);
  if (isFuel) to.byte(0x41).s(FULL);
  else to.zero(type);
  to.byte(0x0b);
}

function writeElements(to: Code, { elements, functions }: World): void {
  const all = [...functions.keys()];
  // Declarative: every function can be referred to.
  to.u(elements.length + 1)
    .byte(3, 0)
    .list(all, (index) => to.u(index));
  for (const { table, mode, functions: items } of elements) {
    if (mode === 'passive') to.byte(1, 0);
    else to.byte(2).u(table).byte(0x41).s(0).byte(0x0b, 0);
    to.list(items, (index) => to.u(index));
  }
}

/** Even ones are passive; the others are at the end of the first page, where there is one. */
function writeData(to: Code, { data, memories }: World): void {
  const [memory] = memories;
  to.list([...data.entries()], ([index, size]) => {
    const fits = (memory?.min ?? 0) * 65536 >= size;
    if (index % 2 === 0 || !fits) to.byte(1);
    else
      to.byte(0, memory?.is64 ? 0x42 : 0x41)
        .s((memory?.min ?? 0) * 65536 - size)
        .byte(0x0b);
    to.u(size);
    for (const byte of seededBytes(`data ${index} ${size}`, size)) to.bytes.push(byte);
  });
}
