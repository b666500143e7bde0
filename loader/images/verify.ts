// Whether a store holds what was put into it, read to the last byte, and making it so again.
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inFile } from '../error.ts';
import { removeLeftBehind } from '../store/temporary.ts';
import { cpuTag } from './cpu.ts';
import { type InstallOptions, install, readStable } from './install.ts';
import { entryPath, IMAGE_FORMAT, SOURCE } from './layout.ts';
import { hashes, moduleOf, namesIn, type StoredImage, type StoredModule } from './list.ts';
import { removeFreeLocks } from './lock.ts';
import { contentDamage, damageOf } from './record.ts';
import { removeModule, sweepIndex } from './remove.ts';

export interface Verified extends StoredModule {
  /** What is wrong, of the source or an image; none when all is as it was put in. */
  damage: { path: string; what: string }[];
  /** What was done about it. */
  repair: 'none' | 'compiled again' | 'removed' | null;
}

export interface VerifyOptions extends InstallOptions {
  repair?: boolean;
  onEntry?: (done: number, total: number) => void;
}

/** @throws LoadError when the store can't be read; when repairing, what installing throws */
export async function verifyStore(root: string, options: VerifyOptions): Promise<Verified[]> {
  const all = hashes(root);
  const verified: Verified[] = [];
  for (const sha256 of all) {
    options.signal?.throwIfAborted();
    const entry = verifyModule(root, sha256);
    if (options.repair && entry.damage.length > 0) entry.repair = await repair(root, entry, options);
    verified.push(entry);
    options.onEntry?.(verified.length, all.length);
  }
  if (options.repair) tidy(root);
  return verified;
}

function verifyModule(root: string, sha256: string): Verified {
  const module = moduleOf(root, sha256);
  const source = join(entryPath(root, sha256), SOURCE);
  const damage = module.images.flatMap(({ path, record }) => {
    const what =
      damageIn(path) ?? (record?.sha256 === sha256 ? undefined : 'it is the image of another module');
    return what === undefined ? [] : [{ path, what }];
  });
  const ofSource = contentDamage(source, sha256);
  if (ofSource !== undefined) damage.unshift({ path: source, what: ofSource });
  if (module.images.length === 0) damage.push({ path: entryPath(root, sha256), what: 'has no image' });
  return { ...module, damage, repair: null };
}

function damageIn(path: string): string | undefined {
  try {
    return damageOf(path);
  } catch (error) {
    return (error as Error).message;
  }
}

/** From the kept source, or from where the module once was, if that is the same still; else there is nothing to keep. */
async function repair(root: string, module: Verified, options: VerifyOptions): Promise<Verified['repair']> {
  const bytes = bytesOf(root, module);
  if (bytes === undefined) {
    await removeModule(root, module.sha256, options);
    return 'removed';
  }
  const damaged = new Set(module.damage.map(({ path }) => path));
  const images =
    module.images.length > 0 ? module.images.filter(({ path }) => damaged.has(path)) : [undefined];
  const again = images.length > 0 ? images : module.images.slice(0, 1); // the source alone: put back with an image
  for (const image of again) await makeAgain(root, bytes, image, options);
  return 'compiled again';
}

function bytesOf(root: string, { sha256, from }: StoredModule): Buffer | undefined {
  for (const path of [join(entryPath(root, sha256), SOURCE), ...from])
    if (contentDamage(path, sha256) === undefined) return readStable(path).bytes;
  return undefined;
}

/** Images for other CPUs than this one are removed: whoever has such a CPU makes them. */
async function makeAgain(
  root: string,
  bytes: Buffer,
  image: StoredImage | undefined,
  options: VerifyOptions,
): Promise<void> {
  const [, arch, cpu, format] = /^(x86-64|aarch64)-([a-z0-9]+)\.(\d+)/.exec(image?.name ?? '') ?? [];
  const isOwn = cpu === undefined || cpu === 'baseline' || cpu === cpuTag();
  if (image && (!isOwn || Number(format) !== IMAGE_FORMAT)) return rmSync(image.path, { force: true });
  await install(bytes, {
    ...options,
    root,
    again: true,
    tier: image?.record?.tier ?? 'best',
    cpu: cpu === undefined || cpu === 'baseline' ? 'baseline' : 'native',
    ...(arch === undefined ? {} : { arch: arch as 'x86-64' | 'aarch64' }),
  });
}

/** What leads nowhere, and what killed processes have left. */
function tidy(root: string): void {
  try {
    sweepIndex(
      root,
      (target) => statSync(join(root, 'entries', target), { throwIfNoEntry: false }) === undefined,
    );
    removeLeftBehind(root);
    removeFreeLocks(join(root, 'locks'));
    for (const name of namesIn(join(root, 'entries'))) {
      const entry = join(root, 'entries', name);
      if (name.endsWith('.removed')) rmSync(entry, { recursive: true, force: true });
      else removeLeftBehind(entry);
    }
  } catch (error) {
    throw inFile(root, error);
  }
}
