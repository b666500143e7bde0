// Which of the files that were named are modules, by their bytes.
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inFile } from '../../loader/error.ts';
import { detect, type Family } from '../../loader/format.ts';

export interface Found {
  path: string;
  /** Bytes. */
  size: number;
}

const NO_MODULE: Record<Exclude<Family, 'wasm-module'>, string> = {
  elf: 'is ELF: insitu run and load() start it as it is, insitu place puts it on NVM',
  'wasm-component': 'is a component; only the core modules in it can be compiled',
  script: 'is a script',
  unknown: 'is no WebAssembly module',
};

/** What V8 takes (kV8MaxWasmModuleSize), in bytes. */
const MOST = 1 << 30;

/**
 * The modules among files and in directories, links not followed; named files that are none with the reason, and
 * components and files called .wasm in directories too.
 * @throws LoadError ENOENT, EACCES … of what was named
 */
export function collect(names: readonly string[]): {
  modules: Found[];
  refused: { path: string; reason: string }[];
} {
  const modules: Found[] = [];
  const refused: { path: string; reason: string }[] = [];
  const look = (path: string, isNamed: boolean) => {
    const { family, size } = familyOf(path);
    if (family === 'wasm-module' && size > MOST)
      refused.push({ path, reason: `has ${size} bytes; want at most ${MOST}` });
    else if (family === 'wasm-module') modules.push({ path, size });
    else if (isNamed || family === 'wasm-component' || path.endsWith('.wasm'))
      refused.push({ path, reason: NO_MODULE[family] });
  };
  for (const name of names) {
    try {
      if (!statSync(name).isDirectory()) look(name, true);
      else for (const path of filesIn(name)) look(path, false);
    } catch (error) {
      throw inFile(name, error);
    }
  }
  return {
    modules: modules.filter(({ path }, i) => modules.findIndex((m) => m.path === path) === i),
    refused,
  };
}

function* filesIn(directory: string): Generator<string> {
  const entries = readdirSync(directory, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.isFile()) yield path;
  }
}

function familyOf(path: string): { family: Family; size: number } {
  const status = statSync(path);
  if (!status.isFile()) return { family: 'unknown', size: 0 }; // a FIFO would be waited for
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(8);
    readSync(fd, head, 0, 8, 0);
    return { family: detect([head.readUInt32LE(0), head.readUInt32LE(4)]), size: status.size };
  } finally {
    closeSync(fd);
  }
}
