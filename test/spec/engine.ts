// The one place where the runner meets what it tests: compiling ahead, and the namespace over what was compiled.
import { join } from 'node:path';
import { compileMany as compileAhead } from '../../loader/compile/many.ts';
import { ModuleError, UnsupportedFeature } from '../../loader/compile/module.ts';
import { type Compiled, type Namespace, v8, type Way } from './ways.ts';

/** The ways that can be run. */
export const available: readonly Way[] = ['v8', 'in-place', 'copied', 'insitu'];

function outcome(failure: unknown, image: string): Compiled {
  if (failure === undefined) return { image };
  if (failure instanceof UnsupportedFeature) return { unsupported: failure.feature };
  if (failure instanceof ModuleError) return { invalid: failure.message };
  return { failed: String(failure) };
}

/** Compiles modules of all kinds, bad ones too, at the quick tier into images under `directory`; one answer a module. */
export async function compileMany(modules: Uint8Array[], directory: string): Promise<Compiled[]> {
  const items = modules.map((bytes, index) => ({ bytes, output: join(directory, `${index}.so`) }));
  const failures = await compileAhead(items, { directory, tier: 'quick', cpu: 'baseline' });
  return items.map(({ output }, index) => outcome(failures[index], output));
}

/**
 * The namespace of a way. `compiled` tells what compiling ahead made of a module's bytes, for those compiled. What the
 * compiler found invalid is a CompileError: without a fallback nobody else says so.
 */
export async function namespaceOf(
  way: Way,
  compiled: (bytes: Uint8Array) => Compiled | undefined,
): Promise<Namespace> {
  if (way === 'v8') return v8;
  const insitu = await import('../../runtime/wasm/index.ts');
  insitu.setPolicy({
    place: way === 'copied' ? 'copy' : 'in-place',
    fallback: way === 'insitu',
    find(bytes) {
      const known = compiled(bytes);
      if (known !== undefined && 'invalid' in known && way !== 'insitu')
        throw new insitu.CompileError(known.invalid);
      if (known !== undefined && 'failed' in known) throw new Error(known.failed);
      if (known === undefined || !('image' in known)) return undefined;
      return { root: '', sha256: '', image: known.image, baseline: known.image, source: known.image };
    },
  });
  return insitu as unknown as Namespace;
}
