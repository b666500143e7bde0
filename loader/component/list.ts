// Components of a store: which there are, whether they are whole, and taking them out.
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { inFile, LoadError } from '../error.ts';
import { linkTarget } from '../images/find.ts';
import { isSha256 } from '../images/layout.ts';
import { listStore, namesIn, origins } from '../images/list.ts';
import { type LockOptions, locked } from '../images/lock.ts';
import { contentDamage } from '../images/record.ts';
import { removeModule } from '../images/remove.ts';
import { bindingPath, componentIndex, componentPath, corePath } from './layout.ts';
import { type ComponentFacts, factsOf } from './transpile.ts';

export interface StoredComponent {
  sha256: string;
  /** The paths it was installed from. */
  from: string[];
  /** Null where that can't be understood. */
  facts: ComponentFacts | null;
  /** What is wrong with it; none when all is as it was put in, as far as its own files go. */
  damage: { path: string; what: string }[];
}

/** @throws LoadError when the store can't be read; an absent one has none */
export function listComponents(root: string): StoredComponent[] {
  return namesIn(join(root, 'components'))
    .filter(isSha256)
    .map((sha256) => storedComponent(root, sha256));
}

function storedComponent(root: string, sha256: string): StoredComponent {
  const from = origins(componentPath(root, sha256));
  const path = bindingPath(root, sha256);
  try {
    const facts = factsOf(path, readFileSync(path, 'utf8'));
    return { sha256, from, facts, damage: coreDamage(root, sha256, facts) };
  } catch (error) {
    return { sha256, from, facts: null, damage: [{ path, what: (error as Error).message }] };
  }
}

function coreDamage(root: string, sha256: string, { cores }: ComponentFacts): StoredComponent['damage'] {
  return cores.flatMap((core, index) => {
    const path = corePath(root, sha256, index);
    const what = contentDamage(path, core.sha256);
    return what === undefined ? [] : [{ path, what }];
  });
}

/** The components that a name, the beginning of a hash, or the path of a file means. */
export function findComponents(root: string, wanted: string): StoredComponent[] {
  const isHash = wanted.length >= 6 && /^[0-9a-f]+$/.test(wanted);
  return listComponents(root).filter(
    ({ sha256, from }) =>
      (isHash && sha256.startsWith(wanted)) ||
      from.some((path) => path === wanted || basename(path) === wanted),
  );
}

/**
 * Takes a component out, and those of its core modules that are there for nothing else.
 * @throws LoadError EACCES, EROFS …; the signal's reason
 */
export async function removeComponent(
  root: string,
  sha256: string,
  options: LockOptions = {},
): Promise<void> {
  const { facts } = storedComponent(root, sha256);
  const directory = componentPath(root, sha256);
  try {
    await locked(join(root, 'locks', sha256), options, async () => {
      const going = join(root, 'components', `.${sha256}.${process.pid}.removed`); // one step for whoever looks
      renameSync(directory, going);
      rmSync(going, { recursive: true });
    });
  } catch (error) {
    throw inFile(directory, error);
  }
  sweep(root, sha256);
  const kept = new Set(
    listComponents(root).flatMap((other) => other.facts?.cores.map((core) => core.sha256) ?? []),
  );
  const own = new Set(facts?.cores.map((core) => core.sha256));
  for (const module of listStore(root))
    if (
      own.has(module.sha256) &&
      !kept.has(module.sha256) &&
      module.from.every((path) => path.includes('#core-'))
    )
      await removeModule(root, module.sha256, options);
}

function sweep(root: string, sha256: string): void {
  const directory = componentIndex(root);
  for (const name of namesIn(directory))
    if (linkTarget(join(directory, name)) === sha256) rmSync(join(directory, name), { force: true });
}

/** @throws LoadError ERR_REFERENCE where a name means several */
export function onlyOne<T extends { sha256: string }>(wanted: string, found: readonly T[]): T | undefined {
  if (found.length < 2) return found[0];
  const hashes = found.map(({ sha256 }) => sha256.slice(0, 12)).join(', ');
  throw new LoadError('ERR_REFERENCE', wanted, `could be any of ${hashes}; want one hash`);
}
