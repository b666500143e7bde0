// Putting a module into a store: compiled once, whoever else wants the same; the source first, the image next, then what
// leads to it. Killed at any moment, it leaves no image or a whole one.
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Progress } from '../compile/build.ts';
import type { Compile } from '../compile/compile.ts';
import { type Compiler, type Cpu, findCompiler, hostArch, type Tier } from '../compile/toolchain.ts';
import { Workshop } from '../compile/workshop.ts';
import { inFile, LoadError } from '../error.ts';
import { removeLeftBehind, Temporary } from '../store/temporary.ts';
import { openStore } from './choose.ts';
import { cpuTag } from './cpu.ts';
import { isSource, linkTarget, remember, setLink } from './find.ts';
import {
  entryPath,
  IMAGE_FORMAT,
  type ImageArch,
  INSTALLED_FROM,
  imageName,
  indexPath,
  MOST_ALIKE,
  type ReadPiece,
  SOURCE,
  sampleKey,
} from './layout.ts';
import { origins } from './list.ts';
import { locked } from './lock.ts';
import { type Record, readRecord } from './record.ts';
import { writeImage, writeWhole } from './write.ts';

export interface InstallOptions {
  /** Default best. */
  tier?: Tier;
  /** Default baseline. */
  cpu?: Cpu;
  arch?: ImageArch;
  /** Of the store; the chosen one if not said. */
  root?: string;
  /** Compiles again even what is there. */
  again?: boolean;
  compiler?: Compiler;
  /** How many compilers at once. */
  jobs?: number;
  /** Another one than compileIn. */
  compile?: Compile;
  signal?: AbortSignal;
  onProgress?: Progress;
  /** Told when another process is compiling the same, and this one waits for it. */
  onWait?: () => void;
  /** Where the module is from: what lists call it. */
  from?: string;
}

export interface Installed extends Place {
  /** As it was said. */
  from: string | null;
  sha256: string;
  record: Record;
  /** present: it was there already, by this process or another. */
  status: 'compiled' | 'present';
  /** Bytes of the image. */
  imageSize: number;
  elapsedNs: number;
}

/**
 * Installs a module. An image of the same or a better tier is not made again.
 * @throws what compiling throws (ModuleError, UnsupportedFeature, LoadError ERR_COMPILER, ERR_COMPILE), LoadError of the
 *   store (ENOSPC, EACCES, EROFS …), the signal's reason; nothing is left behind then
 */
export async function install(bytes: Uint8Array, options: InstallOptions = {}): Promise<Installed> {
  const began = process.hrtime.bigint();
  const root = openStore(options.root);
  const wanted = describe(bytes, options);
  const place = placeOf(root, wanted);
  try {
    const make = () => makeImage(place, wanted, bytes, options);
    const status = isPresent(place, wanted, options)
      ? 'present'
      : await locked(join(root, 'locks', wanted.sha256), options, make);
    if (options.from !== undefined) noteOrigin(place.entry, options.from);
    pointTo(place, wanted, bytes);
    const record = readRecord(place.image);
    const elapsedNs = Number(process.hrtime.bigint() - began);
    const imageSize = statSync(place.image).size;
    return {
      ...place,
      from: options.from ?? null,
      sha256: wanted.sha256,
      record,
      status,
      imageSize,
      elapsedNs,
    };
  } catch (error) {
    throw inFile(place.entry, error);
  }
}

/** As install, of a file, which a load then knows again without reading it. */
export async function installFile(path: string, options: InstallOptions = {}): Promise<Installed> {
  const began = BigInt(Date.now()) * 1_000_000n;
  const { bytes, status } = readStable(path);
  const installed = await install(bytes, { from: path, ...options });
  const { record, entry } = installed;
  const image = join(entry, preferred(entry, record.arch));
  if (!remember({ ...installed, image }, record.arch, status, began))
    rememberLater(path, { ...installed, image }, record.arch);
  return installed;
}

/** Compiling may have taken longer than the moment in which a write goes unseen. */
function rememberLater(path: string, installed: Installed, arch: ImageArch): void {
  const began = BigInt(Date.now()) * 1_000_000n;
  try {
    const { bytes, status } = readStable(path);
    const read: ReadPiece = (at, length) => bytes.subarray(at, at + length);
    if (isSource(installed.source, bytes.length, read)) remember(installed, arch, status, began);
  } catch {
    // gone, or changing: nothing to be known again
  }
}

/** @throws LoadError ERR_CHANGED when it was written to meanwhile, ERR_NOT_MAPPABLE, ENOENT … */
export function readStable(path: string): { bytes: Buffer; status: BigIntStats } {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw inFile(path, error);
  }
  try {
    const status = fstatSync(fd, { bigint: true });
    if (!status.isFile())
      throw new LoadError('ERR_NOT_MAPPABLE', path, 'is no file; want a WebAssembly module');
    const bytes = readFileSync(fd);
    if (fstatSync(fd, { bigint: true }).ctimeNs === status.ctimeNs && BigInt(bytes.length) === status.size)
      return { bytes, status };
    throw new LoadError('ERR_CHANGED', path, 'changed while it was read; want it to stay');
  } catch (error) {
    throw inFile(path, error);
  } finally {
    closeSync(fd);
  }
}

/** Paths of one module in a store. */
export interface Place {
  root: string;
  entry: string;
  image: string;
  source: string;
}

type Wanted = Omit<Record, 'compiler'>;

function describe(bytes: Uint8Array, options: InstallOptions): Wanted {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const cpu = options.cpu === 'native' ? cpuTag() : 'baseline';
  const { arch = hostArch(), tier = 'best' } = options;
  return { format: IMAGE_FORMAT, sha256, size: bytes.length, arch, cpu, tier };
}

function placeOf(root: string, { sha256, arch, cpu }: Wanted): Place {
  const entry = entryPath(root, sha256);
  return { root, entry, image: join(entry, imageName(arch, cpu)), source: join(entry, SOURCE) };
}

function isPresent({ image, source }: Place, { sha256, tier }: Wanted, { again }: InstallOptions): boolean {
  if (again) return false;
  try {
    const record = readRecord(image);
    return record.sha256 === sha256 && (record.tier === tier || record.tier === 'best') && isThere(source);
  } catch {
    return false;
  }
}

const isThere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

/** Under the entry's lock. */
async function makeImage(
  place: Place,
  wanted: Wanted,
  bytes: Uint8Array,
  options: InstallOptions,
): Promise<Installed['status']> {
  if (isPresent(place, wanted, options)) return 'present'; // whoever had the lock has made it
  const compile = options.compile ?? (await import('../compile/compile.ts')).compileIn;
  const compiler = options.compiler ?? findCompiler();
  await using workshop = new Workshop(tmpdir(), options.signal);
  const made = join(workshop.directory, 'image.so');
  const { tier, arch } = wanted;
  await compile(workshop, bytes, {
    ...{ tier, arch, compiler, cpu: options.cpu ?? 'baseline', output: made },
    source: options.from ?? `module ${wanted.sha256.slice(0, 12)}`,
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
    ...(options.jobs === undefined ? {} : { jobs: options.jobs }),
  });
  options.signal?.throwIfAborted();
  keep(place, bytes, made, { ...wanted, compiler: `${compiler.family} ${compiler.version}` });
  return 'compiled';
}

/** Not interrupted by signals that are listened to: all of it at once, or nothing. */
function keep({ entry, image, source }: Place, bytes: Uint8Array, made: string, record: Record): void {
  mkdirSync(entry, { recursive: true });
  removeLeftBehind(entry);
  try {
    if (!isSource(source, bytes.length, (at, length) => bytes.subarray(at, at + length))) {
      using file = new Temporary(entry);
      writeWhole(file, bytes);
      file.publish(source);
    }
    using file = new Temporary(entry);
    writeImage(file, made, record);
    file.publish(image);
  } catch (error) {
    removeIfBare(entry);
    throw error;
  }
}

/** A source alone is no entry. */
function removeIfBare(entry: string): void {
  try {
    if (readdirSync(entry).some((name) => name.endsWith('.so'))) return;
    for (const name of [SOURCE, INSTALLED_FROM]) rmSync(join(entry, name), { force: true });
    rmdirSync(entry);
  } catch {
    // the first error is the one that counts
  }
}

/** In the index: its sample, under the first number that no other module has. */
function pointTo({ root, entry }: Place, { arch, sha256 }: Wanted, bytes: Uint8Array): void {
  const directory = indexPath(root, arch);
  const key = sampleKey(bytes.length, (at, length) => bytes.subarray(at, at + length));
  for (let i = 0; i < MOST_ALIKE; i++) {
    const target = linkTarget(join(directory, `${key}-${i}`));
    if (target !== undefined && !target.startsWith(sha256) && isThere(join(root, 'entries', target)))
      continue;
    setLink(directory, `${key}-${i}`, `${sha256}/${preferred(entry, arch)}`);
    return;
  }
}

/** What a look-up leads to: the image for this CPU, where there is one. */
function preferred(entry: string, arch: ImageArch): string {
  const own = imageName(arch, cpuTag());
  return isThere(join(entry, own)) || !isThere(join(entry, imageName(arch))) ? own : imageName(arch);
}

/** Where it was installed from, besides what is known already. */
function noteOrigin(entry: string, from: string): void {
  const path = join(entry, INSTALLED_FROM);
  const known = origins(entry);
  if (known.includes(from) || from.includes('\n')) return;
  try {
    using file = new Temporary(entry);
    writeWhole(file, Buffer.from([...known, from, ''].join('\n')), 0o644);
    file.publish(path);
  } catch {
    // a store that is read-only: it goes by its hash
  }
}
