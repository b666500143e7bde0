// Everything insitu can say of a stored file without running it: what inspect prints.

import { type Backing, OpenFile } from './backing.ts';
import { calledSo, inFile, LoadError } from './error.ts';
import { detect, type Format, type ProgramKind } from './format.ts';
import { faults, type HugePages, hugePages, hugePagesOfImage, textOf } from './huge-pages.ts';
import { type Image, read } from './image.ts';
import { type ImageDetails, native } from './native.ts';
import { type PlanSegment, plan } from './plan.ts';
import { requireHere } from './root.ts';
import { type Located, locate } from './store/locate.ts';

export interface Listing {
  file: string;
  format: Format;
  kind: ProgramKind | null;
  machine: string | null;
  size: number;
  backing: Backing;
  hugePages: HugePages;
  segments: readonly PlanSegment[];
  relocations: ImageDetails['relocations'];
  needed: string[];
  interpreter: string | null;
  soname: string | null;
  runpath: string | null;
  /** The program header table as it is stored; null where elfy cannot list it (no ELF, or no section headers). */
  programHeaders: ProgramHeader[] | null;
  symbols?: string[];
}

export interface ProgramHeader {
  type: string;
  offset: number;
  vaddr: number;
  fileSize: number;
  memSize: number;
  flags: string;
}

const nothing = { relative: 0, symbol: 0, irelative: 0, tls: 0, text: 0 };

/**
 * @param name a file, or a reference to a part of one (store/reference.ts)
 * @throws LoadError for what is no regular file, and for a malformed ELF image.
 */
export function list(name: string, withSymbols = false): Listing {
  using located = locate(name);
  try {
    return listLocated(name, located, withSymbols);
  } catch (error) {
    throw calledSo(name, located.path, error);
  }
}

function listLocated(name: string, located: Located, withSymbols: boolean): Listing {
  const { path } = located;
  using file = new OpenFile(path, located.start, located.size);
  const family = detect(file.head);
  const { backing, size } = file;
  const common = { file: name, size, backing };
  if (family === 'elf') return { ...common, ...listElf(file, withSymbols) };
  if (size === 0)
    throw new LoadError('ERR_TRUNCATED', path, 'file is empty; want a program, library or module');
  return {
    ...common,
    hugePages: hugePages(file, { offset: file.start, size }),
    format: family,
    kind: null,
    machine: family.startsWith('wasm') ? 'wasm' : null,
    segments: [],
    relocations: nothing,
    needed: [],
    interpreter: family === 'script' ? scriptInterpreter(file) : null,
    soname: null,
    runpath: null,
    programHeaders: null,
  };
}

function listElf(file: OpenFile, withSymbols: boolean): Omit<Listing, 'file' | 'size' | 'backing'> {
  const image = read(file);
  const { segments } = plan(image, file.backing, 'in-place', file.start);
  const programHeaders = headersByElfy(file);
  try {
    native.mapForInspection(image.handle);
    const { relocations, needed, interpreter, soname, runpath, rpath, damaged } = native.imageDetails(
      image.handle,
    );
    const symbols = withSymbols ? { symbols: native.imageSymbols(image.handle) } : {};
    if (damaged)
      throw new LoadError(
        'ERR_CHANGED',
        file.path,
        'lost pages while it was read; want a file that does not shrink',
      );
    const { format, kind, machine } = image;
    const pages = hugePagesOfImage(file, image, startedByKernel(file, image));
    const rest = {
      hugePages: pages,
      needed,
      interpreter,
      soname,
      runpath: runpath ?? rpath,
      programHeaders,
      ...symbols,
    };
    return { format, kind, machine, segments, relocations, ...rest };
  } catch (error) {
    throw inFile(file.path, error);
  } finally {
    native.closeImage(image.handle);
  }
}

/**
 * How many page faults it takes to touch all of a library's or program's text, mapped anew: one for each page that the
 * kernel could map, whatever its size. Null where there is no text, or the file shrank meanwhile.
 */
export function countFaults(name: string): { pages: number; faults: number } | null {
  using located = locate(name);
  using file = new OpenFile(located.path, located.start, located.size);
  const image = read(file);
  native.closeImage(image.handle);
  const text = textOf(image, file.start);
  return text && faults(file, text);
}

const startedByKernel = (file: OpenFile, image: Image): boolean =>
  image.format === 'elf-program' && file.start === 0 && file.backing.medium !== 'devdax';

interface ElfyProgram {
  type: string;
  offset: number;
  vaddr: number;
  filesz: number;
  memsz: number;
  flags: { r: boolean; w: boolean; x: boolean };
}

/**
 * The program headers through elfy, over a mapped view of the file: nothing is read into memory. elfy checks next to
 * nothing, so it sees only what the native reader has accepted; it throws where there are no section headers.
 */
function headersByElfy(file: OpenFile): ProgramHeader[] | null {
  const elfy = requireHere('elfy') as {
    parse(bytes: Buffer): { body: { programs: ElfyProgram[] } };
  };
  try {
    const view = native.view(file.fd, file.start, file.size, file.path);
    return elfy.parse(view).body.programs.map(({ type, offset, vaddr, filesz, memsz, flags }) => ({
      type: type === 'sunw_eh_frame' ? 'gnu_eh_frame' : type, // one number with two owners: GNU's here
      offset: Number(offset),
      vaddr: Number(vaddr),
      fileSize: Number(filesz),
      memSize: Number(memsz),
      flags: `${flags.r ? 'r' : '-'}${flags.w ? 'w' : '-'}${flags.x ? 'x' : '-'}`,
    }));
  } catch {
    return null;
  }
}

/** The path behind '#!' (execve(2)). */
function scriptInterpreter(file: OpenFile): string | null {
  const view = native.view(file.fd, file.start, Math.min(file.size, 256), file.path);
  const line = view.toString('latin1').split('\n', 1)[0] ?? '';
  return line.slice(2).trim().split(/\s+/)[0] || null;
}
