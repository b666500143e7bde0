// The one place where the runner meets what it tests: compiling ahead, and the namespace over what was compiled.
import { type Compiled, type Namespace, v8, type Way } from './ways.ts';

/** The ways that can be run. */
export const available: readonly Way[] = ['v8'];

/** Compiles modules of all kinds, bad ones too, at the quick tier into images under `directory`; one answer a module. */
export async function compileMany(_modules: Uint8Array[], _directory: string): Promise<Compiled[]> {
  throw new Error('no compiler');
}

/** The namespace of a way. `compiled` tells what compiling ahead made of a module's bytes, for those compiled. */
export async function namespaceOf(
  way: Way,
  _compiled: (bytes: Uint8Array) => Compiled | undefined,
): Promise<Namespace> {
  if (way === 'v8') return v8;
  throw new Error(`no way ${way}`);
}
