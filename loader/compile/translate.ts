// From a module to what a C compiler and an assembler take: the one place that knows all parts of that.
import { createHash } from 'node:crypto';
import { decode } from './decode.ts';
import { describe, References } from './describe.ts';
import { layOut } from './layout.ts';
import { memoryImage } from './memory-image.ts';
import { emitBodies, type Unit, UnitWriter } from './units.ts';
import { validate } from './validate.ts';

export interface TranslateOptions {
  tier: 'quick' | 'best';
  arch?: 'x86-64' | 'aarch64';
}

/** e_machine (elf.h). */
const MACHINE = { 'x86-64': 62, aarch64: 183 };

/**
 * Units of C and assembler for a module; compiled and linked they are its image.
 * @throws ModuleError for a malformed or invalid module, UnsupportedFeature for what is not compiled
 */
export function translate(bytes: Uint8Array, options: TranslateOptions): Unit[] {
  const module = decode(bytes);
  validate(module);
  const image = memoryImage(module);
  const layout = layOut(module, module.data.length - image.taken.size);
  const bodies = emitBodies(module);
  const refs = new References(module);
  const thunks = refs.typesWithThunks(bodies);
  const writer = new UnitWriter(module, bodies, layout, '');
  const description = describe(module, layout, bodies, image, refs, thunks, {
    sha256: createHash('sha256').update(bytes).digest(),
    tier: options.tier,
    machine: MACHINE[options.arch ?? (process.arch === 'arm64' ? 'aarch64' : 'x86-64')],
  });
  return [...writer.functionUnits(), writer.thunkUnit(thunks), description];
}
