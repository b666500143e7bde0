// Validates a decoded module (core specification 3.5). Everything that is instructions is in validate/.
import {
  type ElementSegment,
  type ExternalKind,
  type Limits,
  type Module,
  ModuleError,
  UnsupportedFeature,
  ValueType,
} from './module.ts';
import { body } from './validate/body.ts';
import { constant } from './validate/constant.ts';
import { Typing, typeName } from './validate/typing.ts';

const MAX_PAGES = 2 ** 16;
const MAX_PAGES_64 = 2 ** 48;

/**
 * Returns if the module is valid.
 * @throws ModuleError with the specification's text, the place and the offset
 * @throws UnsupportedFeature at the first use of something that is not compiled
 */
export function validate(module: Module): void {
  checkIndices(module);
  module.memories.forEach((type, index) => {
    checkMemory(type, index);
  });
  const t = new Typing(module);
  // Constant expressions before bodies: they declare functions for ref.func.
  checkTables(t);
  checkGlobals(t);
  checkElements(t);
  checkData(t);
  checkExports(t);
  checkStart(module);
  module.bodies.forEach((each, index) => {
    body(t, module.imported.functions + index, each);
  });
}

function fail(text: string, offset = 0): never {
  throw new ModuleError(text, offset);
}

function checkIndices({ types, functions, tags }: Module): void {
  functions.forEach(({ typeIndex }, index) => {
    if (typeIndex >= types.length) fail(`unknown type ${typeIndex} of function ${index}`);
  });
  tags.forEach(({ typeIndex }, index) => {
    const type = types[typeIndex] ?? fail(`unknown type ${typeIndex} of tag ${index}`);
    if (type.results.length > 0) fail(`non-empty tag result type of tag ${index}`);
    // No exception that leaves for JavaScript can be made with such a value (WebAssembly.Exception throws a TypeError).
    if (type.params.some((param) => param === ValueType.v128 || param === ValueType.exnref))
      throw new UnsupportedFeature('opaque-exception-payload', 0);
  });
}

function checkMemory({ min, max, shared, is64 }: Limits, index: number): void {
  const most = is64 ? MAX_PAGES_64 : MAX_PAGES;
  const largest = Math.max(min, max ?? 0);
  const bytes = is64 ? '16 EiB' : '4GiB';
  if (largest > most)
    fail(`memory size must be at most ${most} pages (${bytes}): memory ${index} has ${largest}`);
  if (shared && max === undefined) fail(`shared memory must have maximum: memory ${index}`);
}

function checkTables(t: Typing): void {
  const { tables, imported } = t.module;
  tables.forEach(({ type, init }, index) => {
    if (init) constant(t, init, type.element, imported.globals, 'table', index);
  });
}

function checkGlobals(t: Typing): void {
  t.module.globals.forEach(({ type, init }, index) => {
    if (init) constant(t, init, type.type, index, 'global', index);
  });
}

function checkElements(t: Typing): void {
  const { elements, tables, globals } = t.module;
  elements.forEach((segment, index) => {
    const { mode, type } = segment;
    if (mode.kind === 'active') {
      const table = tables[mode.index] ?? fail(`unknown table ${mode.index} of elem segment ${index}`);
      const { element } = table.type;
      if (element !== type) {
        fail(
          `type mismatch: elem segment ${index} is of ${typeName(type)}, its table of ${typeName(element)}`,
        );
      }
      constant(t, mode.offset, t.addressType(table.type), globals.length, 'offset of elem segment', index);
    }
    checkElementItems(t, segment, index);
  });
}

function checkElementItems(t: Typing, { elements, type }: ElementSegment, index: number): void {
  if ('functions' in elements) {
    for (const each of elements.functions) {
      if (each >= t.declared.length) fail(`unknown function ${each} in elem segment ${index}`);
      t.declared[each] = 1;
    }
    return;
  }
  for (const each of elements.expressions) {
    constant(t, each, type, t.module.globals.length, 'elem segment', index);
  }
}

function checkData(t: Typing): void {
  const { data, memories, globals } = t.module;
  data.forEach(({ mode }, index) => {
    if (mode.kind !== 'active') return;
    const memory = memories[mode.index] ?? fail(`unknown memory ${mode.index} of data segment ${index}`);
    constant(t, mode.offset, t.addressType(memory), globals.length, 'offset of data segment', index);
  });
}

function checkExports(t: Typing): void {
  const { functions, tables, memories, globals, tags, exports } = t.module;
  const counts: Record<ExternalKind, number> = {
    function: functions.length,
    table: tables.length,
    memory: memories.length,
    global: globals.length,
    tag: tags.length,
  };
  const names = new Set<string>();
  for (const { name, kind, index } of exports) {
    if (names.has(name)) fail(`duplicate export name ${JSON.stringify(name)}`);
    names.add(name);
    if (index >= counts[kind]) fail(`unknown ${kind} ${index} of export ${JSON.stringify(name)}`);
    if (kind === 'function') t.declared[index] = 1;
  }
}

function checkStart({ start, functions, types }: Module): void {
  if (start === undefined) return;
  const found = functions[start] ?? fail(`unknown function ${start} as start function`);
  const type = types[found.typeIndex];
  if (type?.params.length !== 0 || type.results.length !== 0) {
    fail(`start function ${start} has parameters or results`);
  }
}
