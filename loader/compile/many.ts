// Many small modules at once. What costs most of those is to start compilers: each is given several units, and what is
// the same in several modules, or is the same module, is compiled once.
import { createHash } from 'node:crypto';
import { copyFileSync, rmSync } from 'node:fs';
import { inFile } from '../error.ts';
import { type BuildOptions, roomFor } from './build.ts';
import { compileUnits, linkImage, memoryFor, objectOf, type Room, type Unit } from './room.ts';
import { schedule, type Work } from './schedule.ts';
import { hostArch } from './toolchain.ts';
import { translate } from './translate.ts';
import { Workshop } from './workshop.ts';

export interface ManyItem {
  bytes: Uint8Array;
  /** The image; there only if it is whole. */
  output: string;
}

/** `onProgress` counts modules. */
export type ManyOptions = Omit<BuildOptions, 'units' | 'output' | 'source'>;

/** About as much as is compiled in half a second: no core is left waiting for another's last one. */
const BATCH_BYTES = 64 << 10;
const BATCH_UNITS = 16;

/**
 * Compiles modules into an image each.
 * @returns for each in order, why there is none: what compile throws; undefined where there is one
 * @throws LoadError ERR_COMPILER; the signal's reason
 */
export async function compileMany(items: readonly ManyItem[], options: ManyOptions): Promise<unknown[]> {
  await using workshop = new Workshop(options.directory, options.signal);
  const room = roomFor(workshop, options);
  const modules = distinct(items, options);
  const units = new Map(modules.flatMap((module) => module.units).map((unit) => [unit.name, unit]));
  const failures = new Map<string, unknown>();
  await schedule(
    batches([...units.values()]).map((batch) => compilation(room, batch, failures)),
    options.jobs,
  );
  let done = 0;
  const linking = modules.map(
    (module): Work => ({
      memory: 0,
      async run() {
        await finish(room, module, failures);
        done += module.outputs.length;
        options.onProgress?.(done, items.length);
      },
    }),
  );
  await schedule(linking, options.jobs);
  options.signal?.throwIfAborted();
  const byOutput = new Map(modules.flatMap(({ outputs, failure }) => outputs.map((path) => [path, failure])));
  return items.map(({ output }) => byOutput.get(output));
}

/** A module and everywhere that it is wanted. */
interface Distinct {
  readonly units: readonly Unit[];
  readonly outputs: string[];
  failure: unknown;
}

function distinct(items: readonly ManyItem[], { tier, arch = hostArch() }: ManyOptions): Distinct[] {
  const modules = new Map<string, Distinct>();
  for (const { bytes, output } of items) {
    const key = createHash('sha256').update(bytes).digest('hex');
    const known = modules.get(key);
    if (known) known.outputs.push(output);
    else modules.set(key, { ...unitsOf(bytes, { tier, arch }), outputs: [output] });
  }
  return [...modules.values()];
}

function unitsOf(
  bytes: Uint8Array,
  options: Parameters<typeof translate>[1],
): Pick<Distinct, 'units' | 'failure'> {
  try {
    return { units: translate(bytes, options).map(named), failure: undefined };
  } catch (failure) {
    return { units: [], failure };
  }
}

/** By its content, so that the same has the same name. */
function named({ name, text }: Unit): Unit {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 32);
  return { name: `${hash}${name.slice(name.lastIndexOf('.'))}`, text };
}

function batches(units: readonly Unit[]): Unit[][] {
  const all: Unit[][] = [];
  let [size, current]: [number, Unit[]] = [0, []];
  for (const unit of units) {
    if (current.length === 0 || size + unit.text.length > BATCH_BYTES || current.length === BATCH_UNITS) {
      [size, current] = [0, []];
      all.push(current);
    }
    size += unit.text.length;
    current.push(unit);
  }
  return all;
}

/** Where one of them can't be compiled, each is tried by itself. */
function compilation(room: Room, batch: readonly Unit[], failures: Map<string, unknown>): Work {
  return {
    memory: memoryFor(batch),
    async run() {
      try {
        await compileUnits(room, batch, `${batch.length} units`);
      } catch (error) {
        if (batch.length === 1) failures.set(batch[0]?.name ?? '', error);
        else for (const unit of batch) await compilation(room, [unit], failures).run();
      }
    },
  };
}

async function finish(room: Room, module: Distinct, failures: ReadonlyMap<string, unknown>): Promise<void> {
  const [first, ...others] = module.outputs;
  const failed = module.units.find(({ name }) => failures.has(name));
  if (failed) module.failure = failures.get(failed.name);
  if (module.failure !== undefined || first === undefined) return;
  try {
    await linkImage(room, module.units.map(objectOf), first, first);
    for (const output of others) copyFileSync(first, output);
  } catch (error) {
    for (const output of module.outputs) rmSync(output, { force: true });
    module.failure = inFile(first, error);
  }
}
