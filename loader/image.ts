// An ELF image as stored: headers and dynamic section checked natively (native/elf.h, dynamic.h), nothing mapped.
import type { OpenFile } from './backing.ts';
import { inFile } from './error.ts';
import type { Format, ProgramKind } from './format.ts';
import { type ImageHandle, native, slot, slots } from './native.ts';

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
  readonly entry: number;
  readonly tls: { readonly vaddr: number; readonly memSize: number };
  readonly executableStack: boolean;
  readonly textRelocations: boolean;
  readonly handle: ImageHandle;
}

/** By enum ImageKind of native/library.h. */
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
 * Reads and checks the headers of an open file's ELF image. The file must stay open until the image is mapped.
 * @throws LoadError naming the first thing that is wrong
 */
export function read(file: OpenFile): Image {
  const { path, start, size, backing } = file;
  const unit = backing.medium === 'devdax' ? backing.granule : 0;
  let handle: ImageHandle;
  try {
    handle = native.readImage(path, file.fd, start, size, slots, unit);
  } catch (error) {
    throw inFile(path, error);
  }
  const [format, kind] = kinds[slot(0)] as [Format, ProgramKind | null];
  const segments: Segment[] = [];
  for (let i = 0; i < slot(13); i++) {
    const k = 32 + 8 * i;
    segments.push({
      index: slot(k),
      flags: slot(k + 1),
      fileOffset: slot(k + 2),
      fileSize: slot(k + 3),
      vaddr: slot(k + 4),
      memSize: slot(k + 5),
      align: slot(k + 6),
    });
  }
  return {
    path,
    format,
    kind,
    machine: slot(1) === EM_X86_64 ? 'x86-64' : 'aarch64',
    segments,
    lo: slot(2),
    hi: slot(3),
    entry: slot(9),
    tls: { vaddr: slot(7), memSize: slot(8) },
    executableStack: slot(10) !== 0,
    textRelocations: slot(11) !== 0,
    handle,
  };
}
