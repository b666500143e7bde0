// An ELF image as stored: headers checked natively (native/elf.h), nothing mapped yet.
import type { Backing } from './backing.ts';
import { inFile, LoadError } from './error.ts';
import { detect, type Format, type ProgramKind } from './format.ts';
import { type ImageHandle, native, slots } from './native.ts';

/** One PT_LOAD program header. Offsets and sizes in bytes. */
export interface Segment {
  readonly index: number;
  /** PF_X 1, PF_W 2, PF_R 4. */
  readonly flags: number;
  readonly fileOffset: number;
  readonly fileSize: number;
  /** Link-time address: below 2^47, so exact. */
  readonly vaddr: number;
  readonly memSize: number;
  readonly align: number;
}

export interface Image {
  readonly path: string;
  readonly format: Format;
  readonly kind: ProgramKind | null;
  readonly machine: 'x86-64' | 'aarch64';
  readonly segments: readonly Segment[];
  /** Link-time range, page-rounded. */
  readonly lo: number;
  readonly hi: number;
  readonly maxAlign: number;
  readonly entry: number;
  readonly relro: { readonly vaddr: number; readonly size: number };
  readonly tls: { readonly vaddr: number; readonly memSize: number };
  readonly executableStack: boolean;
  readonly textRelocations: boolean;
  readonly dynamic: boolean;
  readonly hasRunPath: boolean;
  readonly handle: ImageHandle;
}

const kinds: readonly [Format, ProgramKind | null][] = [
  ['unknown', null],
  ['elf-program', 'static'],
  ['elf-program', 'static-pie'],
  ['elf-program', 'pie'],
  ['elf-program', 'no-pie'],
  ['elf-shared', null],
  ['node-addon', null],
];

const EM_X86_64 = 62;

/**
 * Reads and checks the headers of an ELF image that starts at byte `start` of its backing.
 * The backing must stay open until the image is mapped.
 * @throws LoadError naming the first thing that is wrong.
 */
export function read(backing: Backing, start = 0): Image {
  const { path, size } = backing;
  let handle: ImageHandle;
  try {
    handle = native.readImage(path, backing.fd, start, Math.max(0, size - start), slots);
  } catch (error) {
    throw inFile(path, error);
  }
  const at = (i: number) => slots[i] as number;
  const [format, kind] = kinds[at(0)] as [Format, ProgramKind | null];
  const segments: Segment[] = [];
  for (let i = 0; i < at(13); i++) {
    const k = 32 + 8 * i;
    segments.push({
      index: at(k),
      flags: at(k + 1),
      fileOffset: at(k + 2),
      fileSize: at(k + 3),
      vaddr: at(k + 4),
      memSize: at(k + 5),
      align: at(k + 6),
    });
  }
  return {
    path,
    format,
    kind,
    machine: at(1) === EM_X86_64 ? 'x86-64' : 'aarch64',
    segments,
    lo: at(2),
    hi: at(3),
    maxAlign: at(4),
    entry: at(9),
    relro: { vaddr: at(5), size: at(6) },
    tls: { vaddr: at(7), memSize: at(8) },
    executableStack: at(10) !== 0,
    textRelocations: at(11) !== 0,
    dynamic: at(12) !== 0,
    hasRunPath: at(14) !== 0,
    handle,
  };
}

const familyNames = {
  elf: 'an ELF image',
  'wasm-module': 'a WebAssembly module',
  'wasm-component': 'a WebAssembly component',
  script: 'a script',
  unknown: 'of no known format',
};

/** Headers of a shared object. @throws LoadError ERR_FORMAT for anything else. */
export function readShared(backing: Backing): Image {
  const family = detect(backing.head);
  // What is no ELF at all goes on to the native reader where it is too short to tell: it names the place.
  if (family !== 'elf' && family !== 'unknown') {
    const text = `is ${familyNames[family]}; want an ELF shared object`;
    throw new LoadError('ERR_FORMAT', backing.path, text);
  }
  const image = read(backing);
  if (image.format === 'elf-program') {
    const text = `is an ELF program (${image.kind}); want an ELF shared object (insitu run starts programs)`;
    throw new LoadError('ERR_FORMAT', backing.path, text);
  }
  if (!image.dynamic)
    throw new LoadError('ERR_DYNAMIC', backing.path, 'has no PT_DYNAMIC; want the dynamic section of a shared object');
  if (image.executableStack)
    throw new LoadError('ERR_WX', backing.path, 'asks for an executable stack (PT_GNU_STACK); want none');
  return image;
}
