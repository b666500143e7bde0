// What does a start in place cost against a copy-load and against what a user would take instead? Every sample is a
// fresh process; the ways take turns, so that noise of the machine falls on all of them alike.

import { type Backing, OpenFile } from '../../loader/backing.ts';
import { LoadError } from '../../loader/error.ts';
import { detect } from '../../loader/format.ts';
import { type Image, read } from '../../loader/image.ts';
import { native, prebuilt } from '../../loader/native.ts';
import { moduleFile } from '../../loader/root.ts';
import { environment, prepare } from '../program/index.ts';
import { supervise } from '../program/supervise.ts';
import { type CompareOptions, type Comparison, ratio, type Way } from './comparison.ts';
import type { Request, WayName } from './request.ts';
import { endingsOf, runSample, type Samples, summarise, takeTurns } from './samples.ts';

export type { CompareOptions, Comparison, Way } from './comparison.ts';

const PF_X = 1;
const PF_W = 2;

/**
 * @throws LoadError when the file is no ELF library or program and no WebAssembly module that is installed, or a sample
 *   fails
 */
export async function compare(path: string, options: CompareOptions = {}): Promise<Comparison> {
  if (isModule(path)) return (await import('./wasm/index.ts')).compareModule(path, options);
  const { runs = 20, cold = false } = options;
  const { image, backing } = examine(path);
  if (cold) wantPageCache(path, backing);
  const program = image.format === 'elf-program';
  if (program && options.call)
    throw new LoadError('ERR_FORMAT', path, 'is an ELF program; --call wants a library');
  if (!program && options.args?.length)
    throw new LoadError('ERR_FORMAT', path, 'is a library; arguments behind -- want a program');
  const names: WayName[] = ['in-place', 'copy-load', program ? 'execve' : 'dlopen', 'mmap-floor'];
  const requests = new Map(names.map((name) => [name, requestFor(path, name, image, options)]));
  const samples = await takeTurns(
    names,
    runs,
    ({ name, warm, evidence }) => {
      if (cold) native.dropPageCache(path);
      return takeSample({ ...(requests.get(name) as Request), warm, evidence });
    },
    options.onProgress,
  );
  const ways = names.map((name) => summarise(name, samples));
  if (program) wantSameEnding(path, samples);
  if (program) measureAtEnd(path, ways, requests, options.args ?? []);
  const temperature = cold ? 'cold' : 'warm';
  const { format } = image;
  return {
    file: path,
    format,
    backing,
    runs,
    temperature,
    ways,
    ratios: ratiosOf(ways),
    notes: notesOf(backing, image),
  };
}

function isModule(path: string): boolean {
  using file = new OpenFile(path);
  return detect(file.head) === 'wasm-module';
}

/** @throws LoadError where there is no cache to drop a file from */
export function wantPageCache(path: string, { medium, fileSystem }: Backing): void {
  if (medium === 'page-cache') return;
  throw new LoadError(
    'ERR_FORMAT',
    path,
    `is on ${fileSystem}, its own storage; --cold wants the page cache`,
  );
}

function examine(path: string): { image: Image; backing: Backing } {
  using file = new OpenFile(path);
  const family = detect(file.head);
  if (family !== 'elf' && family !== 'unknown')
    throw new LoadError('ERR_FORMAT', path, `is a ${family}; want an ELF library or program`);
  return { image: read(file), backing: file.backing };
}

export function requestFor(path: string, way: WayName, image: Image, options: CompareOptions): Request {
  const segment = image.segments.find((s) => s.flags & PF_X);
  if (!segment) throw new LoadError('ERR_SEGMENT', path, 'has no executable segment; want one to compare');
  const page = native.pageSize;
  const within = segment.fileOffset % page;
  const text = {
    vaddr: segment.vaddr,
    offset: segment.fileOffset - within,
    length: Math.ceil((segment.fileSize + within) / page) * page,
  };
  const readOnlyBytes = image.segments.reduce((n, s) => (s.flags & PF_W ? n : n + s.fileSize), 0);
  const span = image.hi - image.lo;
  const request: Request = { file: path, way, warm: true, text, readOnlyBytes, lo: image.lo, span };
  if (options.call) request.call = options.call;
  if (image.format === 'elf-program' && way !== 'mmap-floor')
    request.program = programRequest(path, way, image, readOnlyBytes, options.args ?? []);
  return request;
}

/** The other small program is insitu-exec itself, saying its version. */
function programRequest(
  path: string,
  way: WayName,
  image: Image,
  readOnlyBytes: number,
  args: string[],
): NonNullable<Request['program']> {
  const runner = prebuilt('insitu-exec');
  const bytes = image.segments.reduce((n, s) => n + s.fileSize, 0);
  const common = { environment: environment(), bytesInPlace: way === 'copy-load' ? 0 : readOnlyBytes };
  if (way === 'execve')
    return {
      ...common,
      command: path,
      argv: [path, ...args],
      warmArgv: [runner, '--version'],
      bytesCopied: 0,
    };
  prepare(path, args, { place: 'copy' }); // refuses what must not go through the runner
  const flags = way === 'copy-load' ? ['--copy'] : [];
  return {
    ...common,
    command: runner,
    argv: [runner, ...flags, path, ...args],
    warmArgv: [runner, ...flags, runner, '--version'],
    bytesCopied: way === 'copy-load' ? bytes : 0,
  };
}

const sampleFile = moduleFile('runtime/compare/sample');

export function takeSample(request: Request) {
  return runSample(process.execPath, [...process.execArgv, sampleFile, JSON.stringify(request)], request);
}

/** @throws LoadError when a way ended as the kernel's own execve never did: its times would be those of a failure */
function wantSameEnding(path: string, samples: Samples): void {
  const wanted = endingsOf(samples, 'execve');
  for (const name of ['in-place', 'copy-load'] as const)
    for (const found of endingsOf(samples, name))
      if (!wanted.has(found)) {
        const text = `${name} ended with ${found}; want ${[...wanted].join(' or ')}, as execve (insitu run shows why)`;
        throw new LoadError('ERR_SYSTEM', path, text);
      }
}

/** Of a program, when it ends: once a way, outside what is timed, and started as it was for that. */
function measureAtEnd(path: string, ways: Way[], requests: Map<WayName, Request>, args: string[]): void {
  for (const way of ways) {
    const program = requests.get(way.name)?.program;
    if (program === undefined) continue;
    const start = prepare(path, args, { place: way.name === 'copy-load' ? 'copy' : 'in-place' });
    const { command, argv } = program;
    const report = supervise(
      { ...start, way: way.name === 'execve' ? 'execve' : 'runner', command, argv },
      true,
    );
    way.privateBytes = report.privateBytes ?? Number.NaN;
    way.evidence = report.evidence.totals;
  }
}

function ratiosOf(ways: Way[]): Comparison['ratios'] {
  const at = (name: WayName) => ways.find((way) => way.name === name);
  const place = at('in-place') as Way;
  const ratios: Comparison['ratios'] = [];
  const add = (name: string, value: number) => ratios.push(ratio(name, value));
  for (const name of ['copy-load', 'dlopen', 'execve'] as const) {
    const way = at(name);
    if (way) add(`${name} / in-place`, way.medianNs / place.medianNs);
  }
  const floor = at('mmap-floor');
  const { map, link, call, touch } = place.phases;
  if (floor && map !== undefined)
    add(
      'in-place map to first call / mmap-floor',
      (map + (link ?? 0) + (call ?? touch ?? 0)) / floor.medianNs,
    );
  add('in-place first load / later load', place.firstMedianNs / place.medianNs);
  return ratios;
}

function notesOf(backing: Backing, image: Image): string[] {
  const notes = mediumNotes(backing);
  if (image.format !== 'elf-program')
    notes.push('times are of the load and the first call or touch, with Node running');
  else notes.push('times are of the whole program, from vfork to its end');
  return notes;
}

/** What in place means where the file is no NVM. */
export function mediumNotes(backing: Backing): string[] {
  const notes: string[] = [];
  if (backing.medium === 'ram')
    notes.push(`${backing.fileSystem} stands in for NVM here: no copy, but volatile`);
  if (backing.medium === 'page-cache')
    notes.push(
      'in place here means: the page cache’s own pages, themselves a copy of what the block device stores',
    );
  return notes;
}
