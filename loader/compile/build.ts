// From C to an image: units compiled in parallel, linked into one shared object, and looked at.
import { rmSync } from 'node:fs';
import { inFile } from '../error.ts';
import { compileUnits, linkImage, memoryFor, objectOf, type Room, type Unit } from './room.ts';
import { schedule, type Work } from './schedule.ts';
import { type Arch, type Compiler, type Cpu, findCompiler, hostArch, type Tier } from './toolchain.ts';
import { Workshop } from './workshop.ts';

/** `done` of `total` bytes of units are compiled; linking comes after that. */
export type Progress = (done: number, total: number) => void;

export type { Unit } from './room.ts';

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
  /** Of CPU that a compiler may take for a unit; by its size, if not said. */
  seconds?: number;
  signal?: AbortSignal;
  onProgress?: Progress;
  /** What errors are said to be about; `output` if not said. */
  source?: string;
}

/**
 * Compiles and links one image; the same units and compiler give the same bytes.
 * @throws UnsupportedFeature (code that takes a compiler too long), LoadError ERR_COMPILER (no compiler for that), ERR_COMPILE (the unit, and what the compiler said; or an image
 *   that is not what images are), ENOSPC; the signal's reason. Nothing is left behind then, and no process.
 */
export async function buildImage(options: BuildOptions): Promise<void> {
  await using workshop = new Workshop(options.directory, options.signal);
  await buildIn(workshop, options);
}

/** As buildImage, in a workshop that others use too. */
export async function buildIn(workshop: Workshop, options: InWorkshop): Promise<void> {
  const { units, output, source = output, jobs } = options;
  const room = roomFor(workshop, options);
  try {
    await schedule(compilation(room, units, source, options.onProgress), jobs);
    await linkImage(room, units.map(objectOf), output, source);
  } catch (error) {
    throw inFile(source, error);
  } finally {
    rmSync(room.directory, { recursive: true, force: true });
  }
}

export type InWorkshop = Omit<BuildOptions, 'directory' | 'signal'>;

/** A directory of one build among those of a workshop, and what is compiled there for what. */
export function roomFor(
  workshop: Workshop,
  { compiler = findCompiler(), arch = hostArch(), cpu, tier, seconds }: Omit<InWorkshop, 'units' | 'output'>,
): Room {
  return { workshop, directory: workshop.room(), compiler, target: { arch, cpu, tier }, seconds };
}

/** The largest first: nothing waits for it in the end. */
function compilation(
  room: Room,
  units: readonly Unit[],
  source: string,
  onProgress: Progress | undefined,
): Work[] {
  const total = units.reduce((sum, { text }) => sum + text.length, 0);
  let done = 0;
  const bySize = [...units].sort((a, b) => b.text.length - a.text.length);
  return bySize.map((unit) => ({
    memory: memoryFor([unit]),
    async run() {
      await compileUnits(room, [unit], `${source}: ${unit.name}`);
      done += unit.text.length;
      onProgress?.(done, total);
    },
  }));
}
