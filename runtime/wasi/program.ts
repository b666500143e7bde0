// A WebAssembly program: which image it runs from, or why V8 has to compile it.
import { readFileSync } from 'node:fs';
import { inFile, LoadError } from '../../loader/error.ts';
import type { LoadOptions } from '../../loader/index.ts';
import { type LoadedModule, loadModule } from '../library/module.ts';
import { V8, type Module as V8Module } from '../wasm/v8.ts';
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
    const isOfImage = error instanceof LoadError && error.syscall === undefined;
    if (!isOfImage || options.requireInPlace || options.place === 'copy') throw error;
    const why = error.code === 'ERR_NO_IMAGE' ? 'it has no image in a store' : error.message;
    return { path, module: inV8(path), loaded: null, why };
  }
}

function inV8(path: string): Linkable {
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
