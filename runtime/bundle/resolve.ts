// Which file of an app an import or require means: Node's algorithms (Modules: CommonJS modules, "All together"; ECMAScript
// modules, "Resolution Algorithm") over what the app's own index says, where Node would ask the file system at each step.
import { builtinModules } from 'node:module';
import type { FileRecord } from '../../loader/bundle/app.ts';
import type { Mount } from './mount.ts';
import { mapExports, mapImports } from './package-map.ts';

interface Package {
  name?: string;
  main?: string;
  exports?: unknown;
  imports?: unknown;
}

const builtins = new Set(builtinModules);

export const isBuiltin = (request: string): boolean => request.startsWith('node:') || builtins.has(request);

/** `imports` maps a request to a module of Node's own. */
export class BuiltinTarget extends Error {
  readonly request: string;
  constructor(request: string) {
    super(request);
    this.request = request;
  }
}

/** `inner` paths are from the app's root. */
export class Resolver {
  readonly #mount: Mount;
  readonly #extensions: () => string[];
  readonly #packages = new Map<string, Package | null>();
  readonly #known = new Map<string, FileRecord | null>();

  /** @param extensions that require adds, in order: what the program has registered by then */
  constructor(mount: Mount, extensions: () => string[]) {
    this.#mount = mount;
    this.#extensions = extensions;
  }

  /**
   * As require does.
   * @param from directory of the file that asks
   * @returns undefined where it is not in the app
   */
  require(request: string, from: string, conditions: ReadonlySet<string>): FileRecord | undefined {
    return this.#once(`${request}\0${from}`, () => {
      const inner = this.#mount.inside(request);
      if (inner !== undefined) return this.#asFileOrDirectory(inner, /\/$/.test(request));
      if (/^\.{1,2}(?:\/|$)/.test(request)) {
        const path = join(from, request);
        return path === undefined
          ? undefined
          : this.#asFileOrDirectory(path, /(?:^|\/)\.{0,2}$/.test(request));
      }
      if (request.startsWith('/')) return undefined;
      return this.#bare(request, from, conditions, (path) => this.#asFileOrDirectory(path, false));
    });
  }

  /** As import does. */
  import(request: string, from: string, conditions: ReadonlySet<string>): FileRecord | undefined {
    return this.#once(`import ${request}\0${from}`, () => {
      if (/^\.{0,2}\//.test(request)) {
        const path = request.startsWith('/') ? this.#mount.inside(request) : join(from, request);
        return path === undefined ? undefined : this.#file(path);
      }
      return this.#bare(request, from, conditions, (path) => this.#asFileOrDirectory(path, false));
    });
  }

  #once(key: string, find: () => FileRecord | undefined): FileRecord | undefined {
    let found = this.#known.get(key);
    if (found === undefined) {
      found = find() ?? null;
      this.#known.set(key, found);
    }
    return found ?? undefined;
  }

  #file(path: string): FileRecord | undefined {
    const record = this.#mount.app.resolve(path);
    return record?.kind === 'file' ? record : undefined;
  }

  #withExtension(path: string): FileRecord | undefined {
    for (const extension of this.#extensions()) {
      const record = this.#file(path + extension);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  #asFileOrDirectory(path: string, isDirectory: boolean): FileRecord | undefined {
    const file = isDirectory ? undefined : (this.#file(path) ?? this.#withExtension(path));
    if (file !== undefined) return file;
    const main = this.#packageIn(path)?.main;
    const at = typeof main === 'string' ? join(path, main) : undefined;
    const found =
      at === undefined
        ? undefined
        : (this.#file(at) ?? this.#withExtension(at) ?? this.#withExtension(`${at}/index`));
    return found ?? this.#withExtension(path === '' ? 'index' : `${path}/index`);
  }

  #bare(
    request: string,
    from: string,
    conditions: ReadonlySet<string>,
    find: (path: string) => FileRecord | undefined,
  ): FileRecord | undefined {
    if (request.startsWith('#')) return this.#import(request, from, conditions);
    const name = request.split('/', request.startsWith('@') ? 2 : 1).join('/');
    const subpath = `.${request.slice(name.length)}`;
    const hasExports = (value: Package | undefined) => value?.exports !== undefined && value.exports !== null;
    const scope = this.#scopeOf(from);
    if (scope !== undefined && hasExports(scope.value) && scope.value.name === name)
      return this.#exported(scope, request, subpath, conditions);
    for (let at: string | undefined = from; at !== undefined; at = parentOf(at)) {
      if (at === 'node_modules' || at.endsWith('/node_modules')) continue;
      const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
      const value = this.#packageIn(path);
      if (value !== undefined && hasExports(value))
        return this.#exported({ path, value }, request, subpath, conditions);
      const found = find(`${path}${request.slice(name.length)}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #import(request: string, from: string, conditions: ReadonlySet<string>): FileRecord | undefined {
    const scope = this.#scopeOf(from);
    if (scope === undefined) return undefined;
    const { imports } = scope.value;
    const map = typeof imports === 'object' && imports !== null ? (imports as Record<string, unknown>) : {};
    const target = mapImports(map, request, conditions);
    if (!target) throw notImported(request, this.#fileOf(scope.path));
    if ('invalid' in target) throw invalidTarget(request, target.invalid, this.#fileOf(scope.path));
    if ('path' in target) return this.#file(join(scope.path, target.path) ?? '');
    if (isBuiltin(target.request)) throw new BuiltinTarget(target.request);
    return this.#bare(target.request, scope.path, conditions, (at) => this.#file(at));
  }

  /** @throws TypeError as Node's, where package.json maps a request to nothing */
  #exported(
    { path, value }: { path: string; value: Package },
    request: string,
    subpath: string,
    conditions: ReadonlySet<string>,
  ): FileRecord | undefined {
    const target = mapExports(value.exports, subpath, conditions);
    if (target && 'invalid' in target) throw invalidTarget(request, target.invalid, this.#fileOf(path));
    if (!target || !('path' in target)) throw notExported(request, this.#fileOf(path));
    return this.#file(join(path, target.path) ?? '');
  }

  #fileOf(path: string): string {
    return `${this.#mount.path}/${path === '' ? '' : `${path}/`}package.json`;
  }

  #scopeOf(from: string): { path: string; value: Package } | undefined {
    for (let at: string | undefined = from; at !== undefined; at = parentOf(at)) {
      if (at.endsWith('node_modules')) return undefined;
      const value = this.#packageIn(at);
      if (value !== undefined) return { path: at, value };
    }
    return undefined;
  }

  #packageIn(path: string): Package | undefined {
    let known = this.#packages.get(path);
    if (known === undefined) {
      const record = this.#file(path === '' ? 'package.json' : `${path}/package.json`);
      known = record === undefined ? null : parsed(this.#mount.textOf(record));
      this.#packages.set(path, known);
    }
    return known ?? undefined;
  }
}

function notExported(request: string, file: string): TypeError {
  const inner = request.split('/').slice(request.startsWith('@') ? 2 : 1);
  const text =
    inner.length === 0
      ? `No "exports" main defined in ${file}`
      : `Package subpath './${inner.join('/')}' is not defined by "exports" in ${file}`;
  return Object.assign(new TypeError(text), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' });
}

function invalidTarget(request: string, target: string, file: string): Error {
  const text = `Invalid target ${JSON.stringify(target)} defined for '${request}' in the package config ${file}`;
  return Object.assign(new Error(text), { code: 'ERR_INVALID_PACKAGE_TARGET' });
}

function notImported(request: string, file: string): TypeError {
  const text = `Package import specifier "${request}" is not defined in package ${file}`;
  return Object.assign(new TypeError(text), { code: 'ERR_PACKAGE_IMPORT_NOT_DEFINED' });
}

function parsed(text: string): Package | null {
  try {
    return JSON.parse(text) as Package;
  } catch {
    return null;
  }
}

/** Undefined above the root. */
const parentOf = (path: string): string | undefined =>
  path === '' ? undefined : path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** Undefined of what leads out of the app. */
function join(from: string, request: string): string | undefined {
  const parts = from === '' ? [] : from.split('/');
  for (const part of request.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}
