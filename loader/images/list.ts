// What a store holds, as it says of itself; verify.ts looks whether that is so.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inFile } from '../error.ts';
import { entryPath, INSTALLED_FROM, isSha256, parseImageName, SOURCE } from './layout.ts';
import { type Record, readRecord } from './record.ts';

export interface StoredImage {
  path: string;
  name: string;
  /** Bytes. */
  size: number;
  written: Date;
  /** Null where it can't be understood. */
  record: Record | null;
}

export interface StoredModule {
  sha256: string;
  /** The paths it was installed from. */
  from: string[];
  /** Bytes of the source; null where that is gone. */
  size: number | null;
  images: StoredImage[];
}

/** Entries in the order of their names. @throws LoadError when the store can't be read; an absent one has none */
export function listStore(root: string): StoredModule[] {
  return hashes(root)
    .map((sha256) => moduleOf(root, sha256))
    .sort((a, b) => label(a).localeCompare(label(b)));
}

/** What people call it: the name of the file it is from, else its hash. */
export function label({ from, sha256 }: Pick<StoredModule, 'from' | 'sha256'>): string {
  const path = from[0] ?? sha256.slice(0, 12);
  return path.slice(path.lastIndexOf('/') + 1);
}

export function hashes(root: string): string[] {
  return namesIn(join(root, 'entries')).filter(isSha256).sort();
}

/** Whatever is missing of an entry is null or left out. */
export function moduleOf(root: string, sha256: string): StoredModule {
  const entry = entryPath(root, sha256);
  const size = statSync(join(entry, SOURCE), { throwIfNoEntry: false })?.size ?? null;
  const images = namesIn(entry)
    .filter((name) => parseImageName(name))
    .sort()
    .flatMap((name) => imageAt(join(entry, name), name));
  return { sha256, from: origins(entry), size, images };
}

function imageAt(path: string, name: string): StoredImage[] {
  const status = statSync(path, { throwIfNoEntry: false });
  return status ? [{ path, name, size: status.size, written: status.mtime, record: recordAt(path) }] : [];
}

function recordAt(path: string): Record | null {
  try {
    return readRecord(path);
  } catch {
    return null;
  }
}

/** None where there is no such directory. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw inFile(directory, error);
  }
}

/** The paths that an entry was installed from. */
export function origins(entry: string): string[] {
  try {
    return readFileSync(join(entry, INSTALLED_FROM), 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
