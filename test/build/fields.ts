// ELF64 structures as named fields at file offsets (gABI chapters 4 and 5), so that a malformed ELF is a valid one with
// a field patched: `minimalLibrary().patch({ 'phdr[2].p_flags': 7 })`.

/** Where a field lies in the file: offset and size in bytes. All fields are little-endian and unsigned. */
export interface Field {
  offset: number;
  size: 1 | 2 | 4 | 8;
}

export type Fields = Readonly<Record<string, Field>>;
export type Values = Readonly<Record<string, number | bigint>>;
type Member = readonly [name: string, size: Field['size']];

export const structures = {
  ehdr: [
    ['e_ident[EI_MAG]', 4],
    ['e_ident[EI_CLASS]', 1],
    ['e_ident[EI_DATA]', 1],
    ['e_ident[EI_VERSION]', 1],
    ['e_ident[EI_OSABI]', 1],
    ['e_ident[EI_PAD]', 8],
    ['e_type', 2],
    ['e_machine', 2],
    ['e_version', 4],
    ['e_entry', 8],
    ['e_phoff', 8],
    ['e_shoff', 8],
    ['e_flags', 4],
    ['e_ehsize', 2],
    ['e_phentsize', 2],
    ['e_phnum', 2],
    ['e_shentsize', 2],
    ['e_shnum', 2],
    ['e_shstrndx', 2],
  ],
  phdr: [
    ['p_type', 4],
    ['p_flags', 4],
    ['p_offset', 8],
    ['p_vaddr', 8],
    ['p_paddr', 8],
    ['p_filesz', 8],
    ['p_memsz', 8],
    ['p_align', 8],
  ],
  dyn: [
    ['d_tag', 8],
    ['d_val', 8],
  ],
  sym: [
    ['st_name', 4],
    ['st_info', 1],
    ['st_other', 1],
    ['st_shndx', 2],
    ['st_value', 8],
    ['st_size', 8],
  ],
  rela: [
    ['r_offset', 8],
    ['r_type', 4],
    ['r_sym', 4],
    ['r_addend', 8],
  ],
  verneed: [
    ['vn_version', 2],
    ['vn_cnt', 2],
    ['vn_file', 4],
    ['vn_aux', 4],
    ['vn_next', 4],
  ],
  vernaux: [
    ['vna_hash', 4],
    ['vna_flags', 2],
    ['vna_other', 2],
    ['vna_name', 4],
    ['vna_next', 4],
  ],
} as const satisfies Record<string, readonly Member[]>;

export const PT = {
  NULL: 0,
  LOAD: 1,
  DYNAMIC: 2,
  INTERP: 3,
  PHDR: 6,
  TLS: 7,
  GNU_EH_FRAME: 0x6474e550,
  GNU_STACK: 0x6474e551,
  GNU_RELRO: 0x6474e552,
} as const;

export const DT = {
  NULL: 0,
  NEEDED: 1,
  HASH: 4,
  STRTAB: 5,
  SYMTAB: 6,
  RELA: 7,
  RELASZ: 8,
  RELAENT: 9,
  STRSZ: 10,
  SYMENT: 11,
  INIT: 12,
  SONAME: 14,
  REL: 17,
  RELSZ: 18,
  RELENT: 19,
  PLTRELSZ: 2,
  PLTREL: 20,
  DEBUG: 21,
  TEXTREL: 22,
  JMPREL: 23,
  INIT_ARRAY: 25,
  FINI_ARRAY: 26,
  INIT_ARRAYSZ: 27,
  FINI_ARRAYSZ: 28,
  RUNPATH: 29,
  FLAGS: 30,
  RELRSZ: 35,
  RELR: 36,
  RELRENT: 37,
  GNU_HASH: 0x6ffffef5,
  VERSYM: 0x6ffffff0,
  FLAGS_1: 0x6ffffffb,
  VERNEED: 0x6ffffffe,
  VERNEEDNUM: 0x6fffffff,
} as const;

/** psABI x86-64, table 4.10. */
export const R_X86_64 = {
  R64: 1,
  COPY: 5,
  GLOB_DAT: 6,
  RELATIVE: 8,
  DTPMOD64: 16,
  DTPOFF64: 17,
  TPOFF64: 18,
  IRELATIVE: 37,
} as const;

function write(bytes: Buffer, field: Field, value: number | bigint): void {
  let rest = BigInt.asUintN(8 * field.size, BigInt(value));
  for (let i = 0; i < field.size; i++, rest >>= 8n) bytes[field.offset + i] = Number(rest & 0xffn);
}

/** The bytes of an ELF file and the names of its fields. Immutable: patch and truncate give another one. */
export class ElfFile {
  readonly #bytes: Buffer;
  readonly fields: Fields;

  constructor(bytes: Buffer, fields: Fields) {
    this.#bytes = bytes;
    this.fields = fields;
  }

  get size(): number {
    return this.#bytes.length;
  }

  /** A copy of the file's bytes. */
  bytes(): Buffer {
    return Buffer.from(this.#bytes);
  }

  /** @throws RangeError for a name that is no field of this file, so that a typing error is no silent valid ELF. */
  field(name: string): Field {
    const field = this.fields[name];
    if (field === undefined)
      throw new RangeError(`no field ${name}; want one of ${Object.keys(this.fields).join(' ')}`);
    return field;
  }

  get(name: string): bigint {
    const { offset, size } = this.field(name);
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[offset + i] ?? 0);
    return value;
  }

  /** The same file with these fields set; values are taken modulo the size of their field. */
  patch(values: Values): ElfFile {
    const bytes = this.bytes();
    for (const [name, value] of Object.entries(values)) write(bytes, this.field(name), value);
    return new ElfFile(bytes, this.fields);
  }

  /** The first `size` bytes. */
  truncate(size: number): ElfFile {
    return new ElfFile(this.#bytes.subarray(0, size), this.fields);
  }
}

/** Lays named fields out one behind the other; their values follow when all places are known. */
export class Layout {
  readonly fields: Record<string, Field> = {};
  readonly #blobs: { offset: number; bytes: Buffer }[] = [];
  #end = 0;

  /** Offset in the file of what is placed next. */
  get end(): number {
    return this.#end;
  }

  align(alignment: number): void {
    this.#end = Math.ceil(this.#end / alignment) * alignment;
  }

  /** Places a field; returns its offset. */
  place(name: string, size: Field['size']): number {
    this.fields[name] = { offset: this.#end, size };
    this.#end += size;
    return this.#end - size;
  }

  /** Places a structure's fields as `prefix.member`; returns the structure's offset. */
  placeStructure(prefix: string, members: readonly Member[]): number {
    const start = this.#end;
    for (const [member, size] of members) this.place(prefix === '' ? member : `${prefix}.${member}`, size);
    return start;
  }

  /** Places bytes whose value is known; `NAME.last` names the last of them. */
  placeBytes(name: string, bytes: Buffer): number {
    const offset = this.#end;
    this.#blobs.push({ offset, bytes });
    this.#end += bytes.length;
    this.fields[`${name}.last`] = { offset: this.#end - 1, size: 1 };
    return offset;
  }

  /** Leaves `size` bytes to be filled by `fill`. */
  skip(size: number): number {
    this.#end += size;
    return this.#end - size;
  }

  /** Fills bytes at an offset that was skipped. */
  fill(offset: number, bytes: Buffer): void {
    this.#blobs.push({ offset, bytes });
  }

  finish(values: Values): ElfFile {
    const bytes = Buffer.alloc(this.#end);
    for (const blob of this.#blobs) blob.bytes.copy(bytes, blob.offset);
    return new ElfFile(bytes, this.fields).patch(values);
  }
}
