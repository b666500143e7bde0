// Which of the files that were named are modules or shared objects, by their bytes.
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inFile } from '../../loader/error.ts';
import { detect, type Family } from '../../loader/format.ts';
import type { Learned } from '../../loader/images/learned.ts';
import { describeLibrary } from '../../loader/libraries/gather.ts';

export interface Found {
  path: string;
  /** Bytes. */
  size: number;
  /** Of one that a program compiled. */
  learned?: Learned;
}

const NO_MODULE: Record<'script' | 'region' | 'unknown', string> = {
  region: 'is a region; insitu run starts what is in it',
  script: 'is a script',
  unknown: 'is neither a WebAssembly module nor a Node addon',
};

/** What V8 takes (kV8MaxWasmModuleSize), in bytes. */
const MOST = 1 << 30;

/**
 * The modules and components among files and in directories, links not followed, shared objects that are named, and Node
 * addons for this machine in directories; named files that are none of these with the reason, and files called .wasm in
 * directories too.
 * @throws LoadError ENOENT, EACCES … of what was named
 */
export function collect(names: readonly string[]): {
  modules: Found[];
  components: Found[];
  libraries: Found[];
  refused: { path: string; reason: string }[];
} {
  const modules: Found[] = [];
  const components: Found[] = [];
  const libraries: Found[] = [];
  const refused: { path: string; reason: string }[] = [];
  const look = (path: string, isNamed: boolean) => {
    const { family, size } = familyOf(path);
    const isWasm = family === 'wasm-module' || family === 'wasm-component';
    if (family === 'elf') {
      if (isNamed || isAddonOfHere(path)) libraries.push({ path, size });
    } else if (isWasm && size > MOST)
      refused.push({ path, reason: `has ${size} bytes; want at most ${MOST}` });
    else if (isWasm) (family === 'wasm-module' ? modules : components).push({ path, size });
    else if (isNamed || path.endsWith('.wasm')) refused.push({ path, reason: NO_MODULE[family] });
  };
  for (const name of names) {
    try {
      if (!statSync(name).isDirectory()) look(name, true);
      else for (const path of filesIn(name)) look(path, false);
    } catch (error) {
      throw inFile(name, error);
    }
  }
  return { modules: once(modules), components: once(components), libraries: once(libraries), refused };
}

const once = (found: Found[]): Found[] =>
  found.filter(({ path }, i) => found.findIndex((other) => other.path === path) === i);

/** Packages bring them for several machines and C libraries. */
function isAddonOfHere(path: string): boolean {
  if (!path.endsWith('.node')) return false;
  try {
    const { format, details } = describeLibrary(path);
    const isOfMusl = details.needed.some((name) => /^libc\.(?:so|musl-.*)$/.test(name));
    return format === 'node-addon' && isOfMusl === isMusl();
  } catch {
    return false; // of another machine
  }
}

/** glibc gives its version to the report. */
function isMusl(): boolean {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined;
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
