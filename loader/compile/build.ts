// From C to an image: units compiled in parallel, linked into one shared object, and looked at.
import { renameSync, rmSync } from 'node:fs';
import { copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inFile } from '../error.ts';
import { checkImage } from './check-image.ts';
import { schedule, type Work } from './schedule.ts';
import { textSize } from './sections.ts';
import {
  type Arch,
  type Compiler,
  type Cpu,
  compileFlags,
  findCompiler,
  hostArch,
  linkFlags,
  type Target,
  type Tier,
} from './toolchain.ts';
import { Workshop } from './workshop.ts';

/** A file for the compiler: C, or assembler that goes through the preprocessor (.S) or not (.s). */
export interface Unit {
  /** A file name of its own, without directory. */
  readonly name: string;
  readonly text: string | Uint8Array;
}

/** `done` of `total` bytes of units are compiled; linking comes after that. */
export type Progress = (done: number, total: number) => void;

export interface BuildOptions {
  units: readonly Unit[];
  /** Where temporary files may be; all are gone when it returns. */
  directory: string;
  /** The image; there only if it is whole. */
  output: string;
  tier: Tier;
  cpu: Cpu;
  arch?: Arch;
  compiler?: Compiler;
  /** How many compilers at once; the cores of the machine, if not said. */
  jobs?: number;
  signal?: AbortSignal;
  onProgress?: Progress;
  /** What errors are said to be about; `output` if not said. */
  source?: string;
}

/**
 * Compiles and links one image; the same units and compiler give the same bytes.
 * @throws LoadError ERR_COMPILER (no compiler for that), ERR_COMPILE (the unit, and what the compiler said; or an image
 *   that is not what images are), ENOSPC; the signal's reason. Nothing is left behind then, and no process.
 */
export async function buildImage(options: BuildOptions): Promise<void> {
  await using workshop = new Workshop(options.directory, options.signal);
  await buildIn(workshop, options);
}

/** As buildImage, in a workshop that others use too. */
export async function buildIn(workshop: Workshop, options: InWorkshop): Promise<void> {
  const { units, output, source = output, jobs } = options;
  const compiler = options.compiler ?? findCompiler();
  const target: Target = { arch: options.arch ?? hostArch(), cpu: options.cpu, tier: options.tier };
  const room: Room = { workshop, directory: workshop.room(), compiler, target, source };
  try {
    await schedule(compilation(room, units, options.onProgress), jobs);
    await link(room, units.map(objectOf), output);
  } catch (error) {
    throw inFile(source, error);
  } finally {
    rmSync(room.directory, { recursive: true, force: true });
  }
}

export type InWorkshop = Omit<BuildOptions, 'directory' | 'signal'>;

/** One build among those of a workshop. */
interface Room {
  workshop: Workshop;
  directory: string;
  compiler: Compiler;
  target: Target;
  source: string;
}

/** The largest first: nothing waits for it in the end. */
function compilation(room: Room, units: readonly Unit[], onProgress: Progress | undefined): Work[] {
  const flags = compileFlags(room.compiler, room.target);
  const total = units.reduce((sum, { text }) => sum + text.length, 0);
  let done = 0;
  const bySize = [...units].sort((a, b) => b.text.length - a.text.length);
  return bySize.map((unit) => ({
    memory: memoryFor(unit),
    async run() {
      await compileUnit(room, flags, unit);
      done += unit.text.length;
      onProgress?.(done, total);
    },
  }));
}

const objectOf = ({ name }: Unit): string => `${name}.o`;
const isAssembler = ({ name }: Unit): boolean => /\.[sS]$/.test(name);

const MIB = 2 ** 20;

/** Bytes that gcc 12 takes at its most at -O2: of quickjs and esbuild up to 210 for each of C, besides the headers. */
function memoryFor(unit: Unit): number {
  return 64 * MIB + (isAssembler(unit) ? 8 : 256) * unit.text.length;
}

async function compileUnit(room: Room, flags: readonly string[], unit: Unit): Promise<void> {
  const { workshop, directory, compiler, source } = room;
  const path = join(directory, unit.name);
  await writeFile(path, unit.text);
  const args = [...flags, '-c', unit.name, '-o', objectOf(unit)];
  await workshop.run(compiler.command[0], args, `${source}: ${unit.name}`, directory);
  await rm(path); // all of them together can be a quarter of a GiB
}

async function link(room: Room, objects: readonly string[], output: string): Promise<void> {
  const { workshop, directory, compiler, target, source } = room;
  const text = objects.reduce((sum, object) => sum + textSize(join(directory, object)), 0);
  const args = [...linkFlags(compiler, target, text), ...objects, '-o', 'image'];
  await workshop.run(compiler.command[0], args, `${source}: linking`, directory);
  const image = join(directory, 'image');
  checkImage(image);
  await moveFile(image, output);
}

/** By rename where it can be had: then it appears whole. */
async function moveFile(from: string, to: string): Promise<void> {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const unfinished = `${to}.${process.pid}`;
    try {
      await copyFile(from, unfinished);
      renameSync(unfinished, to);
    } finally {
      rmSync(unfinished, { force: true });
    }
  }
}
