// What must hold of every image, whatever compiler and linker made it: it is mapped as it is, and nothing in it runs or
// is written by being loaded.
import { LoadError } from '../error.ts';
import { ElfFile } from './sections.ts';

// elf(5) and the gABI.
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const PT_TLS = 7;
const PT_GNU_STACK = 0x6474e551;
const PF_X = 1;
const PF_W = 2;
const DT_FLAGS = 30;
const DF_TEXTREL = 4;
const SHT_DYNSYM = 11;
const SYMBOL_SIZE = 24;

const UNWANTED_SEGMENTS: Record<number, string> = {
  [PT_INTERP]: 'PT_INTERP',
  [PT_TLS]: 'PT_TLS (thread-local storage)',
};

/** Dynamic entries that an image has none of, or none but zero. */
const UNWANTED: Record<number, string> = {
  1: 'DT_NEEDED',
  2: 'DT_PLTRELSZ',
  8: 'DT_RELASZ',
  12: 'DT_INIT',
  13: 'DT_FINI',
  18: 'DT_RELSZ',
  22: 'DT_TEXTREL',
  25: 'DT_INIT_ARRAY',
  26: 'DT_FINI_ARRAY',
  35: 'DT_RELRSZ',
};

/**
 * No relocation, no undefined symbol, nothing needed or run at load, no page writable and executable.
 * @throws LoadError ERR_COMPILE that names what is found
 */
export function checkImage(path: string): void {
  using file = new ElfFile(path);
  const obstacle = ofSegments(file) ?? ofDynamic(file) ?? ofSymbols(file);
  if (obstacle)
    throw new LoadError('ERR_COMPILE', path, `${obstacle}; want an image that is mapped as it is`);
}

function ofSegments({ segments }: ElfFile): string | undefined {
  for (const [index, { type, flags }] of segments.entries()) {
    if (type === PT_LOAD && flags & PF_W && flags & PF_X)
      return `PT_LOAD[${index}] is writable and executable`;
    if (type === PT_GNU_STACK && flags & PF_X) return 'wants an executable stack';
    if (UNWANTED_SEGMENTS[type]) return `has ${UNWANTED_SEGMENTS[type]}`;
  }
  return undefined;
}

function ofDynamic(file: ElfFile): string | undefined {
  const dynamic = file.segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return 'has no dynamic section';
  const entries = file.bytes(dynamic.offset, dynamic.fileSize);
  for (let at = 0; at + 16 <= entries.length; at += 16) {
    const tag = Number(entries.readBigInt64LE(at));
    const value = entries.readBigUInt64LE(at + 8);
    if (tag === 0) break;
    if (tag === DT_FLAGS && Number(value) & DF_TEXTREL) return 'has text relocations';
    const name = UNWANTED[tag];
    if (name !== undefined && (value !== 0n || tag === 1)) return `has ${name} (${value})`;
  }
  return undefined;
}

function ofSymbols(file: ElfFile): string | undefined {
  const table = file.sections.find(({ type }) => type === SHT_DYNSYM);
  if (table === undefined) return undefined;
  const symbols = file.bytes(table.offset, table.size);
  for (let at = SYMBOL_SIZE; at + SYMBOL_SIZE <= symbols.length; at += SYMBOL_SIZE)
    if (symbols.readUInt16LE(at + 6) === 0) return `has an undefined symbol (${at / SYMBOL_SIZE})`;
  return undefined;
}
