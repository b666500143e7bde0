// Stores to test with, of modules that are compiled from C of the test's own: what a module means is no matter here.
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { buildIn } from '../../loader/compile/build.ts';
import type { Compile } from '../../loader/compile/compile.ts';
import { note } from './note.ts';

let made: string | undefined;

/** Made when it is wanted: children that are killed import this too, and would leave theirs. */
function directory(): string {
  if (made === undefined) {
    const path = mkdtempSync(join(tmpdir(), 'insitu-images-'));
    process.on('exit', () => rmSync(path, { recursive: true, force: true }));
    made = path;
  }
  return made;
}

let count = 0;
export const fresh = (name = 'store'): string => join(directory(), `${name}-${count++}`);

/** A module's header and whatever: its content is what tells it from others. */
export function moduleBytes(content: string, size = 0): Buffer {
  const header = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const bytes = Buffer.concat([header, Buffer.from(content)]);
  return Buffer.concat([bytes, Buffer.alloc(Math.max(0, size - bytes.length), 7)]);
}

/** A file of a module that nobody has just written to. */
export function moduleFile(content: string | Buffer, name = 'module.wasm'): string {
  const path = fresh(name);
  writeFileSync(path, typeof content === 'string' ? moduleBytes(content) : content);
  utimesSync(path, 1, 1);
  return path;
}

/** Of text that tells modules apart: the constant that its one function returns. */
export const unitsFor = (bytes: Uint8Array) => [
  {
    name: 'unit.c',
    text: `__attribute__((visibility("default"))) int sum(void) { return ${bytes.reduce((a, b) => (a * 31 + b) | 0, 0)}; }`,
  },
  note,
];

/** Compiles such units, and counts how often. */
export function counting(): { compile: Compile; compiled: () => number } {
  let times = 0;
  const compile: Compile = async (workshop, bytes, options) => {
    times++;
    await buildIn(workshop, { ...options, units: unitsFor(bytes) });
  };
  return { compile, compiled: () => times };
}
