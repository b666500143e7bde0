// The sections of the binary format (core specification 5.5), each read into a module. Imported entries stand first in
// their index spaces, since the import section stands first.
import { constantExpression } from './constant.ts';
import {
  elementCount,
  functionType,
  globalType,
  memoryType,
  referenceType,
  tableType,
  tagType,
  valueType,
  vector,
} from './decode-types.ts';
import {
  type DataSegment,
  type ElementSegment,
  type Export,
  type ExternalKind,
  type FunctionBody,
  type Import,
  type Module,
  type ReferenceType,
  type SegmentMode,
  type Table,
  ValueType,
} from './module.ts';
import { Reader } from './reader.ts';

/** The JavaScript API's implementation limits. */
const MAX_LOCALS = 50_000;
const MAX_BODY_BYTES = 7_654_321;

type SectionReader = (r: Reader, module: Module) => void;

const kinds: ExternalKind[] = ['function', 'table', 'memory', 'global', 'tag'];

function readImport(r: Reader): Import {
  const names = { module: r.name(), name: r.name() };
  const at = r.at;
  switch (r.u8()) {
    case 0:
      return { ...names, kind: 'function', typeIndex: r.u32() };
    case 1:
      return { ...names, kind: 'table', type: tableType(r) };
    case 2:
      return { ...names, kind: 'memory', type: memoryType(r) };
    case 3:
      return { ...names, kind: 'global', type: globalType(r) };
    case 4:
      return { ...names, kind: 'tag', ...tagType(r) };
  }
  r.fail('malformed import kind', at);
}

function addImport(module: Module, entry: Import): void {
  const { imported } = module;
  module.imports.push(entry);
  switch (entry.kind) {
    case 'function':
      imported.functions = module.functions.push({ typeIndex: entry.typeIndex });
      break;
    case 'table':
      imported.tables = module.tables.push({ type: entry.type });
      break;
    case 'memory':
      imported.memories = module.memories.push(entry.type);
      break;
    case 'global':
      imported.globals = module.globals.push({ type: entry.type });
      break;
    case 'tag':
      imported.tags = module.tags.push({ typeIndex: entry.typeIndex });
      break;
  }
}

function table(r: Reader): Table {
  if (r.done || r.bytes[r.at] !== 0x40) return { type: tableType(r) };
  r.u8();
  const at = r.at;
  if (r.u8() !== 0) r.fail('zero byte expected', at);
  const type = tableType(r);
  return { type, init: constantExpression(r) };
}

function readExport(r: Reader): Export {
  const name = r.name();
  const at = r.at;
  const kind = kinds[r.u8()];
  if (kind === undefined) r.fail('malformed export kind', at);
  return { name, kind, index: r.u32() };
}

/** The flags of an element segment: bit 0 passive or declarative, bit 1 an index or declarative, bit 2 expressions. */
function elementSegment(r: Reader): ElementSegment {
  const at = r.at;
  const flags = r.u32();
  if (flags > 7) r.fail('malformed elements segment kind', at);
  const mode = elementMode(r, flags);
  const withType = (flags & 3) !== 0;
  if (flags & 4) {
    const type = withType ? referenceType(r) : ValueType.funcref;
    return { type, mode, elements: { expressions: vector(r, constantExpression) } };
  }
  const type = withType ? elementKind(r) : ValueType.funcref;
  return { type, mode, elements: { functions: vector(r, (each) => each.u32()) } };
}

function elementMode(r: Reader, flags: number): SegmentMode {
  if (flags & 1) return { kind: flags & 2 ? 'declarative' : 'passive' };
  const index = flags & 2 ? r.u32() : 0;
  return { kind: 'active', index, offset: constantExpression(r) };
}

function elementKind(r: Reader): ReferenceType {
  const at = r.at;
  if (r.u8() !== 0) r.fail('malformed element kind', at);
  return ValueType.funcref;
}

function dataSegment(r: Reader): DataSegment {
  const mode = dataMode(r);
  const length = r.u32();
  const start = r.skip(length);
  return { mode, bytes: { start, end: start + length } };
}

function dataMode(r: Reader): SegmentMode {
  const at = r.at;
  const flags = r.u32();
  if (flags > 2) r.fail('malformed data segment kind', at);
  if (flags === 1) return { kind: 'passive' };
  const index = flags === 2 ? r.u32() : 0;
  return { kind: 'active', index, offset: constantExpression(r) };
}

function functionBody(r: Reader): FunctionBody {
  const at = r.at;
  const size = r.u32();
  const start = r.skip(size);
  if (size > MAX_BODY_BYTES) r.fail(`function body of ${size} bytes, want at most ${MAX_BODY_BYTES}`, at);
  const body = new Reader(r.bytes, start, start + size);
  const locals: FunctionBody['locals'] = [];
  let total = 0;
  for (let runs = elementCount(body); runs > 0; runs--) {
    const count = body.u32();
    total += count;
    if (total > MAX_LOCALS) body.fail(`too many locals: ${total}, want at most ${MAX_LOCALS}`);
    locals.push({ count, type: valueType(body) });
  }
  return { locals, code: { start: body.at, end: body.end } };
}

/** By section id; 0 is custom. */
export const sections: (SectionReader | undefined)[] = [
  (r, module) => {
    const name = r.name();
    module.customs.push({ name, bytes: { start: r.at, end: r.end } });
    r.at = r.end;
  },
  (r, module) => {
    module.types = vector(r, functionType);
  },
  (r, module) => {
    for (let count = elementCount(r); count > 0; count--) addImport(module, readImport(r));
  },
  (r, module) => {
    for (let count = elementCount(r); count > 0; count--) module.functions.push({ typeIndex: r.u32() });
  },
  (r, module) => {
    for (let count = elementCount(r); count > 0; count--) module.tables.push(table(r));
  },
  (r, module) => {
    for (let count = elementCount(r); count > 0; count--) module.memories.push(memoryType(r));
  },
  (r, module) => {
    for (let count = elementCount(r); count > 0; count--) {
      const type = globalType(r);
      module.globals.push({ type, init: constantExpression(r) });
    }
  },
  (r, module) => {
    module.exports = vector(r, readExport);
  },
  (r, module) => {
    module.start = r.u32();
  },
  (r, module) => {
    module.elements = vector(r, elementSegment);
  },
  (r, module) => {
    module.bodies = vector(r, functionBody);
  },
  (r, module) => {
    module.data = vector(r, dataSegment);
  },
  (r, module) => {
    module.dataCount = r.u32();
  },
  (r, module) => {
    for (let count = elementCount(r); count > 0; count--) module.tags.push(tagType(r));
  },
];
