// Malformed ELF files: each is a valid minimal one with one field patched (or a few, where one cannot be wrong alone),
// and what the loader says of it. Rows in groups, in the order in which a loader meets the faults.

import { type LibraryOptions, minimalLibrary, minimalProgram, type ProgramOptions, R_X86_64 } from './elf.ts';
import { DT, PT, type Values } from './fields.ts';

export interface Malformed {
  /** What is wrong; unique in the table. */
  name: string;
  /** The whole file. Store it as `malformedFileName`, in a directory of its own, readable and executable. */
  bytes: () => Buffer;
  /** `code` of the LoadError. */
  code: string;
  /** The essential words of its message. */
  message: RegExp;
  /** What it is opened as: with load(), or with run(). */
  as: 'library' | 'program';
  /** Who notices: a load reads the headers of hash tables, and only a look-up of `answer` follows their chains. */
  shows: 'at load' | 'at lookup';
}

/** One row needs itself by this name. */
export const malformedFileName = 'libmalformed.so';

type Row = [name: string, code: string, message: RegExp, bytes: () => Buffer];

function library(values: Values, options: LibraryOptions = {}): () => Buffer {
  return () => minimalLibrary(options).patch(values).bytes();
}

function program(values: Values, kind: ProgramOptions['kind'] = 'static'): () => Buffer {
  return () => minimalProgram({ kind }).patch(values).bytes();
}

/** File offsets and addresses of the minimal library (see elf.ts). */
const text = 0x1000;
const rwOffset = 0x2000;
const rwAddress = 0x3000;
const rwSize = Number(minimalLibrary().get('phdr[2].p_memsz'));
const outside = 0x900000;
const top = 1n << 64n;

const headers = minimalLibrary();
const headerCount = Number(headers.get('e_phnum'));
const textEnd = text + Number(headers.get('phdr[1].p_filesz'));

/** [what the file is cut in front of, or inside of; its size in bytes]. */
const cuts: [string, number][] = [
  ['inside the magic number', 3],
  ['behind e_ident', 16],
  ['one byte short of the ELF header', 63],
  ['in front of the program headers', 64],
  ...Array.from({ length: headerCount - 1 }, (_, i): [string, number] => [
    `in front of phdr[${i + 1}]`,
    64 + 56 * (i + 1),
  ]),
  ['one byte short of the program headers', 64 + 56 * headerCount - 1],
  ['behind the program headers', 64 + 56 * headerCount],
  ['inside the string table', headers.field('dynstr.last').offset],
  ['one byte short of the read-only segment', Number(headers.get('phdr[0].p_filesz')) - 1],
  ['in front of the text', text],
  ['one byte short of the text', textEnd - 1],
  ['in front of the dynamic section', rwOffset],
  ['inside the dynamic section', headers.field('dyn[DT_STRSZ].d_val').offset],
  ['in front of DT_NULL', headers.field('dyn[DT_NULL].d_tag').offset],
  ['one byte short of the data', headers.size - 1],
];

const truncated: Row[] = [
  ['file is empty', 'ERR_TRUNCATED', /empty/, () => Buffer.alloc(0)],
  ...cuts.map(
    ([where, size]): Row => [
      `file ends ${where}`,
      'ERR_TRUNCATED',
      size < 64 ? /ends after \d+ bytes/ : /needs? .*bytes.*file has/,
      () => minimalLibrary().truncate(size).bytes(),
    ],
  ),
];

const elfHeader: Row[] = [
  ['magic number is wrong', 'ERR_FORMAT', /0x7f 'E' 'L' 'F'/, library({ 'e_ident[EI_MAG]': 0x464c4580 })],
  ['class is 32-bit', 'ERR_UNSUPPORTED', /class.*32-bit/, library({ 'e_ident[EI_CLASS]': 1 })],
  ['class is none', 'ERR_UNSUPPORTED', /class is 0/, library({ 'e_ident[EI_CLASS]': 0 })],
  ['big-endian', 'ERR_UNSUPPORTED', /big-endian/, library({ 'e_ident[EI_DATA]': 2 })],
  ['version in e_ident is 0', 'ERR_UNSUPPORTED', /version/, library({ 'e_ident[EI_VERSION]': 0 })],
  ['e_version is 2', 'ERR_UNSUPPORTED', /version/, library({ e_version: 2 })],
  ['OS ABI is FreeBSD', 'ERR_UNSUPPORTED', /OS ABI/, library({ 'e_ident[EI_OSABI]': 9 })],
  ['machine is AArch64', 'ERR_UNSUPPORTED', /machine is 183/, library({ e_machine: 183 })],
  ['machine is i386', 'ERR_UNSUPPORTED', /machine is 3\b/, library({ e_machine: 3 })],
  ['type is ET_NONE', 'ERR_UNSUPPORTED', /type is 0/, library({ e_type: 0 })],
  ['type is ET_REL', 'ERR_UNSUPPORTED', /type is 1/, library({ e_type: 1 })],
  ['type is ET_CORE', 'ERR_UNSUPPORTED', /type is 4/, library({ e_type: 4 })],
  ['e_ehsize is 52', 'ERR_HEADER', /e_ehsize/, library({ e_ehsize: 52 })],
  ['e_phentsize is 32', 'ERR_HEADER', /e_phentsize/, library({ e_phentsize: 32 })],
  ['e_phentsize is 0', 'ERR_HEADER', /e_phentsize/, library({ e_phentsize: 0 })],
  ['e_phnum is 0', 'ERR_HEADER', /e_phnum is 0/, library({ e_phnum: 0 })],
  ['e_phnum is PN_XNUM', 'ERR_HEADER', /e_phnum is 65535/, library({ e_phnum: 0xffff })],
  ['e_phnum leads out of the file', 'ERR_TRUNCATED', /program headers/, library({ e_phnum: 300 })],
  ['e_phoff is 0', 'ERR_HEADER', /e_phoff/, library({ e_phoff: 0 })],
  ['e_phoff is misaligned', 'ERR_HEADER', /e_phoff/, library({ e_phoff: 68 })],
  ['e_phoff is behind the file', 'ERR_TRUNCATED', /program headers/, library({ e_phoff: outside })],
  ['e_phoff overflows', 'ERR_TRUNCATED', /program headers/, library({ e_phoff: top - 8n })],
];

/** The minimal library with its first program header `count` times, a page apart, in a table behind everything else. */
function withSegments(count: number): Buffer {
  const library = minimalLibrary();
  const { offset } = library.field('phdr[0].p_type');
  const table = Math.ceil(library.size / 8) * 8;
  const bytes = Buffer.concat([library.bytes()], table + 56 * count);
  for (let i = 0; i < count; i++) {
    library.bytes().copy(bytes, table + 56 * i, offset, offset + 56);
    bytes.writeBigUInt64LE(BigInt(0x1000 * i), table + 56 * i + 16);
  }
  bytes.writeBigUInt64LE(BigInt(table), library.field('e_phoff').offset);
  bytes.writeUInt16LE(count, library.field('e_phnum').offset);
  return bytes;
}

const segments: Row[] = [
  [
    'no PT_LOAD',
    'ERR_HEADER',
    /no PT_LOAD/,
    library({ 'phdr[0].p_type': PT.NULL, 'phdr[1].p_type': PT.NULL, 'phdr[2].p_type': PT.NULL }),
  ],
  [
    'segment starts behind the file',
    'ERR_TRUNCATED',
    /PT_LOAD\[1\]/,
    library({ 'phdr[1].p_offset': outside }),
  ],
  [
    'segment ends behind the file',
    'ERR_TRUNCATED',
    /PT_LOAD\[2\].*file has/,
    library({ 'phdr[2].p_filesz': 0x10000, 'phdr[2].p_memsz': 0x10000 }),
  ],
  [
    'p_offset + p_filesz overflows',
    'ERR_TRUNCATED',
    /PT_LOAD\[1\]/,
    library({ 'phdr[1].p_offset': top - 0x1000n, 'phdr[1].p_filesz': 0x2000, 'phdr[1].p_memsz': 0x2000 }),
  ],
  ['p_filesz exceeds p_memsz', 'ERR_SEGMENT', /p_filesz.*p_memsz/, library({ 'phdr[1].p_memsz': 1 })],
  ['p_memsz is 2^60', 'ERR_SEGMENT', /addresses below/, library({ 'phdr[2].p_memsz': 1n << 60n })],
  ['p_memsz is 2^64 - 1', 'ERR_SEGMENT', /addresses below/, library({ 'phdr[2].p_memsz': top - 1n })],
  [
    'p_vaddr + p_memsz overflows',
    'ERR_SEGMENT',
    /addresses below/,
    library({ 'phdr[2].p_vaddr': top - 0x1000n }),
  ],
  ['p_vaddr is not canonical', 'ERR_SEGMENT', /addresses below/, library({ 'phdr[2].p_vaddr': 1n << 47n })],
  ['segments overlap', 'ERR_SEGMENT', /overlap/, library({ 'phdr[1].p_vaddr': 0 })],
  ['segments share a page', 'ERR_SEGMENT', /overlap/, library({ 'phdr[1].p_memsz': 0x2001 })],
  [
    'segments are not in ascending order',
    'ERR_SEGMENT',
    /ascending/,
    library({ 'phdr[0].p_vaddr': 0x10000, 'phdr[0].p_paddr': 0x10000 }),
  ],
  [
    'p_vaddr and p_offset disagree in their page',
    'ERR_SEGMENT',
    /modulo/,
    library({ 'phdr[1].p_vaddr': 0x1008 }),
  ],
  [
    'p_vaddr and p_offset disagree modulo p_align',
    'ERR_SEGMENT',
    /p_align/,
    library({ 'phdr[2].p_align': 0x200000 }),
  ],
  ['p_align is not a power of two', 'ERR_SEGMENT', /power of two/, library({ 'phdr[1].p_align': 0x1800 })],
  ['p_align is 2^40', 'ERR_SEGMENT', /p_align.*at most/, library({ 'phdr[0].p_align': 1n << 40n })],
  ['33 PT_LOADs', 'ERR_HEADER', /PT_LOAD\[32\].*too many/, () => withSegments(33)],
  ['p_align is odd', 'ERR_SEGMENT', /power of two/, library({ 'phdr[1].p_align': 3 })],
  [
    'tables lie in a segment that is not readable',
    'ERR_DYNAMIC',
    /DT_STRTAB.*readable/,
    library({ 'phdr[0].p_flags': 0 }),
  ],
  ['text is writable', 'ERR_WX', /PT_LOAD\[1\].*RWX/, library({ 'phdr[1].p_flags': 7 })],
  ['data is executable', 'ERR_WX', /PT_LOAD\[2\].*RWX/, library({ 'phdr[2].p_flags': 7 })],
  ['data is executable and not readable', 'ERR_WX', /WX/, library({ 'phdr[2].p_flags': 3 })],
  ['stack is executable', 'ERR_WX', /stack/, library({ 'phdr[PT_GNU_STACK].p_flags': 7 })],
];

const inner: Row[] = [
  [
    'PT_DYNAMIC lies in no segment',
    'ERR_SEGMENT',
    /PT_DYNAMIC/,
    library({ 'phdr[PT_DYNAMIC].p_vaddr': outside }),
  ],
  [
    'PT_DYNAMIC lies behind the file',
    'ERR_TRUNCATED',
    /PT_DYNAMIC/,
    library({ 'phdr[PT_DYNAMIC].p_offset': outside }),
  ],
  [
    'PT_DYNAMIC lies in .bss',
    'ERR_SEGMENT',
    /PT_DYNAMIC/,
    library({ 'phdr[PT_DYNAMIC].p_vaddr': rwAddress + 0x1010 }),
  ],
  [
    'PT_DYNAMIC is misaligned',
    'ERR_SEGMENT',
    /multiple of 8/,
    library({ 'phdr[PT_DYNAMIC].p_vaddr': rwAddress + 4 }),
  ],
  [
    'PT_DYNAMIC twice',
    'ERR_HEADER',
    /PT_DYNAMIC.*second/,
    library({ 'phdr[PT_GNU_RELRO].p_type': PT.DYNAMIC }, { relro: true }),
  ],
  ['no PT_DYNAMIC', 'ERR_DYNAMIC', /PT_DYNAMIC/, library({ 'phdr[PT_DYNAMIC].p_type': PT.NULL })],
  [
    'RELRO lies in no segment',
    'ERR_SEGMENT',
    /PT_GNU_RELRO/,
    library({ 'phdr[PT_GNU_RELRO].p_vaddr': outside }, { relro: true }),
  ],
  [
    'RELRO lies in text',
    'ERR_SEGMENT',
    /PT_GNU_RELRO/,
    library({ 'phdr[PT_GNU_RELRO].p_vaddr': text }, { relro: true }),
  ],
  [
    'RELRO ends behind its segment',
    'ERR_SEGMENT',
    /PT_GNU_RELRO/,
    library({ 'phdr[PT_GNU_RELRO].p_memsz': 0x3000 }, { relro: true }),
  ],
  [
    'RELRO size overflows',
    'ERR_SEGMENT',
    /PT_GNU_RELRO/,
    library({ 'phdr[PT_GNU_RELRO].p_memsz': top - 0x1000n }, { relro: true }),
  ],
  [
    'PT_TLS lies in no segment',
    'ERR_SEGMENT',
    /PT_TLS/,
    library({ 'phdr[PT_TLS].p_vaddr': outside }, { tls: true }),
  ],
  [
    'PT_TLS lies behind the file',
    'ERR_TRUNCATED',
    /PT_TLS/,
    library({ 'phdr[PT_TLS].p_offset': outside }, { tls: true }),
  ],
  [
    'PT_TLS stores more than it has',
    'ERR_SEGMENT',
    /PT_TLS.*p_memsz/,
    library({ 'phdr[PT_TLS].p_memsz': 2 }, { tls: true }),
  ],
  [
    'PT_TLS alignment is not a power of two',
    'ERR_SEGMENT',
    /PT_TLS.*power of two/,
    library({ 'phdr[PT_TLS].p_align': 24 }, { tls: true }),
  ],
  [
    'PT_TLS alignment is 8 KiB',
    'ERR_SEGMENT',
    /PT_TLS.*p_align/,
    library({ 'phdr[PT_TLS].p_align': 0x2000 }, { tls: true }),
  ],
  [
    'PT_TLS is 64 GiB',
    'ERR_SEGMENT',
    /PT_TLS.*p_memsz/,
    library({ 'phdr[PT_TLS].p_memsz': 1n << 36n }, { tls: true }),
  ],
  [
    'PT_GNU_EH_FRAME lies in no segment',
    'ERR_SEGMENT',
    /PT_GNU_EH_FRAME/,
    library(
      { 'phdr[PT_GNU_RELRO].p_type': PT.GNU_EH_FRAME, 'phdr[PT_GNU_RELRO].p_vaddr': outside },
      { relro: true },
    ),
  ],
];

/** A dynamic tag whose table lies in no segment. */
function misplaced(tag: keyof typeof DT, options: LibraryOptions = {}): Row {
  const bytes = library({ [`dyn[DT_${tag}].d_val`]: outside }, options);
  return [`DT_${tag} lies in no segment`, 'ERR_DYNAMIC', new RegExp(`DT_${tag}\\b`), bytes];
}

const versioned = { imports: [{ name: 'getpid', version: { name: 'GLIBC_2.2.5', library: 'libc.so.6' } }] };
const everyTable: LibraryOptions = { ...versioned, initArray: true, soname: malformedFileName };

const dynamicSection: Row[] = [
  ['dynamic section has no DT_NULL', 'ERR_DYNAMIC', /DT_NULL/, library({ 'dyn[DT_NULL].d_tag': DT.DEBUG })],
  ['dynamic section is half an entry', 'ERR_DYNAMIC', /DT_NULL/, library({ 'phdr[PT_DYNAMIC].p_filesz': 8 })],
  misplaced('STRTAB'),
  misplaced('SYMTAB'),
  misplaced('RELA'),
  misplaced('RELR', { relr: true }),
  misplaced('HASH'),
  misplaced('GNU_HASH'),
  misplaced('INIT_ARRAY', everyTable),
  misplaced('VERSYM', everyTable),
  misplaced('VERNEED', everyTable),
  misplaced('INIT', { dynamic: [['INIT', 0]] }),
  misplaced('JMPREL', {
    dynamic: [
      ['JMPREL', 0],
      ['PLTRELSZ', 24],
      ['PLTREL', DT.RELA],
    ],
  }),
  misplaced('FINI_ARRAY', {
    dynamic: [
      ['FINI_ARRAY', 0],
      ['FINI_ARRAYSZ', 8],
    ],
  }),
  ['DT_INIT leads to data', 'ERR_DYNAMIC', /DT_INIT\b/, library({}, { dynamic: [['INIT', rwAddress]] })],
  [
    'DT_STRSZ leads out of the segment',
    'ERR_DYNAMIC',
    /DT_STRTAB/,
    library({ 'dyn[DT_STRSZ].d_val': outside }),
  ],
  ['DT_STRSZ is 0', 'ERR_DYNAMIC', /DT_STRTAB/, library({ 'dyn[DT_STRSZ].d_val': 0 })],
  ['string table has no NUL at its end', 'ERR_DYNAMIC', /DT_STRTAB.*NUL/, library({ 'dynstr.last': 0x41 })],
  ['DT_SYMENT is 16', 'ERR_DYNAMIC', /DT_SYMENT/, library({ 'dyn[DT_SYMENT].d_val': 16 })],
  ['DT_SYMTAB is misaligned', 'ERR_DYNAMIC', /DT_SYMTAB/, library({ 'dyn[DT_SYMTAB].d_val': 0x1a4 })],
  ['DT_RELAENT is 16', 'ERR_DYNAMIC', /DT_RELAENT/, library({ 'dyn[DT_RELAENT].d_val': 16 })],
  [
    'DT_RELASZ is no multiple of DT_RELAENT',
    'ERR_DYNAMIC',
    /DT_RELA\b.*multiple/,
    library({ 'dyn[DT_RELASZ].d_val': 25 }),
  ],
  ['DT_RELASZ overflows', 'ERR_DYNAMIC', /DT_RELA\b/, library({ 'dyn[DT_RELASZ].d_val': top - 16n })],
  ['DT_RELASZ without DT_RELA', 'ERR_DYNAMIC', /DT_RELA\b/, library({ 'dyn[DT_RELA].d_tag': DT.DEBUG })],
  ['DT_RELRENT is 4', 'ERR_DYNAMIC', /DT_RELRENT/, library({ 'dyn[DT_RELRENT].d_val': 4 }, { relr: true })],
  [
    'DT_RELRSZ is no multiple of 8',
    'ERR_DYNAMIC',
    /DT_RELR\b.*multiple/,
    library({ 'dyn[DT_RELRSZ].d_val': 12 }, { relr: true }),
  ],
  [
    'DT_REL instead of DT_RELA',
    'ERR_DYNAMIC',
    /DT_REL\b/,
    library(
      {},
      {
        dynamic: [
          ['REL', 0x100],
          ['RELSZ', 16],
          ['RELENT', 16],
        ],
      },
    ),
  ],
  [
    'DT_PLTREL is DT_REL',
    'ERR_DYNAMIC',
    /DT_PLTREL/,
    library(
      {},
      {
        dynamic: [
          ['JMPREL', 0x100],
          ['PLTRELSZ', 24],
          ['PLTREL', DT.REL],
        ],
      },
    ),
  ],
  [
    'DT_INIT_ARRAYSZ is no multiple of 8',
    'ERR_DYNAMIC',
    /DT_INIT_ARRAY.*multiple/,
    library({ 'dyn[DT_INIT_ARRAYSZ].d_val': 12 }, everyTable),
  ],
  [
    'DT_SONAME lies behind the string table',
    'ERR_DYNAMIC',
    /DT_SONAME/,
    library({ 'dyn[DT_SONAME].d_val': 0xffff }, everyTable),
  ],
  [
    'DT_NEEDED lies behind the string table',
    'ERR_DYNAMIC',
    /DT_NEEDED/,
    library({ 'dyn[DT_NEEDED].d_val': 0xffff }, everyTable),
  ],
  [
    'DT_NEEDED 257 times',
    'ERR_DYNAMIC',
    /256 DT_NEEDED/,
    library({}, { dynamic: Array.from({ length: 257 }, () => ['NEEDED', 1]) }),
  ],
  [
    'string table is writable',
    'ERR_DYNAMIC',
    /DT_STRTAB is writable/,
    library({ 'dyn[DT_STRTAB].d_val': rwAddress + 0x1000, 'dyn[DT_STRSZ].d_val': 8 }),
  ],
  [
    'DT_FINI_ARRAY leads to data',
    'ERR_DYNAMIC',
    /DT_FINI_ARRAY\[0\]/,
    library(
      {},
      {
        dynamic: [
          ['FINI_ARRAY', rwAddress],
          ['FINI_ARRAYSZ', 8],
        ],
      },
    ),
  ],
  ['DT_TEXTREL', 'ERR_TEXTREL', /text relocations/, library({}, { dynamic: [['TEXTREL', 0]] })],
  ['DF_TEXTREL', 'ERR_TEXTREL', /text relocations/, library({}, { dynamic: [['FLAGS', 4]] })],
  ['DF_STATIC_TLS', 'ERR_TLS', /initial-exec/, library({}, { tls: true, dynamic: [['FLAGS', 0x10]] })],
];

const hashTables: Row[] = [
  ['DT_HASH has no bucket', 'ERR_HASH', /DT_HASH/, library({ 'hash.nbucket': 0 }, { hash: 'sysv' })],
  [
    'DT_HASH has 2^32 - 1 buckets',
    'ERR_HASH',
    /DT_HASH/,
    library({ 'hash.nbucket': 0xffffffff }, { hash: 'sysv' }),
  ],
  [
    'DT_HASH has 2^32 - 1 chains',
    'ERR_HASH',
    /DT_HASH/,
    library({ 'hash.nchain': 0xffffffff }, { hash: 'sysv' }),
  ],
  [
    'DT_GNU_HASH has no bucket',
    'ERR_HASH',
    /DT_GNU_HASH/,
    library({ 'gnu_hash.nbuckets': 0 }, { hash: 'gnu' }),
  ],
  [
    'DT_GNU_HASH has 2^32 - 1 buckets',
    'ERR_HASH',
    /DT_GNU_HASH/,
    library({ 'gnu_hash.nbuckets': 0xffffffff }, { hash: 'gnu' }),
  ],
  [
    'DT_GNU_HASH symoffset is behind the symbols',
    'ERR_HASH',
    /DT_GNU_HASH/,
    library({ 'gnu_hash.symoffset': 99 }, { hash: 'gnu' }),
  ],
  [
    'DT_GNU_HASH has no Bloom word',
    'ERR_HASH',
    /DT_GNU_HASH/,
    library({ 'gnu_hash.bloom_size': 0 }, { hash: 'gnu' }),
  ],
  [
    'DT_GNU_HASH Bloom size is 3',
    'ERR_HASH',
    /DT_GNU_HASH/,
    library({ 'gnu_hash.bloom_size': 3 }, { hash: 'gnu' }),
  ],
  [
    'DT_GNU_HASH Bloom size is 2^31',
    'ERR_HASH',
    /DT_GNU_HASH/,
    library({ 'gnu_hash.bloom_size': 0x80000000 }, { hash: 'gnu' }),
  ],
];

/** What shows when a symbol is looked up: `answer`, which is sym[1]. Only then are chains followed. */
const lookups: Row[] = [
  [
    'IFUNC resolver of an export in data',
    'ERR_SYMBOL',
    /resolver at 0x3000/,
    library({ 'sym[1].st_info': 0x1a, 'sym[1].st_value': rwAddress }),
  ],
  [
    'DT_HASH has fewer chains than symbols',
    'ERR_HASH',
    /chain of symbol answer/,
    library({ 'hash.nchain': 1 }, { hash: 'sysv' }),
  ],
  [
    'DT_HASH bucket leads out of the table',
    'ERR_HASH',
    /chain of symbol answer/,
    library({ 'hash.bucket[0]': 99 }, { hash: 'sysv' }),
  ],
  [
    'DT_HASH chain leads out of the table',
    'ERR_HASH',
    /chain of symbol answer/,
    library({ 'hash.bucket[0]': 2, 'hash.chain[2]': 99 }, { hash: 'sysv' }),
  ],
  [
    'DT_HASH chain is a loop',
    'ERR_HASH',
    /chain of symbol answer/,
    library({ 'hash.bucket[0]': 2, 'hash.chain[2]': 2 }, { hash: 'sysv' }),
  ],
  [
    'DT_GNU_HASH bucket leads out of the table',
    'ERR_HASH',
    /chain of symbol answer/,
    library({ 'gnu_hash.bucket[0]': 99 }, { hash: 'gnu' }),
  ],
  [
    'DT_GNU_HASH bucket leads in front of the table',
    'ERR_HASH',
    /chain of symbol answer/,
    library({ 'gnu_hash.symoffset': 2 }, { hash: 'gnu' }),
  ],
  [
    'DT_GNU_HASH chain has no end',
    'ERR_HASH',
    /chain of symbol answer/,
    library({ 'gnu_hash.bucket[0]': 2, 'gnu_hash.chain[1]': 0x1234 }, { hash: 'gnu' }),
  ],
];

/** rela[0] of the minimal library as another relocation. */
function relocation(type: number, values: Values = {}, options: LibraryOptions = {}): () => Buffer {
  return library({ 'rela[0].r_type': type, ...values }, options);
}

const constructed = minimalLibrary({ initArray: true });
/** Moves a header behind the first entry of the dynamic section (DT_HASH, which DT_GNU_HASH stands in for). */
const behindFirstEntry = { p_offset: 16n, p_vaddr: 16n, p_filesz: -16n, p_memsz: -16n };

const relocations: Row[] = [
  ['relocation in text', 'ERR_TEXTREL', /text/, library({ 'rela[0].r_offset': text })],
  ['relocation in read-only data', 'ERR_RELOCATION', /writable/, library({ 'rela[0].r_offset': 0x40 })],
  ['relocation in no segment', 'ERR_RELOCATION', /writable/, library({ 'rela[0].r_offset': outside })],
  ['relocation between segments', 'ERR_RELOCATION', /writable/, library({ 'rela[0].r_offset': 0x2800 })],
  [
    'relocation in the last 4 bytes of its segment',
    'ERR_RELOCATION',
    /writable/,
    library({ 'rela[0].r_offset': rwAddress + rwSize - 4 }),
  ],
  [
    'relocation in the 4 bytes before its segment',
    'ERR_RELOCATION',
    /writable/,
    library({ 'rela[0].r_offset': rwAddress - 4 }),
  ],
  [
    'relocation in front of its segment, on the page of the one before',
    'ERR_RELOCATION',
    /0x3000; want them in a writable/,
    library(
      {
        ...Object.fromEntries(
          ['phdr[2]', 'phdr[PT_DYNAMIC]'].flatMap((header) =>
            Object.entries(behindFirstEntry).map(([field, by]) => [
              `${header}.${field}`,
              constructed.get(`${header}.${field}`) + by,
            ]),
          ),
        ),
        'rela[1].r_offset': rwAddress,
      },
      { initArray: true },
    ),
  ],
  ['relocation overflows', 'ERR_RELOCATION', /writable/, library({ 'rela[0].r_offset': top - 4n })],
  ['relocation type is unknown', 'ERR_RELOCATION', /type 99/, relocation(99)],
  ['relocation type is static (R_X86_64_PC32)', 'ERR_RELOCATION', /type 2\b/, relocation(2)],
  ['COPY relocation', 'ERR_RELOCATION', /COPY/, relocation(R_X86_64.COPY, { 'rela[0].r_sym': 1 })],
  [
    'initial-exec TLS',
    'ERR_TLS',
    /initial-exec/,
    library({ 'rela[1].r_type': R_X86_64.TPOFF64 }, { tls: true }),
  ],
  ['thread-local relocation without PT_TLS', 'ERR_TLS', /PT_TLS/, relocation(R_X86_64.DTPMOD64)],
  [
    'IFUNC resolver in no segment',
    'ERR_RELOCATION',
    /resolver/,
    relocation(R_X86_64.IRELATIVE, { 'rela[0].r_addend': outside }),
  ],
  [
    'IFUNC resolver in data',
    'ERR_RELOCATION',
    /resolver/,
    relocation(R_X86_64.IRELATIVE, { 'rela[0].r_addend': rwAddress }),
  ],
  [
    'DT_RELR address in no segment',
    'ERR_RELOCATION',
    /writable/,
    library({ 'relr[0]': outside }, { relr: true }),
  ],
  ['DT_RELR address in text', 'ERR_TEXTREL', /text/, library({ 'relr[0]': text }, { relr: true })],
  ['DT_RELR starts with a bitmap', 'ERR_RELOCATION', /writable/, library({ 'relr[0]': 3 }, { relr: true })],
  [
    'DT_RELR bitmap leads out of the segment',
    'ERR_RELOCATION',
    /writable/,
    library({ 'relr[0]': rwAddress + rwSize - 8, 'relr[1]': 3 }, { relr: true, initArray: true }),
  ],
  [
    'constructor in no segment',
    'ERR_DYNAMIC',
    /DT_INIT_ARRAY\[0\]/,
    library({ 'rela[1].r_addend': outside }, { initArray: true }),
  ],
  [
    'constructor in data',
    'ERR_DYNAMIC',
    /DT_INIT_ARRAY\[0\]/,
    library({ 'rela[1].r_addend': rwAddress }, { initArray: true }),
  ],
  [
    'constructor without relocation',
    'ERR_DYNAMIC',
    /DT_INIT_ARRAY\[0\]/,
    library({ 'rela[1].r_type': 0 }, { initArray: true }),
  ],
];

const imported = { imports: [{ name: 'getpid' }] };

const symbols: Row[] = [
  [
    'symbol index behind the table',
    'ERR_SYMBOL',
    /symbol 99/,
    relocation(R_X86_64.GLOB_DAT, { 'rela[0].r_sym': 99 }),
  ],
  [
    'symbol index is 2^32 - 1',
    'ERR_SYMBOL',
    /symbol 4294967295/,
    relocation(R_X86_64.R64, { 'rela[0].r_sym': 0xffffffff }),
  ],
  [
    'symbol name behind the string table',
    'ERR_SYMBOL',
    /name.*string table/,
    library({ 'sym[1].st_name': 0xffffff }, imported),
  ],
  ['missing symbol', 'ERR_SYMBOL', /insitu_nowhere/, library({}, { imports: [{ name: 'insitu_nowhere' }] })],
  [
    'missing symbol whose name is a line and a control sequence',
    'ERR_SYMBOL',
    /insitu\?nowhere\?\[2J;/,
    library({}, { imports: [{ name: 'insitu\nnowhere\x1b[2J' }] }),
  ],
  [
    'missing symbol with a name of 2000 bytes',
    'ERR_SYMBOL',
    /defined nowhere: insitu_x{500}/,
    library({}, { imports: [{ name: `insitu_${'x'.repeat(2000)}` }] }),
  ],
  [
    'several missing symbols',
    'ERR_SYMBOL',
    /(?=.*insitu_nowhere_1)(?=.*insitu_nowhere_2)(?=.*insitu_nowhere_3)/s,
    library({}, { imports: [1, 2, 3].map((n) => ({ name: `insitu_nowhere_${n}` })) }),
  ],
  [
    'missing symbol version',
    'ERR_SYMBOL',
    /getpid.*INSITU_9\.9/,
    library({}, { imports: [{ name: 'getpid', version: { name: 'INSITU_9.9', library: 'libc.so.6' } }] }),
  ],
  [
    'missing needed library',
    'ERR_NEEDED',
    /libinsitu-nowhere\.so/,
    library({}, { needed: ['libinsitu-nowhere.so'] }),
  ],
  [
    'needs itself',
    'ERR_NEEDED',
    /cycl|itself/,
    library({}, { soname: malformedFileName, needed: [malformedFileName], runpath: '$ORIGIN' }),
  ],
];

const interpreterSize = Number(minimalProgram({ kind: 'pie' }).get('phdr[PT_INTERP].p_filesz'));

/** p_filesz and p_memsz of PT_INTERP. */
function interpreterOf(size: number): () => Buffer {
  return program({ 'phdr[PT_INTERP].p_filesz': size, 'phdr[PT_INTERP].p_memsz': size }, 'pie');
}

const programs: Row[] = [
  ['program: type is ET_REL', 'ERR_UNSUPPORTED', /type is 1/, program({ e_type: 1 })],
  ['program: machine is AArch64', 'ERR_UNSUPPORTED', /machine/, program({ e_machine: 183 })],
  [
    'program: text ends behind the file',
    'ERR_TRUNCATED',
    /PT_LOAD\[1\]/,
    program({ 'phdr[1].p_filesz': 0x2000, 'phdr[1].p_memsz': 0x2000 }),
  ],
  ['program: text is writable', 'ERR_WX', /RWX/, program({ 'phdr[1].p_flags': 7 })],
  ['program: stack is executable', 'ERR_WX', /stack/, program({ 'phdr[PT_GNU_STACK].p_flags': 7 })],
  ['program: entry is 0', 'ERR_HEADER', /e_entry/, program({ e_entry: 0 })],
  ['program: entry in no segment', 'ERR_HEADER', /e_entry/, program({ e_entry: outside })],
  ['program: entry in read-only data', 'ERR_HEADER', /e_entry/, program({ e_entry: 0x400000 })],
  ['program: entry in data', 'ERR_HEADER', /e_entry/, program({ e_entry: rwAddress }, 'static-pie')],
  [
    'program: p_align is 2^40',
    'ERR_SEGMENT',
    /p_align/,
    program({ 'phdr[0].p_align': 1n << 40n }, 'static-pie'),
  ],
  [
    'program: PT_INTERP path is not terminated',
    'ERR_SEGMENT',
    /PT_INTERP.*terminated/,
    program({ 'interp.last': 0x41 }, 'pie'),
  ],
  ['program: PT_INTERP path ends early', 'ERR_SEGMENT', /PT_INTERP.*NUL/, interpreterOf(interpreterSize + 1)],
  ['program: PT_INTERP path is too long', 'ERR_SEGMENT', /PT_INTERP.*300 bytes/, interpreterOf(300)],
  ['program: PT_INTERP path is empty', 'ERR_SEGMENT', /PT_INTERP.*1 bytes/, interpreterOf(1)],
  [
    'program: PT_INTERP lies behind the file',
    'ERR_TRUNCATED',
    /PT_INTERP/,
    program({ 'phdr[PT_INTERP].p_offset': outside }, 'pie'),
  ],
];

function rows(as: Malformed['as'], shows: Malformed['shows'], ...groups: Row[][]): Malformed[] {
  return groups.flat().map(([name, code, message, bytes]) => ({ name, code, message, bytes, as, shows }));
}

/** Every row is a file that ld.so or the kernel accepts, but for the fields it patches or the dynamic entries it adds. */
export const malformed: Malformed[] = [
  ...rows(
    'library',
    'at load',
    truncated,
    elfHeader,
    segments,
    inner,
    dynamicSection,
    hashTables,
    relocations,
    symbols,
  ),
  ...rows('library', 'at lookup', lookups),
  ...rows('program', 'at load', programs),
];
