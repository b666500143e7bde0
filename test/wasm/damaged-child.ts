// Loads damaged copies of an image, one after another, calls what is exported, and tells of each how it ended before it
// goes on to the next: the one that crashes is the one that is not told of.
import { mkdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { LoadError } from '../../loader/error.ts';
import { openImage } from '../../runtime/wasm/image.ts';
import * as insitu from '../../runtime/wasm/index.ts';
import { type Damage, damage } from './damaged.ts';

export interface Task {
  image: string;
  source: string;
  directory: string;
  damages: Damage[];
}

/** What an image does, in a few words. */
function behaviour(bytes: Buffer): string {
  const module = new insitu.Module(bytes);
  const noted: unknown[] = [];
  const imports = { host: { note: (value: number) => void noted.push(value) } };
  const { exports } = new insitu.Instance(module, imports) as unknown as {
    exports: Record<string, (...args: unknown[]) => unknown>;
  };
  const outcomes = Object.entries(exports)
    .filter(([, value]) => typeof value === 'function')
    .map(([name, call]) => {
      try {
        return `${name} ${call(1)}`;
      } catch (error) {
        return `${name} ${error}`;
      }
    });
  return [...Object.keys(exports), ...outcomes, ...noted].join('; ');
}

function outcome(bytes: Buffer, image: string, source: string): string {
  insitu.setPolicy({
    fallback: false,
    find: () => ({ root: '', sha256: '', image, baseline: image, source }),
  });
  try {
    openImage(image, source);
  } catch (error) {
    if (error instanceof LoadError) return `${error.code}: ${error.message}`;
    return `other: ${error}`;
  }
  return `loaded: ${behaviour(bytes)}`;
}

const { image, source, directory, damages } = JSON.parse(readFileSync(0, 'utf8')) as Task;
const own = join(directory, String(process.pid));
mkdirSync(own);
const bytes = readFileSync(source);
for (const [index, item] of damages.entries()) {
  const path = join(own, `${index}.so`);
  damage(image, item, path);
  writeSync(1, `${JSON.stringify(outcome(bytes, path, source))}\n`);
}
