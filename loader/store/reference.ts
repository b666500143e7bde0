// What a FILE on the command line, or a path given to load(), means: a file, a place in a file, an entry of a region.
import { statSync } from 'node:fs';
import { LoadError } from '../error.ts';

export type Reference =
  | { readonly is: 'file'; readonly path: string }
  /** FILE@OFFSET, FILE@OFFSET+SIZE: bytes of a larger file; without a size, to its end. */
  | { readonly is: 'part'; readonly path: string; readonly start: number; readonly size: number | undefined }
  /** devdax:NAME (region null: the one device-dax region that has it), devdax:dax0.1/NAME, region:PATH/NAME. */
  | { readonly is: 'entry'; readonly region: string | null; readonly name: string };

const PART = /^(.+)@(0x[0-9a-f]+|\d+)(?:\+(0x[0-9a-f]+|\d+))?$/is;

/**
 * A name that means more than a file. Ordinary paths are let through by two looks at their characters: this is on the
 * load path. A file whose own name looks so is meant by `./devdax:x`, or by being there (`lib@1`).
 */
export function isReference(name: string): boolean {
  return (
    (name.charCodeAt(6) === 0x3a && (name.startsWith('devdax:') || name.startsWith('region:'))) ||
    (looksLikePart(name) && !isThere(name))
  );
}

/** FILE@OFFSET or FILE@OFFSET+SIZE by its looks, whether or not a file of this very name is there. */
export const looksLikePart = (name: string): boolean => name.includes('@') && PART.test(name);

/** @throws LoadError ERR_REFERENCE */
export function parseReference(name: string): Reference {
  if (!isReference(name)) return { is: 'file', path: name };
  if (name.startsWith('devdax:')) return parseDevice(name);
  if (name.startsWith('region:')) return parseRegion(name);
  const [, path, start, size] = PART.exec(name) as unknown as [string, string, string, string | undefined];
  return { is: 'part', path, start: bytes(name, start), size: size === undefined ? size : bytes(name, size) };
}

function parseDevice(name: string): Reference {
  const [first = '', second, ...more] = name.slice('devdax:'.length).split('/');
  if (second === undefined && first !== '') return { is: 'entry', region: null, name: first };
  if (second && more.length === 0 && /^dax\d+\.\d+$/.test(first))
    return { is: 'entry', region: `/dev/${first}`, name: second };
  throw new LoadError('ERR_REFERENCE', name, 'is no entry; want devdax:NAME or devdax:dax0.0/NAME');
}

function parseRegion(name: string): Reference {
  const rest = name.slice('region:'.length);
  const slash = rest.lastIndexOf('/');
  if (slash > 0 && slash < rest.length - 1)
    return { is: 'entry', region: rest.slice(0, slash), name: rest.slice(slash + 1) };
  throw new LoadError('ERR_REFERENCE', name, 'is no entry; want region:PATH/NAME');
}

function bytes(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new LoadError('ERR_REFERENCE', name, `${text} is behind the end of any file; want bytes below 2^53`);
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
