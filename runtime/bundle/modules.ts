// Node's two module loaders, led to the files of an app. CommonJS goes by what every Node has, and lets others replace:
// Module._resolveFilename, Module._extensions and Module.runMain. ES modules go by module.registerHooks, on Nodes without that
// by module.register.
import fs from 'node:fs';
import Module, { createRequire, syncBuiltinESMExports } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Script } from 'node:vm';
import type { FileRecord } from '../../loader/bundle/app.ts';
import { moduleFile, requireHere } from '../../loader/root.ts';
import { type Compile, mayImport } from './compiler.ts';
import { esmHooks } from './esm.ts';
import type * as ImportMain from './import-main.ts';
import type { Mount } from './mount.ts';
import { BuiltinTarget, isBuiltin, Resolver } from './resolve.ts';

interface Loaded {
  filename?: string;
  paths?: string[];
  exports: unknown;
  require(path: string): unknown;
  _compile(text: string, filename: string, format?: string): unknown;
}
type Extension = (module: Loaded, filename: string) => unknown;

/** What of Node's Module is documented in part, and has been as it is since there were ES modules. */
interface Internals {
  /** Ours: see esm.ts. */
  insituLoad?: (filename: string) => unknown;
  _resolveFilename(
    request: string,
    parent?: Loaded | null,
    isMain?: boolean,
    options?: { paths?: string[] },
  ): string;
  _resolveLookupPaths(request: string, parent: Loaded): string[] | null;
  _extensions: Record<string, Extension>;
  _cache: Record<string, Loaded>;
  _load(request: string, parent: object | null, isMain: boolean): unknown;
  runMain(main?: string): unknown;
  registerHooks?(hooks: ReturnType<typeof esmHooks>): unknown;
  register?(file: URL, options: { data: unknown }): void;
}
const internals = Module as unknown as Internals;
const genuineCompile = (Module.prototype as unknown as Loaded)._compile;

/** Those of Node itself, and what --conditions adds. */
function conditionsOfRequire(): ReadonlySet<string> {
  const given = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/)];
  const said = given.flatMap((option, i) => {
    const [, inline] = /^(?:--conditions|-C)(?:=(.*))?$/.exec(option) ?? [];
    return inline !== undefined ? [inline] : /^(?:--conditions|-C)$/.test(option) ? [given[i + 1] ?? ''] : [];
  });
  return new Set(['node', 'require', ...(requiresModules ? ['module-sync'] : []), 'node-addons', ...said]);
}

/** @param compile what there is of V8's code cache */
export function patchModules(mount: Mount, reference: string, compile: Compile): void {
  const resolver = new Resolver(mount, () => Object.keys(internals._extensions));
  patchResolution(mount, resolver);
  const readyForImport = importing(mount, resolver, reference);
  patchExtensions(mount, readyForImport, compile);
  patchMain(mount, readyForImport);
  patchLoad();
}

/** fs/promises is fs.promises, which is made ready when that is asked for (patch-fs.ts). */
function patchLoad(): void {
  internals.insituLoad = (filename) => internals._load(filename, null, false);
  const isPromises = (request: unknown) => request === 'fs/promises' || request === 'node:fs/promises';
  const { _load: load } = internals;
  internals._load = function (request, ...rest) {
    return isPromises(request) ? fs.promises : Reflect.apply(load, this, [request, ...rest]);
  };
  const builtins = process as { getBuiltinModule?: (id: string) => unknown };
  const { getBuiltinModule: get } = builtins; // since 20.16 and 22.3
  if (get) builtins.getBuiltinModule = (id) => (isPromises(id) ? fs.promises : get.call(process, id));
}

/**
 * The hooks are there as soon as something may import: those of Node 20 are a thread, which takes 50 ms to start, and later
 * Nodes ask theirs at each require, too.
 */
function importing(mount: Mount, resolver: Resolver, reference: string): () => void {
  let isReady = false;
  return () => {
    if (isReady) return;
    isReady = true;
    void fs.promises; // what `import 'node:fs/promises'` gives then
    syncBuiltinESMExports();
    if (internals.registerHooks) internals.registerHooks(esmHooks(mount, resolver));
    else {
      const file = pathToFileURL(moduleFile('runtime/bundle/esm-thread').replace(/cjs$/, 'mjs'));
      internals.register?.(file, { data: { reference } });
    }
  };
}

const directoryOf = (inner: string): string => inner.slice(0, Math.max(0, inner.lastIndexOf('/')));

function patchResolution(mount: Mount, resolver: Resolver): void {
  const original = internals._resolveFilename;
  const conditions = conditionsOfRequire();
  internals._resolveFilename = function (request, parent, isMain, options) {
    if (typeof request !== 'string' || isBuiltin(request))
      return original.call(this, request, parent, isMain, options);
    const directories = options?.paths?.map((path) => mount.inside(path));
    const asking = mount.inside(parent?.filename);
    const own =
      asking === undefined ? (mount.inside(request) === undefined ? [] : ['']) : [directoryOf(asking)];
    for (const from of directories ?? own) {
      const found = from === undefined ? undefined : required(resolver, request, from, conditions);
      if (typeof found === 'string') return found;
      if (found !== undefined) return mount.pathOf(found);
    }
    return original.call(this, request, parent, isMain, options);
  };
}

/** A file of the app, or a module of Node's own. */
function required(resolver: Resolver, request: string, from: string, conditions: ReadonlySet<string>) {
  try {
    return resolver.require(request, from, conditions);
  } catch (error) {
    if (error instanceof BuiltinTarget) return error.request;
    throw error;
  }
}

/** The record of a file that Node is about to load. */
function recordAt(mount: Mount, filename: string): FileRecord | undefined {
  const inner = mount.inside(filename);
  return inner === undefined ? undefined : mount.app.resolve(inner);
}

function patchExtensions(mount: Mount, readyForImport: () => void, compile: Compile): void {
  const { _extensions: extensions } = internals;
  const wrap = (name: string, load: (module: Loaded, filename: string, record: FileRecord) => unknown) => {
    const original = extensions[name] ?? extensions['.js'];
    extensions[name] = (module, filename) => {
      const record = recordAt(mount, filename);
      return record === undefined ? original?.(module, filename) : load(module, filename, record);
    };
  };
  const script = (module: Loaded, filename: string, record: FileRecord) => {
    if (record.format === 'module' && !requiresModules) throw requiredModule(filename);
    const text = withoutMark(mount.textOf(record));
    const isModule = record.format === 'module';
    // A program that puts a _compile of its own there wants to see each text.
    const isPlain = !isModule && module._compile === genuineCompile;
    const compiled = isPlain ? compile(record.number, text, filename) : undefined;
    if (compiled?.mayImport ?? (isModule || mayImport(text))) readyForImport();
    if (compiled !== undefined) return run(compiled.script, module, filename);
    return module._compile(text, filename, isModule ? 'module' : 'commonjs');
  };
  wrap('.js', script);
  if (extensions['.mjs']) wrap('.mjs', script);
  wrap('.json', (module, filename, record) => {
    try {
      module.exports = JSON.parse(withoutMark(mount.textOf(record)));
    } catch (error) {
      (error as Error).message = `${filename}: ${(error as Error).message}`;
      throw error;
    }
  });
}

/** As Module._compile does with what it has compiled. */
function run(script: Script, module: Loaded, filename: string): unknown {
  const require = Object.assign((path: string) => module.require(path), {
    resolve: Object.assign(
      (request: string, options?: object) => internals._resolveFilename(request, module, false, options),
      { paths: (request: string) => internals._resolveLookupPaths(request, module) },
    ),
    main: process.mainModule,
    extensions: internals._extensions,
    cache: internals._cache,
  });
  const wrapped = script.runInThisContext() as (...args: unknown[]) => unknown;
  return Reflect.apply(wrapped, module.exports, [
    module.exports,
    require,
    module,
    filename,
    dirname(filename),
  ]);
}

const requiresModules = Boolean((process.features as { require_module?: boolean }).require_module);

function requiredModule(filename: string): Error {
  const text = `require() of ES Module ${filename} not supported; want import()`;
  return Object.assign(new Error(text), { code: 'ERR_REQUIRE_ESM' });
}

const withoutMark = (text: string): string => (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);

function patchMain(mount: Mount, readyForImport: () => void): void {
  const original = internals.runMain;
  internals.runMain = function (main = process.argv[1]) {
    if (main === undefined || mount.inside(main) === undefined) return original.call(this, main);
    const filename = createRequire(mount.path).resolve(main);
    process.argv[1] = filename;
    // Where Node can require ES modules it makes a main program of one by itself.
    if (recordAt(mount, filename)?.format === 'module' && !requiresModules) {
      readyForImport();
      const { importMain } = requireHere(moduleFile('runtime/bundle/import-main')) as typeof ImportMain;
      return importMain(pathToFileURL(filename).href);
    }
    return internals._load(filename, null, true);
  };
}
