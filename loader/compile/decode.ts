// Decodes a binary module (core specification 5.5.16): sections in their order, bodies left as bytes.
import { sections } from './decode-sections.ts';
import type { Module } from './module.ts';
import { Reader } from './reader.ts';

const MAGIC = 0x6d736100;
/** Where each section stands among the others, by id; tag comes between memory and global, data count before code. */
const order = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6];

/**
 * The module that `bytes` encode; spans in it are offsets into `bytes`, which are not copied.
 * @throws ModuleError if malformed, or beyond the JavaScript API's implementation limits
 * @throws UnsupportedFeature at the first encoding of something that is not compiled
 */
export function decode(bytes: Uint8Array): Module {
  const r = new Reader(bytes);
  readHeader(r);
  const module = emptyModule(bytes);
  let last = 0;
  while (!r.done) last = readSection(r, module, last);
  checkCounts(r, module);
  return module;
}

function readHeader(r: Reader): void {
  if (r.f32Bits() !== MAGIC) r.fail('magic header not detected', 0);
  if (r.f32Bits() !== 1) r.fail('unknown binary version', 4);
}

/** Reads one section after the one that is `last` in order, and gives its own place there. */
function readSection(r: Reader, module: Module, last: number): number {
  const at = r.at;
  const id = r.u8();
  const read = sections[id];
  const place = order[id];
  if (read === undefined || place === undefined) r.fail(`malformed section id: ${id}`, at);
  const size = r.u32();
  const start = r.skip(size, 'length out of bounds');
  if (id !== 0 && place <= last) r.fail('unexpected content after last section', at);
  const section = new Reader(r.bytes, start, r.at);
  read(section, module);
  if (!section.done) section.fail(`section size mismatch: ${section.end - section.at} bytes left`);
  return id === 0 ? last : place;
}

function checkCounts(r: Reader, module: Module): void {
  const { functions, imported, bodies, dataCount, data } = module;
  const own = functions.length - imported.functions;
  if (own !== bodies.length) {
    r.fail(`function and code section have inconsistent lengths: ${own}, ${bodies.length}`);
  }
  if (dataCount !== undefined && dataCount !== data.length) {
    r.fail(`data count and data section have inconsistent lengths: ${dataCount}, ${data.length}`);
  }
}

function emptyModule(bytes: Uint8Array): Module {
  return {
    bytes,
    types: [],
    imports: [],
    functions: [],
    tables: [],
    memories: [],
    globals: [],
    tags: [],
    exports: [],
    elements: [],
    data: [],
    bodies: [],
    customs: [],
    imported: { functions: 0, tables: 0, memories: 0, globals: 0, tags: 0 },
  };
}
