// Programs started where they are stored: by the kernel alone where it executes in place already, else by insitu-exec.
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Backing, OpenFile } from '../../loader/backing.ts';
import { calledSo, inFile, LoadError } from '../../loader/error.ts';
import { detect, type Format, type ProgramKind } from '../../loader/format.ts';
import { read } from '../../loader/image.ts';
import { native, prebuilt } from '../../loader/native.ts';
import { whyNoDax } from '../../loader/no-dax.ts';
import { type PlanSegment, plan } from '../../loader/plan.ts';
import { type Located, locate } from '../../loader/store/locate.ts';
import { isReference, looksLikePart } from '../../loader/store/reference.ts';

export interface RunOptions {
  place?: 'in-place' | 'copy';
  /** Refuse (ERR_NOT_IN_PLACE) unless the program's text would be executed from NVM. */
  requireInPlace?: boolean;
  /** Its argv[0]; the file as given if not said. */
  argv0?: string;
}

/** How a program is going to be started. */
export interface Start {
  readonly file: string;
  /** What the user calls it: the file, or an entry of a region. */
  readonly name: string;
  /** Where its image starts in the file, in bytes. */
  readonly start: number;
  /** Holds an entry's space until the program has mapped it. */
  readonly located: Located;
  /** execve: by the kernel; runner: mapped or copied by insitu-exec. */
  readonly way: 'execve' | 'runner';
  readonly why: string;
  readonly place: 'in-place' | 'copy';
  readonly format: Format;
  readonly kind: ProgramKind | null;
  readonly backing: Backing;
  /** What it gets by execve(2) and by nothing else: 'set-user-ID', … or none. */
  readonly privileges: string;
  readonly segments: readonly PlanSegment[];
  /** What is handed to execve(2). */
  readonly command: string;
  readonly argv: readonly string[];
}

/** This process's, byte for byte: process.env has lost what is no UTF-8. */
export const OWN_ENVIRONMENT: string[] = [];

const S_ISUID = 0o4000;
const S_ISGID = 0o2000;

/** A path if it has a slash or is a file here, else as a shell finds it: the first in PATH that may be executed. */
export function findProgram(name: string): string {
  if (name.includes('/') || isFile(name)) return name;
  const candidates = (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory || '.', name));
  return candidates.find((path) => isFile(path) && isExecutable(path)) ?? name;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A part of a file or an entry of a region as named; any other name as a shell finds it. */
function locateProgram(name: string): Located {
  return locate(isReference(name) ? name : findProgram(name));
}

/**
 * Decides how `name` is started; starts nothing.
 * @throws LoadError for what can't be run, with the reason
 */
export function prepare(name: string, args: readonly string[], options: RunOptions = {}): Start {
  const located = locateProgram(name);
  try {
    return prepareLocated(name, located, args, options);
  } catch (error) {
    located[Symbol.dispose]();
    throw located.entry === null ? error : calledSo(name, located.path, error);
  }
}

function prepareLocated(name: string, located: Located, args: readonly string[], options: RunOptions): Start {
  const { path, start, size, entry } = located;
  const place = options.place ?? 'in-place';
  using file = new OpenFile(path, start, size);
  const { backing } = file;
  const family = detect(file.head);
  const argv0 = options.argv0 ?? entry?.name ?? name;
  const byKernel = { command: path, argv: [argv0, ...args] };
  const privileges = privilegesOf(entry?.mode ?? backing.mode, native.fileCapabilities(file.fd));
  const common = {
    file: path,
    name: entry === null ? path : name,
    start,
    located,
    place,
    backing,
    privileges,
  };
  if (family === 'script') {
    if (place === 'copy' || options.requireInPlace || start !== 0)
      throw new LoadError('ERR_FORMAT', path, 'is a script; want an ELF program (its interpreter, for one)');
    const why = 'a script: the kernel starts its interpreter';
    return { ...common, way: 'execve', why, format: 'script', kind: null, segments: [], ...byKernel };
  }
  if (family !== 'elf' && family !== 'unknown') {
    const text = `is a ${family}; want an ELF program (insitu run runs WebAssembly, too)`;
    throw new LoadError('ERR_FORMAT', path, text);
  }
  const image = read(file);
  if (image.format !== 'elf-program') {
    const text = 'is a shared object; want a program (insitu call calls functions of libraries)';
    throw new LoadError('ERR_FORMAT', path, text, 16);
  }
  if (entry !== null && (entry.mode & 0o111) === 0) {
    const text = `has mode ${entry.mode.toString(8)}; want a program that may be executed (place it again with +x)`;
    throw new LoadError('EACCES', name, text);
  }
  const { segments } = plan(image, backing, place, start);
  native.closeImage(image.handle);
  if (options.requireInPlace) requireInPlace(path, backing, segments);
  const described = { ...common, format: image.format, kind: image.kind, segments };
  // Of a file in the page cache the kernel maps the very pages that insitu-exec would, and keeps /proc/self/exe right
  // for everybody.
  if (backing.medium !== 'devdax' && start === 0 && place === 'in-place') {
    const why =
      backing.medium === 'page-cache'
        ? `the kernel maps ${backing.fileSystem}'s page cache, itself a copy in DRAM`
        : `the kernel executes files of ${backing.fileSystem} where they are stored`;
    return { ...described, way: 'execve', why, ...byKernel };
  }
  if (privileges !== '') {
    const text = `is ${privileges}; want a program without privileges: only the kernel may grant them, by execve`;
    throw new LoadError('ERR_PRIVILEGED', path, text);
  }
  const why =
    place === 'copy'
      ? 'a copy-load was asked for'
      : `insitu-exec maps it from ${backing.fileSystem} at ${start}`;
  const flags = place === 'copy' ? ['--copy'] : [];
  const argv = ['insitu-exec', ...flags, '--argv0', argv0, runnersName(located), ...args];
  return { ...described, way: 'runner', why, command: prebuilt('insitu-exec'), argv };
}

/** FILE@0 and FILE mean the same to the runner but for the check of execute permission, which FILE alone has. */
function runnersName({ path, start, size }: Located): string {
  if (size !== undefined) return `${path}@${start}+${size}`;
  return start === 0 && !looksLikePart(path) ? path : `${path}@${start}`;
}

function requireInPlace(path: string, backing: Backing, segments: readonly PlanSegment[]): void {
  if (backing.medium !== 'dax' && backing.medium !== 'devdax') {
    const what = backing.medium === 'ram' ? 'on a RAM file system' : 'mapped through the page cache';
    throw new LoadError(
      'ERR_NOT_IN_PLACE',
      path,
      `is ${what} (${[backing.fileSystem, whyNoDax(backing)].filter(Boolean).join(': ')}); want a DAX file or device-dax`,
    );
  }
  // Data on device-dax is copied at once, where elsewhere its pages are by the first write to them.
  const copied = segments.find(({ placement, prot }) => placement === 'copied' && prot !== 'rw-');
  if (copied) {
    const text = `PT_LOAD[${copied.index}] would be copied (${copied.reason}); want every segment in place`;
    throw new LoadError('ERR_NOT_IN_PLACE', path, text, copied.fileOffset);
  }
}

function privilegesOf(mode: number, capabilities: boolean): string {
  if (mode & S_ISUID) return 'set-user-ID';
  if (mode & S_ISGID) return 'set-group-ID';
  return capabilities ? 'given capabilities' : '';
}

/** Replaces this process by the program: nothing stays between it and its parent, terminal and signals. */
export function replaceProcess(start: Start): never {
  try {
    const { heldBy } = start.located;
    const [own, ...rest] = start.argv as [string, ...string[]];
    const argv = heldBy < 0 ? [own, ...rest] : [own, '--held', String(heldBy), ...rest];
    return native.replaceProcess(start.command, argv, OWN_ENVIRONMENT, heldBy);
  } catch (error) {
    throw inFile(start.command, error);
  }
}

export function environment(): string[] {
  return Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
}
