// What does a start in place cost against a copy-load and against what a user would take instead? Every sample is a
// fresh process; the ways take turns, so that noise of the machine falls on all of them alike.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Backing, OpenFile } from '../../loader/backing.ts';
import { LoadError } from '../../loader/error.ts';
import type { Totals } from '../../loader/evidence.ts';
import { detect, type Format } from '../../loader/format.ts';
import { type Image, read } from '../../loader/image.ts';
import { native, prebuilt } from '../../loader/native.ts';
import { environment, prepare } from '../program/index.ts';
import { supervise } from '../program/supervise.ts';
import { type Request, SAMPLE_MARK, type Sample, type WayName } from './request.ts';

export interface CompareOptions {
  /** Samples a way. Default 20. */
  runs?: number;
  /** Library: the call that ends the measurement, made through koffi. Without it the first byte of text is touched. */
  call?: { prototype: string; args: string[] };
  /** Drop the file from the page cache before each sample. */
  cold?: boolean;
  /** Arguments of a program. */
  args?: string[];
  onProgress?: (done: number, total: number) => void;
}

/** Medians of the samples, in what they share with a Sample. */
export interface Way extends Omit<Sample, 'ns' | 'ending' | 'evidence'> {
  name: WayName;
  /**
   * Where its pages were in the end: of a library with all of its text touched, of a program what it touched itself.
   * Null where that is not looked at.
   */
  evidence: Totals | null;
  /** The load of this file after one other small file was loaded the same way, in a process of its own. */
  medianNs: number;
  minNs: number;
  p90Ns: number;
  /** The same as the very first load of a process. */
  firstMedianNs: number;
}

export interface Comparison {
  file: string;
  format: Format;
  backing: Backing;
  runs: number;
  temperature: 'warm' | 'cold';
  ways: Way[];
  ratios: { name: string; value: number }[];
  notes: string[];
}

const run = promisify(execFile);
const PF_X = 1;
const PF_W = 2;

/** @throws LoadError when the file is no ELF library or program, or a sample fails */
export async function compare(path: string, options: CompareOptions = {}): Promise<Comparison> {
  const { runs = 20, cold = false } = options;
  const { image, backing } = examine(path);
  if (cold && backing.medium !== 'page-cache')
    throw new LoadError(
      'ERR_FORMAT',
      path,
      `is on ${backing.fileSystem}, its own storage; --cold wants the page cache`,
    );
  const program = image.format === 'elf-program';
  if (program && options.call)
    throw new LoadError('ERR_FORMAT', path, 'is an ELF program; --call wants a library');
  if (!program && options.args?.length)
    throw new LoadError('ERR_FORMAT', path, 'is a library; arguments behind -- want a program');
  const names: WayName[] = ['in-place', 'copy-load', program ? 'execve' : 'dlopen', 'mmap-floor'];
  const requests = new Map(names.map((name) => [name, requestFor(path, name, image, options)]));
  const warm = new Map<WayName, Sample[]>(names.map((name) => [name, []]));
  const first = new Map<WayName, Sample[]>(names.map((name) => [name, []]));
  const total = runs * names.length * 2;
  let done = 0;
  for (let i = 0; i < runs; i++)
    for (let k = 0; k < names.length; k++) {
      const name = names[(i + k) % names.length] as WayName;
      const request = requests.get(name) as Request;
      for (const isWarm of [true, false]) {
        if (cold) native.dropPageCache(path);
        const sample = await takeSample({ ...request, warm: isWarm, evidence: isWarm && i === 0 });
        (isWarm ? warm : first).get(name)?.push(sample);
        options.onProgress?.(++done, total);
      }
    }
  const ways = names.map((name) => summarise(name, warm.get(name) as Sample[], first.get(name) as Sample[]));
  if (program) wantSameEnding(path, warm);
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

function examine(path: string): { image: Image; backing: Backing } {
  using file = new OpenFile(path);
  const family = detect(file.head);
  if (family !== 'elf' && family !== 'unknown')
    throw new LoadError('ERR_FORMAT', path, `is a ${family}; want an ELF library or program`);
  return { image: read(file), backing: file.backing };
}

function requestFor(path: string, way: WayName, image: Image, options: CompareOptions): Request {
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

const sampleFile = fileURLToPath(
  new URL(`./sample.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
);

function sampleIn(stdout: string): string {
  const line = stdout.split('\n').find((text) => text.startsWith(SAMPLE_MARK));
  return line?.slice(SAMPLE_MARK.length) ?? '';
}

async function takeSample(request: Request): Promise<Sample> {
  // What the parent's environment adds to a start of Node is no part of what is compared.
  const { NODE_OPTIONS: _, NODE_EXTRA_CA_CERTS: __, ...env } = process.env;
  try {
    const { stdout } = await run(
      process.execPath,
      [...process.execArgv, sampleFile, JSON.stringify(request)],
      { env },
    );
    const sample = JSON.parse(sampleIn(stdout)) as Sample | { failed: string };
    if ('failed' in sample)
      throw new LoadError('ERR_SYSTEM', request.file, `${request.way}: ${sample.failed}`);
    return sample;
  } catch (error) {
    if (error instanceof LoadError) throw error;
    const { code, signal, stderr } = error as { code?: number; signal?: string; stderr?: string };
    const told = stderr?.trim().split('\n').at(-1) || `ended with ${signal ?? `exit code ${code}`}`;
    throw new LoadError('ERR_SYSTEM', request.file, `sample of ${request.way} failed: ${told}`);
  }
}

const sorted = (values: number[]) => [...values].sort((a, b) => a - b);
const median = (values: number[]) => quantile(values, 0.5);

function quantile(values: number[], q: number): number {
  const list = sorted(values);
  return list[Math.min(list.length - 1, Math.floor(list.length * q))] ?? Number.NaN;
}

function summarise(name: WayName, warm: Sample[], first: Sample[]): Way {
  const of = (key: 'ns' | 'bytesInPlace' | 'bytesCopied' | 'minorFaults' | 'majorFaults' | 'privateBytes') =>
    warm.map((sample) => sample[key]);
  const phaseNames = Object.keys(warm[0]?.phases ?? {});
  return {
    name,
    medianNs: median(of('ns')),
    minNs: Math.min(...of('ns')),
    p90Ns: quantile(of('ns'), 0.9),
    firstMedianNs: median(first.map((sample) => sample.ns)),
    phases: Object.fromEntries(
      phaseNames.map((key) => [key, median(warm.map(({ phases }) => phases[key] ?? 0))]),
    ),
    bytesInPlace: median(of('bytesInPlace')),
    bytesCopied: median(of('bytesCopied')),
    minorFaults: median(of('minorFaults')),
    majorFaults: median(of('majorFaults')),
    privateBytes: median(of('privateBytes')),
    evidence: warm.find(({ evidence }) => evidence)?.evidence ?? null,
  };
}

/** @throws LoadError when a way ended as the kernel's own execve never did: its times would be those of a failure */
function wantSameEnding(path: string, samples: Map<WayName, Sample[]>): void {
  const endings = (name: WayName) => new Set(samples.get(name)?.map(({ ending }) => ending ?? ''));
  const wanted = endings('execve');
  for (const name of ['in-place', 'copy-load'] as const)
    for (const found of endings(name))
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
  const add = (name: string, value: number) => ratios.push({ name, value: Math.round(value * 1000) / 1000 });
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
  const notes: string[] = [];
  if (backing.medium === 'ram')
    notes.push(`${backing.fileSystem} stands in for NVM here: no copy, but volatile`);
  if (backing.medium === 'page-cache')
    notes.push(
      'in place here means: the page cache’s own pages, themselves a copy of what the block device stores',
    );
  if (image.format !== 'elf-program')
    notes.push('times are of the load and the first call or touch, with Node running');
  else notes.push('times are of the whole program, from vfork to its end');
  return notes;
}
