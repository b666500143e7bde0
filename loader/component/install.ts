// Putting a component into a store: its core modules as images, and what binds them.
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UnsupportedFeature } from '../compile/module.ts';
import { inFile } from '../error.ts';
import { openStore } from '../images/choose.ts';
import { isSource } from '../images/find.ts';
import { type Installed, type InstallOptions, install, readStable } from '../images/install.ts';
import { INSTALLED_FROM, type ReadPiece } from '../images/layout.ts';
import { origins } from '../images/list.ts';
import { locked } from '../images/lock.ts';
import { writeWhole } from '../images/write.ts';
import { removeLeftBehind, Temporary } from '../store/temporary.ts';
import { rememberComponent } from './find.ts';
import { bindingPath, componentPath, corePath } from './layout.ts';
import { transpile } from './transpile.ts';

export interface InstalledComponent {
  sha256: string;
  path: string;
  /** Bytes. */
  size: number;
  /** Its core modules. */
  modules: Installed[];
  /** Core modules that V8 will run, with the reason. */
  refused: { path: string; reason: string }[];
}

/**
 * Installs a component: transpiled, and each of its core modules compiled as `install` does.
 * @throws what `install` throws, and `transpile`; images that were made by then stay
 */
export async function installComponent(path: string, options: InstallOptions): Promise<InstalledComponent> {
  const began = BigInt(Date.now()) * 1_000_000n;
  const { bytes, status } = readStable(path);
  const root = openStore(options.root);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const { cores, binding } = await transpile(path, bytes);
  const done: InstalledComponent = { sha256, path, size: bytes.length, modules: [], refused: [] };
  const sources: (string | undefined)[] = [];
  const total = cores.reduce((sum, core) => sum + core.length, 0);
  let before = 0;
  for (const [index, core] of cores.entries()) {
    const part = { ...options, root, from: `${options.from ?? path}#core-${index}` };
    const { onProgress } = options;
    if (onProgress) {
      const base = before;
      part.onProgress = (now, all) => onProgress(base + (core.length * now) / all, total);
    }
    sources.push(await installCore(core, part, done));
    before += core.length;
  }
  try {
    const parts = { cores, sources, binding, from: options.from ?? path };
    await locked(join(root, 'locks', sha256), options, async () => keep(root, sha256, parts));
  } catch (error) {
    throw inFile(componentPath(root, sha256), error);
  }
  rememberComponent(root, sha256, status, began);
  return done;
}

/** @returns where the store keeps its bytes; undefined of one that is V8's to run */
async function installCore(
  core: Uint8Array,
  options: InstallOptions & { from: string },
  done: InstalledComponent,
): Promise<string | undefined> {
  try {
    const installed = await install(core, options);
    done.modules.push(installed);
    return installed.source;
  } catch (error) {
    if (!(error instanceof UnsupportedFeature)) throw error;
    done.refused.push({ path: options.from, reason: `${error.message}; V8 runs it` });
    return undefined;
  }
}

interface Parts {
  cores: Uint8Array[];
  sources: (string | undefined)[];
  binding: string;
  from: string;
}

function keep(root: string, sha256: string, { cores, sources, binding, from }: Parts): void {
  const directory = componentPath(root, sha256);
  mkdirSync(directory, { recursive: true });
  removeLeftBehind(directory);
  for (const [index, core] of cores.entries()) {
    const path = corePath(root, sha256, index);
    const read: ReadPiece = (at, length) => core.subarray(at, at + length);
    const holds = (file: string | undefined) => file !== undefined && isSource(file, core.length, read);
    if (holds(path)) continue;
    rmSync(path, { force: true });
    const source = sources[index];
    if (!holds(source) || !linked(source as string, path)) publish(directory, path, core);
  }
  const known = origins(directory).filter((path) => path !== from);
  publish(directory, join(directory, INSTALLED_FROM), Buffer.from([...known, from, ''].join('\n')));
  publish(directory, bindingPath(root, sha256), Buffer.from(binding));
}

/** The same file by another name, where the file system has that. */
function linked(source: string, path: string): boolean {
  try {
    linkSync(source, path);
    return true;
  } catch {
    return false;
  }
}

function publish(directory: string, path: string, bytes: Uint8Array): void {
  using file = new Temporary(directory);
  writeWhole(file, bytes);
  file.publish(path);
}
