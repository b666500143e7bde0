// What placing has left in a directory.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { versionOf } from '../placed.ts';

/** As text of one word: 'small=12,large=broken,temporaries=1'. */
export function heldIn(directory: string): string {
  const all = existsSync(directory) ? readdirSync(directory) : [];
  const temporaries = all.filter((name) => name.startsWith('.insitu-place-'));
  const held = all
    .filter((name) => !temporaries.includes(name))
    .map((name) => `${name}=${versionOf(name, readFileSync(join(directory, name)))}`);
  return [...held, `temporaries=${temporaries.length}`].join();
}
