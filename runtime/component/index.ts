// Components in place: each core module from its image, the JavaScript between them as jco made it at install.
import { readFileSync } from 'node:fs';
import { componentOfFile } from '../../loader/component/find.ts';
import { corePath } from '../../loader/component/layout.ts';
import { LoadError } from '../../loader/error.ts';
import type { LoadOptions } from '../../loader/index.ts';
import type { Phase } from '../../loader/report.ts';
import { type LoadedModule, loadModule } from '../library/module.ts';
import type { ModuleReport } from '../library/module-report.ts';
import { notInstalled } from '../wasi/program.ts';
import * as ours from '../wasm/index.ts';
import type { Exports, Module } from '../wasm/v8.ts';
import { V8 } from '../wasm/v8.ts';
import { instantiateInV8 } from '../wasm/v8-instance.ts';
import { type Binding, type ComponentExports, importBinding } from './binding.ts';

export type { ComponentExports } from './binding.ts';

/** One core module of a component. */
interface Core {
  path: string;
  /** Null where V8 runs it, */
  loaded: LoadedModule | null;
  module: Module | null;
  /** and then why. */
  why: string;
}

export interface ComponentReport {
  component: string;
  place: 'in-place' | 'copy';
  /** In ns: reading what binds the core modules, loading these, instantiating. */
  phases: readonly Phase[];
  bytesInPlace: number;
  bytesCopied: number;
  /** By core module: the report of its image, or why it runs in V8. */
  modules: readonly { module: string; report: ModuleReport | null; why: string }[];
}

/** A component whose core modules run in place; `using` closes it. What its instances export goes on working. */
export class LoadedComponent implements Disposable {
  readonly format = 'wasm-component';
  readonly path: string;
  readonly place: 'in-place' | 'copy';
  readonly #binding: Binding<Core>;
  readonly #cores: ReadonlyMap<string, Core>;
  readonly #phases: Phase[];
  #instantiateNs: number | null = null;
  #open = true;

  constructor(
    path: string,
    place: 'in-place' | 'copy',
    binding: Binding<Core>,
    cores: ReadonlyMap<string, Core>,
    phases: Phase[],
  ) {
    this.path = path;
    this.place = place;
    this.#binding = binding;
    this.#cores = cores;
    this.#phases = phases;
  }

  /** Interfaces and functions by their names; of imports without versions. @throws LoadError ERR_CLOSED, here and below */
  get imports(): readonly string[] {
    return this.#opened().facts.imports;
  }

  get exports(): readonly string[] {
    return this.#opened().facts.exports;
  }

  /**
   * A new instance.
   * @param imports by the names in `imports`, as jco takes them: functions, interfaces as objects of functions, classes
   * @throws TypeError of imports that are missing, WebAssembly.LinkError, WebAssembly.RuntimeError of a trap
   */
  instantiate(imports: object = {}): ComponentExports {
    const instantiate = this.#opened().default(this.#namespace());
    const began = process.hrtime.bigint();
    const exports = instantiate((name) => this.#core(name), imports, instantiateCore);
    if (exports instanceof Promise)
      throw new LoadError(
        'ERR_UNSUPPORTED',
        this.path,
        'instantiates asynchronously; want a component that does not',
      );
    this.#instantiateNs = Number(process.hrtime.bigint() - began);
    return exports;
  }

  /** By core module: the report of its image, or why it runs in V8. */
  get modules(): ComponentReport['modules'] {
    this.#opened();
    return [...this.#cores.values()].map(({ path, loaded, why }) => ({
      module: path,
      report: loaded?.report ?? null,
      why,
    }));
  }

  /** What its load did, and the last instantiation. */
  get report(): ComponentReport {
    const { path: component, place, modules } = this;
    const sum = (key: 'bytesInPlace' | 'bytesCopied') =>
      modules.reduce((n, { report }) => n + (report?.[key] ?? 0), 0);
    const ns = this.#instantiateNs;
    const phases = ns === null ? this.#phases : [...this.#phases, { name: 'instantiate', ns }];
    return {
      component,
      place,
      phases,
      bytesInPlace: sum('bytesInPlace'),
      bytesCopied: sum('bytesCopied'),
      modules,
    };
  }

  /** Idempotent. Images stay mapped: code of them may be in use. */
  close(): void {
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #opened(): Binding<Core> {
    if (!this.#open) throw new LoadError('ERR_CLOSED', this.path, 'component is closed; want it open');
    return this.#binding;
  }

  #core(name: string): Core {
    const core = this.#cores.get(name);
    if (core === undefined) throw new LoadError('ERR_CONTENT', this.path, `has no core module ${name}`);
    return core;
  }

  /** What of the namespace's objects goes into core modules has to be of the one that runs them. */
  #namespace(): object {
    const inPlace = [...this.#cores.values()].some(({ loaded }) => loaded !== null);
    return inPlace ? Object.create(V8, Object.getOwnPropertyDescriptors({ ...ours })) : V8;
  }
}

function instantiateCore({ loaded, module }: Core, imports?: object): { exports: Exports } {
  if (loaded !== null) return { exports: loaded.instantiate(imports) };
  return instantiateInV8(module as Module, imports);
}

/**
 * Loads a component that is installed.
 * @throws LoadError ERR_NO_IMAGE where it is not; with `requireInPlace` or a copy asked for, also where one of its core
 *   modules has no image
 */
export async function loadComponent(path: string, options: LoadOptions = {}): Promise<LoadedComponent> {
  const found = componentOfFile(path);
  if (found === undefined) {
    const text = `has no image in a store; want it installed (insitu install ${path})`;
    throw new LoadError('ERR_NO_IMAGE', path, text);
  }
  const began = process.hrtime.bigint();
  const binding = await importBinding<Core>(found.binding);
  const read = process.hrtime.bigint();
  const cores = new Map(
    binding.facts.cores.map(({ name }, index) => [
      name,
      openCore(corePath(found.root, found.sha256, index), path, options),
    ]),
  );
  const phases = [
    { name: 'read', ns: Number(read - began) },
    { name: 'load', ns: Number(process.hrtime.bigint() - read) },
  ];
  return new LoadedComponent(path, options.place ?? 'in-place', binding, cores, phases);
}

function openCore(path: string, component: string, options: LoadOptions): Core {
  try {
    const loaded = loadModule(path, options);
    return { path, loaded, module: null, why: '' };
  } catch (error) {
    const isNoImage = error instanceof LoadError && error.code === 'ERR_NO_IMAGE';
    if (!isNoImage || options.requireInPlace || options.place === 'copy') throw error;
    return {
      path,
      loaded: null,
      module: new V8.Module(readFileSync(path)),
      why: notInstalled(component),
    };
  }
}
