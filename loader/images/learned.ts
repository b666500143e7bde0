// Modules that programs compiled before they had an image (INSITU=learn), kept in the store until an install comes to them,
// and shared objects that they opened:
//
//   learned/SHA256.wasm             its bytes
//   learned/SHA256.from             the program
//   learned/SHA256.FORMAT.refused   why it has no image of this format: it is not tried again
//   learned/SHA256.path             where a shared object is; SHA256 is of that and what fstat(2) says of it
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Temporary } from '../store/temporary.ts';
import { fileKey, IMAGE_FORMAT, isSha256 } from './layout.ts';
import { namesIn } from './list.ts';
import { writeWhole } from './write.ts';

export interface Learned {
  sha256: string;
  path: string;
  /** The program that compiled it; '' where that was not noted. */
  from: string;
}

const directoryOf = (root: string): string => join(root, 'learned');
const fileOf = (root: string, sha256: string, kind: string): string =>
  join(directoryOf(root), `${sha256}.${kind}`);
const REFUSED = `${IMAGE_FORMAT}.refused`;

function put(root: string, sha256: string, kind: string, bytes: Uint8Array): void {
  using file = new Temporary(directoryOf(root));
  writeWhole(file, bytes);
  file.publish(fileOf(root, sha256, kind));
}

function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Keeps a module for the next install.
 * @returns why no install would make an image of it, if one has tried
 * @throws Error of the system call
 */
export function keepLearned(root: string, bytes: Uint8Array, from: string): string | undefined {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const refused = textAt(fileOf(root, sha256, REFUSED));
  if (refused !== undefined) return refused;
  if (existsSync(fileOf(root, sha256, 'wasm'))) return undefined;
  mkdirSync(directoryOf(root), { recursive: true });
  put(root, sha256, 'from', Buffer.from(from));
  put(root, sha256, 'wasm', bytes);
  return undefined;
}

/** As keepLearned, of a shared object, which stays where it is. */
export function keepLearnedFile(root: string, path: string): string | undefined {
  const key = `${fileKey(statSync(path, { bigint: true }))}\0${path}`;
  const sha256 = createHash('sha256').update(key).digest('hex');
  const refused = textAt(fileOf(root, sha256, REFUSED));
  if (refused !== undefined) return refused;
  if (existsSync(fileOf(root, sha256, 'path'))) return undefined;
  mkdirSync(directoryOf(root), { recursive: true });
  put(root, sha256, 'path', Buffer.from(path));
  return undefined;
}

/** `path` is where it is. */
export function listLearnedFiles(root: string): Pick<Learned, 'sha256' | 'path'>[] {
  return namesIn(directoryOf(root))
    .map((name) => name.split('.'))
    .filter(([sha256 = '', kind]) => kind === 'path' && isSha256(sha256))
    .map(([sha256 = '']) => ({ sha256, path: textAt(fileOf(root, sha256, 'path')) ?? '' }));
}

export function listLearned(root: string): Learned[] {
  return namesIn(directoryOf(root))
    .map((name) => name.split('.'))
    .filter(([sha256 = '', kind]) => kind === 'wasm' && isSha256(sha256))
    .map(([sha256 = '']) => ({
      sha256,
      path: fileOf(root, sha256, 'wasm'),
      from: textAt(fileOf(root, sha256, 'from')) ?? '',
    }));
}

/** It is installed now, or never will be. */
export function settleLearned(root: string, sha256: string, refused?: string): void {
  if (refused !== undefined) put(root, sha256, REFUSED, Buffer.from(refused));
  for (const kind of ['wasm', 'from', 'path']) rmSync(fileOf(root, sha256, kind), { force: true });
}
