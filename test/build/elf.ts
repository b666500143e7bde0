// Valid ELF64 images for x86-64, as small as a loader can meet them, written field by field without a linker.
//
//   file offset   vaddr (above base)   flags   contents
//   0x0000        0x0000               R       headers, tables of the dynamic linker
//   0x1000        0x1000               R X     machine code
//   0x2000        0x3000               RW      .dynamic and everything that is relocated (RELRO, one page)
//   0x3000        0x4000               RW      data, TLS template; then 256 bytes of .bss that are in no file
//
// The last two are one PT_LOAD, whose vaddr differs from its offset on purpose. A static program has no RW segment.
import { type CodeFunction, encode, encodedSize, functionsOf } from './code.ts';
import { DT, type ElfFile, Layout, PT, R_X86_64, structures, type Values } from './fields.ts';
import { gnuHash, StringTable, sysvHash } from './tables.ts';

export { type ElfFile, R_X86_64 };

export interface ImportedSymbol {
  name: string;
  /** The version that is asked of `library`, which is then a DT_NEEDED too; default: none. */
  version?: { name: string; library: string };
}

export interface LibraryOptions {
  soname?: string;
  needed?: string[];
  runpath?: string;
  /** Undefined functions. Each has a GLOB_DAT relocation; the exported `call_NAME` calls it through its GOT word. */
  imports?: ImportedSymbol[];
  /** Default `both`: DT_HASH and DT_GNU_HASH. */
  hash?: 'both' | 'sysv' | 'gnu';
  relro?: boolean;
  /** PT_TLS: an int that is 42 and 12 bytes of zero; the exported `tls_index` returns what __tls_get_addr takes. */
  tls?: boolean;
  /** DT_INIT_ARRAY of one function, after which the exported `state` returns 7 instead of 0. */
  initArray?: boolean;
  /** RELATIVE relocations as DT_RELR instead of DT_RELA. */
  relr?: boolean;
  /** Further entries of the dynamic section, in front of DT_NULL. */
  dynamic?: [tag: keyof typeof DT, value: number | bigint][];
}

export interface ProgramOptions {
  /** `static`: ET_EXEC at 0x400000; `static-pie`: ET_DYN without PT_INTERP; `pie`: with it, started by ld.so. */
  kind: 'static' | 'static-pie' | 'pie';
}

interface Spec extends LibraryOptions {
  type: 'ET_EXEC' | 'ET_DYN';
  base: bigint;
  entry?: string;
  interp?: string;
  linked: boolean;
}

interface Relocation {
  at: string;
  type: number;
  symbol: number;
  /** What the addend is the address of; absent: 0. */
  to?: string;
}

const pageSize = 0x1000;
const rwShift = 0x1000; // vaddr - base - offset in the RW segment
const bssSize = 0x100;

/** Everything is placed first, in file order; then values are set, because they are each other's addresses. */
class ImageWriter {
  readonly spec: Spec;
  readonly layout = new Layout();
  readonly values: Record<string, number | bigint> = {};
  readonly strings = new StringTable();
  readonly functions: CodeFunction[];
  readonly imports: ImportedSymbol[];
  /** Link-time addresses by name. */
  readonly addresses = new Map<string, bigint>();

  constructor(spec: Spec) {
    this.spec = spec;
    this.functions = functionsOf(spec);
    this.imports = spec.imports ?? [];
  }

  write(): ElfFile {
    const headers = this.#placeHeaders();
    if (this.spec.linked) this.#placeTables();
    const readOnly = { offset: 0, end: this.layout.end };
    this.layout.align(pageSize);
    const text = { offset: this.layout.end, end: this.#placeText() };
    const data = this.spec.linked ? this.#placeData() : undefined;
    this.#setHeaders(headers, { R: readOnly, RX: text, ...(data && { RW: data }) });
    if (this.spec.linked) this.#setTables();
    this.#setText();
    return this.layout.finish(this.values);
  }

  address = (name: string): bigint => {
    const address = this.addresses.get(name);
    if (address === undefined) throw new RangeError(`nothing called ${name} was placed`);
    return address;
  };

  /** Remembers that `name` starts where the next thing is placed. */
  #here(name: string): void {
    const shift = this.addresses.has('RW') ? rwShift : 0;
    this.addresses.set(name, this.spec.base + BigInt(this.layout.end + shift));
  }

  #set(prefix: string, members: Values): void {
    for (const [member, value] of Object.entries(members)) this.values[`${prefix}.${member}`] = value;
  }

  #placeHeaders(): string[] {
    const { interp, linked, relro, tls } = this.spec;
    const headers = ['R', 'RX'];
    // In front of all PT_LOADs (gABI). Without PT_PHDR glibc's ld.so takes a program's bias for 0.
    if (interp !== undefined) headers.unshift('PHDR', 'INTERP');
    if (linked) headers.push('RW', 'DYNAMIC');
    headers.push('GNU_STACK');
    if (relro) headers.push('GNU_RELRO');
    if (tls) headers.push('TLS');
    this.layout.placeStructure('', structures.ehdr);
    this.#here('phdr');
    headers.forEach((name, i) => {
      const offset = this.layout.placeStructure(`phdr[${i}]`, structures.phdr);
      let at = offset;
      for (const [member, size] of structures.phdr) {
        if (name in PT) this.layout.fields[`phdr[PT_${name}].${member}`] = { offset: at, size };
        at += size;
      }
    });
    this.#here('phdr.end');
    return headers;
  }

  #placeTables(): void {
    const { layout, functions, imports } = this;
    const { hash = 'both', interp } = this.spec;
    const exported = functions.filter((f) => f.exported);
    const symbols = 1 + imports.length + exported.length;
    if (interp !== undefined) {
      this.#here('interp');
      layout.placeBytes('interp', Buffer.from(`${interp}\0`));
    }
    if (hash !== 'gnu') this.#placeTable('hash', 8, () => this.#placeSysvHash(symbols));
    this.#placeTable('symtab', 8, () => {
      for (let i = 0; i < symbols; i++) layout.placeStructure(`sym[${i}]`, structures.sym);
    });
    this.#placeStrings();
    if (imports.some((symbol) => symbol.version)) this.#placeVersions(symbols);
    this.#placeTable('rela', 8, () => {
      this.#relocations().forEach((_, i) => void layout.placeStructure(`rela[${i}]`, structures.rela));
    });
    if (this.spec.relr)
      this.#placeTable('relr', 8, () =>
        this.#relative().forEach((_, i) => void layout.place(`relr[${i}]`, 8)),
      );
    // Last in its segment: a chain without an end leads out of the stored bytes.
    if (hash !== 'sysv') this.#placeTable('gnu_hash', 8, () => this.#placeGnuHash(exported.length));
  }

  #placeTable(name: string, alignment: number, place: () => void): void {
    this.layout.align(alignment);
    this.#here(name);
    place();
  }

  #placeSysvHash(symbols: number): void {
    for (const name of ['nbucket', 'nchain', 'bucket[0]']) this.layout.place(`hash.${name}`, 4);
    for (let i = 0; i < symbols; i++) this.layout.place(`hash.chain[${i}]`, 4);
  }

  #placeGnuHash(exported: number): void {
    for (const name of ['nbuckets', 'symoffset', 'bloom_size', 'bloom_shift'])
      this.layout.place(`gnu_hash.${name}`, 4);
    this.layout.place('gnu_hash.bloom[0]', 8);
    this.layout.place('gnu_hash.bucket[0]', 4);
    for (let i = 0; i < exported; i++) this.layout.place(`gnu_hash.chain[${i}]`, 4);
  }

  #placeStrings(): void {
    const { soname, needed = [], runpath } = this.spec;
    for (const text of [soname, ...needed, runpath]) if (text !== undefined) this.strings.add(text);
    for (const { name, version } of this.imports) {
      this.strings.add(name);
      if (version) this.strings.add(version.library);
      if (version) this.strings.add(version.name);
    }
    for (const { name, exported } of this.functions) if (exported) this.strings.add(name);
    this.#here('strtab');
    this.layout.placeBytes('dynstr', this.strings.bytes());
  }

  #placeVersions(symbols: number): void {
    this.#placeTable('versym', 2, () => {
      for (let i = 0; i < symbols; i++) this.layout.place(`versym[${i}]`, 2);
    });
    this.#placeTable('verneed', 8, () => {
      this.#versioned().forEach((_, i) => {
        this.layout.placeStructure(`verneed[${i}]`, structures.verneed);
        this.layout.placeStructure(`vernaux[${i}]`, structures.vernaux);
      });
    });
  }

  #placeText(): number {
    this.#here('RX');
    for (const { name, instructions } of this.functions) {
      this.layout.align(16);
      this.#here(name);
      this.layout.skip(instructions.reduce((sum, instruction) => sum + encodedSize(instruction), 0));
    }
    return this.layout.end;
  }

  #placeData(): { offset: number; end: number } {
    const { layout } = this;
    layout.align(pageSize);
    const offset = layout.end;
    this.addresses.set('RW', this.spec.base + BigInt(offset + rwShift));
    this.#here('dynamic');
    const counts: Record<string, number> = {};
    for (const [tag] of this.#dynamicEntries(() => 0n)) {
      const nth = counts[tag] ?? 0;
      counts[tag] = nth + 1;
      layout.placeStructure(`dyn[DT_${tag}${nth === 0 ? '' : `.${nth}`}]`, structures.dyn);
    }
    for (const slot of this.#slots()) {
      this.#here(slot);
      layout.place(slot, 8);
    }
    layout.align(pageSize);
    this.#here('data');
    layout.place('data', 8);
    if (this.spec.tls) {
      this.#here('tls');
      layout.place('tls', 4);
    }
    return { offset, end: layout.end };
  }

  /** The relocated words of the RELRO page. */
  #slots(): string[] {
    const slots = this.spec.entry === undefined ? ['pointer'] : [];
    if (this.spec.initArray) slots.push('init_array[0]');
    for (const { name } of this.imports) slots.push(`got.${name}`);
    if (this.spec.tls) slots.push('tls_pair', 'tls_pair.offset');
    return slots;
  }

  #relative(): { at: string; to: string }[] {
    const relative = this.spec.entry === undefined ? [{ at: 'pointer', to: 'answer' }] : [];
    if (this.spec.initArray) relative.push({ at: 'init_array[0]', to: 'initialize' });
    return relative;
  }

  #relocations(): Relocation[] {
    const relocations: Relocation[] = this.spec.relr
      ? []
      : this.#relative().map(({ at, to }) => ({ at, to, type: R_X86_64.RELATIVE, symbol: 0 }));
    this.imports.forEach(({ name }, i) => {
      relocations.push({ at: `got.${name}`, type: R_X86_64.GLOB_DAT, symbol: 1 + i });
    });
    if (this.spec.tls) relocations.push({ at: 'tls_pair', type: R_X86_64.DTPMOD64, symbol: 0 });
    return relocations;
  }

  #versioned(): (ImportedSymbol & { version: { name: string; library: string }; index: number })[] {
    return this.imports.flatMap(({ name, version }, i) => (version ? [{ name, version, index: i }] : []));
  }

  #dynamicEntries(address: (name: string) => bigint): [tag: keyof typeof DT, value: number | bigint][] {
    const { soname, needed = [], runpath, hash = 'both', initArray, relr, dynamic = [] } = this.spec;
    const entries: [keyof typeof DT, number | bigint][] = needed.map((name) => [
      'NEEDED',
      this.strings.add(name),
    ]);
    for (const { version } of this.#versioned())
      if (!needed.includes(version.library)) entries.push(['NEEDED', this.strings.add(version.library)]);
    if (soname !== undefined) entries.push(['SONAME', this.strings.add(soname)]);
    if (runpath !== undefined) entries.push(['RUNPATH', this.strings.add(runpath)]);
    if (hash !== 'gnu') entries.push(['HASH', address('hash')]);
    if (hash !== 'sysv') entries.push(['GNU_HASH', address('gnu_hash')]);
    entries.push(['STRTAB', address('strtab')], ['SYMTAB', address('symtab')]);
    entries.push(['STRSZ', this.strings.bytes().length], ['SYMENT', 24]);
    const relocations = this.#relocations().length;
    if (relocations > 0)
      entries.push(['RELA', address('rela')], ['RELASZ', 24 * relocations], ['RELAENT', 24]);
    if (relr)
      entries.push(['RELR', address('relr')], ['RELRSZ', 8 * this.#relative().length], ['RELRENT', 8]);
    if (initArray) entries.push(['INIT_ARRAY', address('init_array[0]')], ['INIT_ARRAYSZ', 8]);
    const versions = this.#versioned().length;
    if (versions > 0)
      entries.push(['VERSYM', address('versym')], ['VERNEED', address('verneed')], ['VERNEEDNUM', versions]);
    if (this.spec.entry !== undefined) entries.push(['FLAGS_1', 0x08000000]); // DF_1_PIE
    return [...entries, ...dynamic, ['NULL', 0]];
  }

  #setHeaders(headers: string[], segments: Record<string, { offset: number; end: number }>): void {
    const { entry, type } = this.spec;
    Object.assign(this.values, {
      'e_ident[EI_MAG]': 0x464c457f,
      'e_ident[EI_CLASS]': 2,
      'e_ident[EI_DATA]': 1,
      'e_ident[EI_VERSION]': 1,
      e_type: type === 'ET_EXEC' ? 2 : 3,
      e_machine: 62,
      e_version: 1,
      e_entry: entry === undefined ? 0 : this.address(entry),
      e_phoff: 64,
      e_ehsize: 64,
      e_phentsize: 56,
      e_phnum: headers.length,
      e_shentsize: 64,
    });
    headers.forEach((name, i) => {
      const segment = segments[name];
      if (segment === undefined) this.#setInnerHeader(`phdr[${i}]`, name);
      else this.#setSegment(`phdr[${i}]`, name, segment);
    });
  }

  #setSegment(prefix: string, name: string, segment: { offset: number; end: number }): void {
    const vaddr = this.spec.base + BigInt(segment.offset + (name === 'RW' ? rwShift : 0));
    const filesz = segment.end - segment.offset;
    this.#setHeader(prefix, PT.LOAD, { R: 4, RX: 5, RW: 6 }[name] ?? 0, vaddr, filesz, pageSize);
    if (name === 'RW') this.values[`${prefix}.p_memsz`] = filesz + bssSize;
  }

  #setHeader(
    prefix: string,
    type: number,
    flags: number,
    vaddr: bigint,
    filesz: number,
    align: number,
  ): void {
    const rw = this.addresses.get('RW');
    const offset = vaddr - this.spec.base - BigInt(rw !== undefined && vaddr >= rw ? rwShift : 0);
    const sizes = { p_filesz: filesz, p_memsz: filesz, p_align: align };
    this.#set(prefix, {
      p_type: type,
      p_flags: flags,
      p_offset: offset,
      p_vaddr: vaddr,
      p_paddr: vaddr,
      ...sizes,
    });
  }

  /** A program header that describes a part of a PT_LOAD, or nothing. */
  #setInnerHeader(prefix: string, name: string): void {
    const entries = this.spec.linked ? this.#dynamicEntries(() => 0n).length : 0;
    if (name === 'GNU_STACK') this.#set(prefix, { p_type: PT.GNU_STACK, p_flags: 6, p_align: 16 });
    if (name === 'DYNAMIC') this.#setHeader(prefix, PT.DYNAMIC, 6, this.address('dynamic'), 16 * entries, 8);
    if (name === 'GNU_RELRO') this.#setHeader(prefix, PT.GNU_RELRO, 4, this.address('RW'), pageSize, 1);
    if (name === 'TLS') {
      this.#setHeader(prefix, PT.TLS, 4, this.address('tls'), 4, 8);
      this.values[`${prefix}.p_memsz`] = 16;
    }
    if (name === 'PHDR')
      this.#setHeader(
        prefix,
        PT.PHDR,
        4,
        this.address('phdr'),
        Number(this.address('phdr.end') - this.address('phdr')),
        8,
      );
    if (name === 'INTERP')
      this.#setHeader(prefix, PT.INTERP, 4, this.address('interp'), (this.spec.interp ?? '').length + 1, 1);
  }

  #setTables(): void {
    this.#setSymbols();
    this.#setVersions();
    this.#relocations().forEach(({ at, type, symbol, to }, i) => {
      const addend = to === undefined ? 0n : this.address(to);
      this.#set(`rela[${i}]`, { r_offset: this.address(at), r_type: type, r_sym: symbol, r_addend: addend });
    });
    if (this.spec.relr)
      this.#relative().forEach(({ at, to }, i) => {
        this.values[`relr[${i}]`] = this.address(at);
        this.values[at] = this.address(to);
      });
    const counts: Record<string, number> = {};
    for (const [tag, value] of this.#dynamicEntries(this.address)) {
      const nth = counts[tag] ?? 0;
      counts[tag] = nth + 1;
      this.#set(`dyn[DT_${tag}${nth === 0 ? '' : `.${nth}`}]`, { d_tag: DT[tag], d_val: value });
    }
    if (this.spec.tls) this.values.tls = 42;
  }

  #setSymbols(): void {
    const exported = this.functions.filter((f) => f.exported);
    const first = 1 + this.imports.length;
    this.imports.forEach(({ name }, i) => {
      this.#set(`sym[${1 + i}]`, { st_name: this.strings.add(name), st_info: 0x12, st_shndx: 0 });
    });
    exported.forEach(({ name, instructions }, i) => {
      const size = instructions.reduce((sum, instruction) => sum + encodedSize(instruction), 0);
      // st_info: STB_GLOBAL, STT_FUNC. st_shndx: any section number but SHN_UNDEF means "defined".
      const place = { st_shndx: 1, st_value: this.address(name), st_size: size };
      this.#set(`sym[${first + i}]`, { st_name: this.strings.add(name), st_info: 0x12, ...place });
    });
    const { hash = 'both' } = this.spec;
    const last = first + exported.length - 1;
    if (hash !== 'gnu') {
      this.#set('hash', { nbucket: 1, nchain: last + 1, 'bucket[0]': last === 0 ? 0 : 1 });
      for (let i = 1; i < last; i++) this.values[`hash.chain[${i}]`] = i + 1;
    }
    if (hash === 'sysv') return;
    const hashes = exported.map(({ name }) => gnuHash(name));
    const bloom = hashes.reduce(
      (word, h) => word | (1n << BigInt(h % 64)) | (1n << BigInt((h >>> 6) % 64)),
      0n,
    );
    const bucket = exported.length === 0 ? 0 : first;
    this.#set('gnu_hash', { nbuckets: 1, symoffset: first, bloom_size: 1, bloom_shift: 6 });
    this.#set('gnu_hash', { 'bloom[0]': bloom, 'bucket[0]': bucket });
    hashes.forEach((h, i) => {
      this.values[`gnu_hash.chain[${i}]`] = i === hashes.length - 1 ? (h | 1) >>> 0 : (h & ~1) >>> 0;
    });
  }

  /** LSB Core, "Symbol Versioning": version indexes start at 2, because 1 is the unversioned global symbols. */
  #setVersions(): void {
    const versioned = this.#versioned();
    if (versioned.length === 0) return;
    const symbols = 1 + this.imports.length + this.functions.filter((f) => f.exported).length;
    for (let i = 1; i < symbols; i++) this.values[`versym[${i}]`] = 1;
    versioned.forEach(({ version, index }, i) => {
      const next = i === versioned.length - 1 ? 0 : 32;
      const file = this.strings.add(version.library);
      this.values[`versym[${1 + index}]`] = 2 + i;
      this.#set(`verneed[${i}]`, { vn_version: 1, vn_cnt: 1, vn_file: file, vn_aux: 16, vn_next: next });
      const name = { vna_hash: sysvHash(version.name), vna_name: this.strings.add(version.name) };
      this.#set(`vernaux[${i}]`, { ...name, vna_flags: 0, vna_other: 2 + i, vna_next: 0 });
    });
  }

  #setText(): void {
    for (const { name, instructions } of this.functions) {
      let at = this.address(name);
      for (const instruction of instructions) {
        this.layout.fill(Number(at - this.spec.base), encode(instruction, at, this.address));
        at += BigInt(encodedSize(instruction));
      }
    }
  }
}

/**
 * A valid x86-64 shared object of about 12 KiB that needs no other library (unless told to). It exports
 * `int answer(void)`, which returns 42, and `int answer_by_pointer(void)`, which jumps to it through a pointer with a
 * RELATIVE relocation (rela[0]). Without imports, `answer` is sym[1] and `answer_by_pointer` sym[2].
 *
 * Program headers: phdr[0] R, phdr[1] RX, phdr[2] RW; the others are also named by type, as in
 * `phdr[PT_DYNAMIC].p_vaddr`. A second entry of a tag is `dyn[DT_NEEDED.1]`.
 */
export function minimalLibrary(options: LibraryOptions = {}): ElfFile {
  return new ImageWriter({ ...options, type: 'ET_DYN', base: 0n, linked: true }).write();
}

/**
 * A valid x86-64 program that exits with 42 by a system call. `static` has two PT_LOADs, phdr[0] R and phdr[1] RX, and
 * no dynamic section; the others have what a library has, and a `pie` starts with PT_PHDR and PT_INTERP.
 */
export function minimalProgram({ kind }: ProgramOptions): ElfFile {
  if (kind === 'static')
    return new ImageWriter({ type: 'ET_EXEC', base: 0x400000n, entry: 'start', linked: false }).write();
  const interp = kind === 'pie' ? { interp: '/lib64/ld-linux-x86-64.so.2' } : {};
  return new ImageWriter({ ...interp, type: 'ET_DYN', base: 0n, entry: 'start', linked: true }).write();
}
