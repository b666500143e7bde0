// What happens in a room of a workshop: units become objects, objects an image.
import { renameSync, rmSync } from 'node:fs';
import { copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LoadError } from '../error.ts';
import { checkImage } from './check-image.ts';
import { UnsupportedFeature } from './module.ts';
import { availableMemory } from './schedule.ts';
import { seal } from './seal.ts';
import { textSize } from './sections.ts';
import { type Compiler, compileFlags, linkFlags, type Target } from './toolchain.ts';
import type { Limits, Workshop } from './workshop.ts';

/** A file for the compiler: C, or assembler that goes through the preprocessor (.S) or not (.s). */
export interface Unit {
  /** A file name of its own, without directory. */
  readonly name: string;
  readonly text: string | Uint8Array;
}

export interface Room {
  readonly workshop: Workshop;
  /** Where file names are relative to. */
  readonly directory: string;
  readonly compiler: Compiler;
  readonly target: Target;
  /** Of CPU that a compiler may take; by the size of the units, if not said. */
  readonly seconds: number | undefined;
}

/** The file that a unit becomes: as compilers call it when nothing else is said. */
export const objectOf = ({ name }: Unit): string => name.replace(/\.[csS]$/, '.o');

const isAssembler = ({ name }: Unit): boolean => /\.[sS]$/.test(name);

const MIB = 2 ** 20;

/**
 * Bytes that compiling units one after the other takes at its most: of quickjs and esbuild up to 370 for each of C at
 * -O2, besides the headers (gcc 12).
 */
export function memoryFor(units: readonly Unit[]): number {
  const [largest = 0] = units
    .map((unit) => (isAssembler(unit) ? 8 : 400) * unit.text.length)
    .sort((a, b) => b - a);
  return 64 * MIB + largest;
}

/** Of CPU: five times what units of large programs take. Some functions take compilers the square of their size. */
const SECONDS = 30;
const BYTES_A_SECOND = 50_000;
const MOST_SECONDS = 120;
const LEAST_LIMIT = 2048 * MIB;
/** Times what units take at their most, and of what the machine has left. */
const MEMORY_TIMES = 4;
const MEMORY_SHARE = 0.75;

function limitsFor(units: readonly Unit[], seconds: number | undefined): Limits {
  const size = units.reduce((sum, { text }) => sum + text.length, 0);
  const bytes = Math.max(LEAST_LIMIT, MEMORY_TIMES * memoryFor(units));
  return {
    seconds: seconds ?? Math.min(MOST_SECONDS, Math.ceil(SECONDS + size / BYTES_A_SECOND)),
    bytes: Math.min(bytes, MEMORY_SHARE * availableMemory()),
  };
}

/**
 * Compiles units by one compiler, one after the other. Their text is gone then, which may be a quarter of a GiB of all.
 * @throws UnsupportedFeature when that takes more time or memory than can be given; LoadError ERR_COMPILE, ENOSPC; the signal's reason
 */
export async function compileUnits(room: Room, units: readonly Unit[], about: string): Promise<void> {
  const { workshop, directory, compiler, target } = room;
  const names = units.map(({ name }) => name);
  for (const { name, text } of units) await writeFile(join(directory, name), text);
  const args = [...compileFlags(compiler, target), ...flagsFor(compiler, units), '-c', ...names];
  try {
    await workshop.run(compiler.command[0], args, about, directory, limitsFor(units, room.seconds));
  } catch (error) {
    if (!(error instanceof LoadError && error.code === 'ERR_LIMIT')) throw error;
    throw new UnsupportedFeature(
      `code that takes a C compiler ${error.message.slice(error.path.length + 2)}`,
      0,
    );
  }
  for (const name of names) await rm(join(directory, name));
}

/** A unit of this many bytes has a function of its own that is unusually large. */
const LARGE = 600_000;

/** Global elimination on RTL takes gcc half its time at -O2 over such functions; on trees it has been done before. */
function flagsFor({ family }: Compiler, units: readonly Unit[]): string[] {
  return family === 'gcc' && units.some(({ text }) => text.length > LARGE) ? ['-fno-gcse'] : [];
}

let images = 0;
const UNLIMITED: Limits = { seconds: MOST_SECONDS, bytes: Infinity };

/** @throws as compileUnits, and ERR_COMPILE for an image that is not what images are */
export async function linkImage(
  room: Room,
  objects: readonly string[],
  output: string,
  about: string,
): Promise<void> {
  const { workshop, directory, compiler, target } = room;
  const text = objects.reduce((sum, object) => sum + textSize(join(directory, object)), 0);
  const made = `image${++images}`;
  const args = [...linkFlags(compiler, target, text), ...objects, '-o', made];
  await workshop.run(compiler.command[0], args, `${about}: linking`, directory, UNLIMITED);
  const image = join(directory, made);
  checkImage(image);
  seal(image);
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
