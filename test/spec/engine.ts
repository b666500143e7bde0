// The one place where the runner meets what it tests: compiling ahead, and the namespace over what was compiled.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { compileMany as compileAhead, type ManyOptions } from '../../loader/compile/many.ts';
import { ModuleError, UnsupportedFeature } from '../../loader/compile/module.ts';
import { type Compiled, type Namespace, v8, type Way, ways } from './ways.ts';

/** The ways that can be run. */
export const available: readonly Way[] = ways;

function outcome(failure: unknown, image: string, source: string): Compiled {
  if (failure === undefined) return { image, source };
  if (failure instanceof UnsupportedFeature) return { unsupported: failure.feature };
  if (failure instanceof ModuleError) return { invalid: failure.message };
  return { failed: String(failure) };
}

/**
 * Compiles modules of all kinds, bad ones too, at the quick tier into images under `directory`; one answer a module.
 * `target` = another one than this machine.
 */
export async function compileMany(
  modules: Uint8Array[],
  directory: string,
  target: Pick<ManyOptions, 'arch' | 'compiler'> = {},
): Promise<Compiled[]> {
  const items = modules.map((bytes, index) => ({ bytes, output: join(directory, `${index}.so`) }));
  const failures = await compileAhead(items, { ...target, directory, tier: 'quick', cpu: 'baseline' });
  return items.map(({ bytes, output }, index) => {
    const source = join(directory, `${index}.wasm`);
    writeFileSync(source, bytes);
    return outcome(failures[index], output, source);
  });
}

/** The namespace of a way. `compiled` tells what compiling ahead made of a module's bytes, for those compiled. */
export async function namespaceOf(
  way: Way,
  compiled: (bytes: Uint8Array) => Compiled | undefined,
): Promise<Namespace> {
  if (way === 'v8') return v8;
  // The boundary is tried both ways: by V8's interface, and here through Node-API.
  if (way === 'copied') process.env.INSITU_ACCELERATOR = '0';
  const insitu = await import('../../runtime/wasm/index.ts');
  insitu.setPolicy({
    place: way === 'copied' ? 'copy' : 'in-place',
    fallback: way === 'insitu',
    find(bytes) {
      const known = compiled(bytes);
      if (!known || !('image' in known)) return undefined;
      const { image, source } = known;
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      return { root: dirname(image), sha256, image, baseline: image, source };
    },
  });
  return insitu.webAssembly as unknown as Namespace;
}

/** For scripts that hand over what is no module at all: V8 may tell them so. */
export async function allowFallback(): Promise<void> {
  const { setPolicy } = await import('../../runtime/wasm/index.ts');
  setPolicy({ fallback: true });
}

/** Why modules that have an image did not run from it. */
export async function leftToV8(): Promise<string[]> {
  const { explain } = await import('../../runtime/wasm/index.ts');
  const reasons = explain().flatMap(({ image, reason }) => (image === null ? [reason] : []));
  return [...new Set(reasons)].filter((reason) => reason !== 'no image in a store');
}
