// The files of an app's directory, and what each is: everything that a start would otherwise find out.
import { lstatSync, readdirSync, readFileSync, realpathSync, type Stats } from 'node:fs';
import { basename, dirname, extname, join, relative } from 'node:path';
import { compileFunction } from 'node:vm';
import { inFile, LoadError } from '../error.ts';
import { detect } from '../format.ts';
import { describeLibrary, gather } from '../libraries/gather.ts';
import type { Kind, ModuleFormat } from './layout.ts';

export interface Item {
  /** From the app's root; '' is that itself. */
  path: string;
  kind: Kind;
  format: ModuleFormat;
  mode: number;
  mtimeMs: number;
  /** Where its bytes are; a link's are those of its target, as a path from the root. */
  source: string | Buffer;
  /** It is to be mapped by itself. */
  hasOwnEntry: boolean;
  /** Paths of what a shared object needs of the others. */
  needed: string[];
}

export interface Collected {
  items: Item[];
  /** Links that lead out of the directory: what is there was taken, and nothing from beside it. */
  outside: string[];
}

/** Not of use to a program that runs. */
const LEFT_OUT = new Set(['.git', '.hg', '.svn']);

/**
 * All that lies in a directory; links that lead out of it are followed.
 * @param leftOut absolute paths that are passed over
 * @throws LoadError ENOENT, EACCES …; ERR_NOT_MAPPABLE of a FIFO, socket or device
 */
export function collectApp(root: string, leftOut: readonly string[] = []): Collected {
  const items: Item[] = [];
  const outside: string[] = [];
  const top = realpathSync(root);
  const visit = (source: string, path: string, above: readonly string[]): void => {
    const status = lstatSync(source);
    const base = { path, mode: status.mode, mtimeMs: status.mtimeMs, hasOwnEntry: false, needed: [] };
    if (status.isSymbolicLink()) {
      const target = targetOf(source);
      if (target === undefined) return;
      const inside = relative(top, target);
      if (!inside.startsWith('..') && !LEFT_OUT.has(inside.split('/')[0] as string)) {
        items.push({ ...base, kind: 'link', format: 'none', source: Buffer.from(inside) });
      } else if (!above.includes(target)) {
        outside.push(path);
        visit(target, path, [...above, target]);
      }
    } else if (status.isDirectory()) {
      items.push({ ...base, kind: 'directory', format: 'none', source });
      for (const name of readdirSync(source).sort()) {
        if (LEFT_OUT.has(name) || leftOut.includes(join(source, name))) continue;
        visit(join(source, name), path === '' ? name : `${path}/${name}`, above);
      }
    } else items.push({ ...base, ...describe(source, status), kind: 'file', source });
  };
  try {
    visit(top, '', [top]);
  } catch (error) {
    throw inFile(root, error);
  }
  return { items: withNeeded(items, top), outside };
}

/** Undefined of one that leads nowhere. */
function targetOf(link: string): string | undefined {
  try {
    return realpathSync(link);
  } catch {
    return undefined;
  }
}

function describe(source: string, status: Stats): Pick<Item, 'format' | 'hasOwnEntry'> {
  if (!status.isFile())
    throw new LoadError('ERR_NOT_MAPPABLE', source, 'is no file, directory or link; want an app of these');
  const name = basename(source);
  if (/\.node$|\.so(\.|$)/.test(name)) return ofLibrary(source);
  return { format: formatOf(source, name), hasOwnEntry: false };
}

/** Those for other machines are bytes like any others. */
function ofLibrary(source: string): Pick<Item, 'format' | 'hasOwnEntry'> {
  try {
    const { format } = describeLibrary(source);
    if (format === 'node-addon') return { format: 'addon', hasOwnEntry: true };
    if (format === 'elf-shared') return { format: 'shared', hasOwnEntry: true };
  } catch {
    // not ELF, or of another machine
  }
  return { format: 'none', hasOwnEntry: false };
}

function formatOf(source: string, name: string): ModuleFormat {
  switch (extname(name)) {
    case '.cjs':
      return 'commonjs';
    case '.mjs':
      return 'module';
    case '.json':
      return 'json';
    case '.wasm':
      return isWasm(source) ? 'wasm' : 'none';
    case '.js':
      return typeAround(source) ?? (isModule(source) ? 'module' : 'commonjs');
    case '':
      return typeAround(source) ?? 'commonjs';
    default:
      return 'none';
  }
}

function isWasm(source: string): boolean {
  const head = readFileSync(source).subarray(0, 8);
  return head.length === 8 && detect([head.readUInt32LE(0), head.readUInt32LE(4)]) === 'wasm-module';
}

const types = new Map<string, 'commonjs' | 'module' | undefined>();

/** As the nearest package.json says (Node's packages, "Determining module system"). */
function typeAround(source: string): 'commonjs' | 'module' | undefined {
  const directory = dirname(source);
  if (types.has(directory)) return types.get(directory);
  const type = typeIn(directory) ?? (directory === '/' ? undefined : typeAround(directory));
  const found = type === 'none' ? undefined : type;
  types.set(directory, found);
  return found;
}

function typeIn(directory: string): 'commonjs' | 'module' | 'none' | undefined {
  if (basename(directory) === 'node_modules') return 'none';
  try {
    const { type } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { type?: unknown };
    return type === 'module' || type === 'commonjs' ? type : 'none';
  } catch {
    return undefined;
  }
}

/** What Node says of the text of an ES module that it takes for CommonJS. */
const OF_MODULES =
  /^(?:Cannot use import statement outside a module|Unexpected token 'export'|Cannot use 'import\.meta' outside a module|await is only valid in async functions)/;

function isModule(source: string): boolean {
  const text = readFileSync(source, 'utf8').replace(/^#!.*/, '');
  try {
    compileFunction(text, ['exports', 'require', 'module', '__filename', '__dirname']);
    return false;
  } catch (error) {
    return OF_MODULES.test((error as Error).message);
  }
}

/** Of shared objects what they find by $ORIGIN, as far as it is in the app. */
function withNeeded(items: Item[], top: string): Item[] {
  const byPath = new Map(items.map((item) => [item.path, item]));
  for (const item of items) {
    if (!item.hasOwnEntry || typeof item.source !== 'string') continue;
    const { directory, files } = gather(item.source);
    item.needed = files
      .slice(1)
      .map((file) => relative(top, realpathSync(join(directory, file))))
      .filter((path) => byPath.get(path)?.hasOwnEntry);
  }
  return items;
}
