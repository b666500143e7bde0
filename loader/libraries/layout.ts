// Where a store has shared objects, Node addons above all: a set each, of a file and what it needs from where it lies.
//
//   libraries/SHA256/           of one set; SHA256 is of its list
//     list                      the files as sha256sum(1) writes them, the one that is opened first
//     files/                    they themselves, as they lie to each other
//     known/                    symbolic links, never followed: from files that were seen to be those needed
//     installed-from            the paths it was installed from, one a line
//   libraries/index/            symbolic links, never followed, from what is cheap to know of a file to SHA256/PATH
//
// A directory of a set appears whole, by rename.
import { isSha256, SHA256_DIGITS } from '../images/layout.ts';

export const librariesPath = (root: string): string => `${root}/libraries`;
export const libraryIndex = (root: string): string => `${root}/libraries/index`;
export const setPath = (root: string, sha256: string): string => `${root}/libraries/${sha256}`;
export const filePath = (root: string, sha256: string, file: string): string =>
  `${root}/libraries/${sha256}/files/${file}`;
export const listPath = (root: string, sha256: string): string => `${root}/libraries/${sha256}/list`;
export const knownPath = (root: string, sha256: string): string => `${root}/libraries/${sha256}/known`;

export interface Listed {
  sha256: string;
  /** Relative to files/. */
  file: string;
}

const isWithin = (file: string): boolean =>
  file !== '' && !file.split('/').some((part) => part === '' || part === '.' || part === '..');

/** @returns undefined of what is no name of a file in a set */
export function parseTarget(target: string): Listed | undefined {
  const sha256 = target.slice(0, SHA256_DIGITS);
  const file = target.slice(SHA256_DIGITS + 1);
  return isSha256(sha256) && target[SHA256_DIGITS] === '/' && isWithin(file) ? { sha256, file } : undefined;
}

export const encodeList = (files: readonly Listed[]): string =>
  files.map(({ sha256, file }) => `${sha256}  ${file}\n`).join('');

/** @returns undefined of what is no list */
export function parseList(text: string): [Listed, ...Listed[]] | undefined {
  const lines = text.split('\n');
  if (lines.pop() !== '') return undefined;
  const files = lines.map((line) => {
    const [sha256 = '', file = ''] = [line.slice(0, SHA256_DIGITS), line.slice(SHA256_DIGITS + 2)];
    return isSha256(sha256) && isWithin(file) ? { sha256, file } : undefined;
  });
  return files.length > 0 && files.every((file) => file !== undefined)
    ? (files as [Listed, ...Listed[]])
    : undefined;
}
