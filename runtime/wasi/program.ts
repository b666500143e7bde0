// A WebAssembly program: which image it runs from, or why V8 has to compile it.
import { readFileSync } from 'node:fs';
import { inFile, LoadError } from '../../loader/error.ts';
import type { LoadOptions } from '../../loader/index.ts';
import { type LoadedModule, loadModule } from '../library/module.ts';
import { type Exports, V8, type Module as V8Module } from '../wasm/v8.ts';
import type { Linkable } from './preview1.ts';

export interface WasmProgram {
  readonly path: string;
  readonly module: Linkable;
  /** The image that it runs from; null where V8 compiles it. */
  readonly loaded: LoadedModule | null;
  /** One clause. */
  readonly why: string;
}

/**
 * A module that is installed in place, any other one in V8, unless the options ask for what V8 has not.
 * @throws LoadError as loadModule, with options; ERR_FORMAT of what is no valid module, ENOENT …
 */
export function openProgram(path: string, options: LoadOptions): WasmProgram {
  try {
    const loaded = loadModule(path, options);
    return { path, module: loaded, loaded, why: `its image is ${loaded.image}` };
  } catch (error) {
    return inV8(path, options, error);
  }
}

/** Linked, in place or, where that can only be V8's, in V8. @throws as openProgram; what instantiating throws */
export function linkProgram(
  program: WasmProgram,
  imports: object,
  options: LoadOptions,
): { program: WasmProgram; exports: Exports } {
  try {
    return { program, exports: program.module.instantiate(imports) };
  } catch (error) {
    const isV8s = error instanceof LoadError && error.code === 'ERR_UNSUPPORTED' && program.loaded !== null;
    if (!isV8s) throw error;
    const other = inV8(program.path, options, error);
    return { program: other, exports: other.module.instantiate(imports) };
  }
}

function inV8(path: string, { requireInPlace, place }: LoadOptions, error: unknown): WasmProgram {
  const isOfImage = error instanceof LoadError && error.syscall === undefined;
  if (!isOfImage || requireInPlace || place === 'copy') throw error;
  const why = error.code === 'ERR_NO_IMAGE' ? notInstalled(path) : error.message;
  return { path, module: linkable(path), loaded: null, why };
}

/** As a clause. */
export const notInstalled = (path: string): string =>
  `it has no image in a store; want it installed (insitu install ${path})`;

function linkable(path: string): Linkable {
  const module = compile(path);
  return {
    imports: V8.Module.imports(module),
    exports: V8.Module.exports(module),
    instantiate: (imports) => new V8.Instance(module, imports).exports,
  };
}

function compile(path: string): V8Module {
  try {
    return new V8.Module(readFileSync(path));
  } catch (error) {
    if (!(error instanceof V8.CompileError)) throw inFile(path, error);
    throw new LoadError('ERR_FORMAT', path, `is no module that V8 takes: ${error.message}`);
  }
}

/** What ends a program by itself: a trap, an exhausted stack, an exception of its own that it does not catch. */
export const isTrap = (error: unknown): error is Error =>
  error instanceof V8.RuntimeError ||
  error instanceof (V8.Exception as unknown as abstract new () => unknown) ||
  (error instanceof RangeError && /call stack/.test(error.message));
