// A loaded library as JavaScript uses it: functions called through C prototypes.

import { checkName, inFile, LoadError } from '../../loader/error.ts';
import { close, type LoadOptions, load as loadChain } from '../../loader/index.ts';
import { type ImageHandle, native } from '../../loader/native.ts';
import { Report } from '../../loader/report.ts';
import { requireHere } from '../../loader/root.ts';
import { readyFor } from '../../loader/store/locate.ts';
import { isReference } from '../../loader/store/reference.ts';
import type { LoadedComponent } from '../component/index.ts';
import { instantiateAddon } from './addon.ts';
import { familyOf } from './family.ts';
import type { LoadedModule } from './module.ts';

type Koffi = typeof import('koffi').default;
export type NativeFunction = ReturnType<ReturnType<Koffi['load']>['func']>;

let koffi: Koffi | undefined;
const functionTypes = new Map<string, ReturnType<Koffi['proto']>>();

/** koffi costs milliseconds to load: not before a first function is asked for. */
function foreignFunctions(): Koffi {
  if (koffi === undefined) {
    koffi = requireHere('koffi') as Koffi;
    koffi.load(null); // it refuses raw addresses before it has loaded anything
  }
  return koffi;
}

/** A mapped library; `using` closes it. Functions obtained from it throw ERR_CLOSED after that. */
export class Library implements Disposable {
  readonly path: string;
  readonly place: 'in-place' | 'copy';
  readonly #image: ImageHandle;
  readonly #prefaulted: boolean;
  #report: Report | undefined;
  #open = true;

  constructor(path: string, image: ImageHandle, options: LoadOptions = {}) {
    this.path = path;
    this.place = options.place ?? 'in-place';
    this.#prefaulted = Boolean(options.prefault);
    this.#image = image;
  }

  /** Report of the chain: phases in ns, bytes in place and copied, faults, evidence. */
  get report(): Report {
    this.#report ??= new Report(this.path, this.place, this.#handle(), this.#prefaulted);
    return this.#report;
  }

  /** Names of the dynamic symbols that it defines. */
  get exports(): string[] {
    return this.#inFile(() => native.imageSymbols(this.#handle()));
  }

  /** Address of an exported symbol in this process. @throws LoadError ERR_SYMBOL when it exports no such thing */
  symbol(name: string): bigint {
    const address = this.#inFile(() => native.imageSymbol(this.#handle(), name));
    if (address === 0n)
      throw new LoadError(
        'ERR_SYMBOL',
        this.path,
        `exports no symbol ${name}; insitu inspect --symbols lists them`,
      );
    return address;
  }

  /** The function at or below an address of this library, as a native stack trace wants it. */
  symbolAt(address: bigint): { name: string; distance: number } | undefined {
    return this.#inFile(() => native.imageSymbolAt(this.#handle(), address));
  }

  /**
   * A function by its C prototype, e.g. `ulong crc32(ulong, const char *, uint)` (koffi's types).
   * @throws LoadError ERR_PROTOTYPE, ERR_SYMBOL
   */
  func(prototype: string): NativeFunction {
    const types = foreignFunctions();
    const match = /([A-Za-z_]\w*)\s*\(/.exec(prototype);
    const name = match?.[1];
    if (!match || name === undefined)
      throw new LoadError(
        'ERR_PROTOTYPE',
        this.path,
        `'${prototype}' is no C prototype; want e.g. 'int f(int)'`,
      );
    const address = this.symbol(name);
    try {
      let type = functionTypes.get(prototype);
      if (type === undefined) {
        // A name can be declared once in a process, and two libraries may well export the same one.
        const before = prototype.slice(0, match.index);
        const behind = prototype.slice(match.index + name.length);
        type = types.proto(`${before}insitu_${functionTypes.size}_${name}${behind}`);
        functionTypes.set(prototype, type);
      }
      return this.#whileOpen(types.decode(address, type) as NativeFunction);
    } catch (error) {
      const text = `prototype '${prototype}' was not understood: ${(error as Error).message}`;
      throw new LoadError('ERR_PROTOTYPE', this.path, text);
    }
  }

  /** The exports object of a Node-API addon, with an environment of its own. @throws LoadError ERR_FORMAT */
  addon(): unknown {
    return instantiateAddon(this.#handle(), this.path);
  }

  /** Destructors, then unmap. Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    close(this.#image);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A call into unmapped memory would end the process: after close it throws instead. */
  #whileOpen(call: NativeFunction): NativeFunction {
    const checked = (...args: unknown[]) => {
      this.#handle();
      return call(...args);
    };
    return Object.assign(checked, {
      info: call.info,
      async: (...args: Parameters<NativeFunction['async']>) => {
        this.#handle();
        return call.async(...args);
      },
    }) as unknown as NativeFunction;
  }

  #inFile<T>(lookUp: () => T): T {
    try {
      return lookUp();
    } catch (error) {
      throw inFile(this.path, error);
    }
  }

  #handle(): ImageHandle {
    if (!this.#open) throw new LoadError('ERR_CLOSED', this.path, 'library is closed; want it open');
    return this.#image;
  }
}

/** As `load`, at once, of shared objects and Node addons. */
export function loadSync(path: string, options?: LoadOptions): Library {
  return new Library(path, loadChain(path, options), options);
}

export type Loaded = Library | LoadedModule | LoadedComponent;

/** As the store names images. */
const IMAGE = /[.]\d+[.]so$/;

/**
 * Loads what is stored in a file where it is stored: a shared object or Node addon as a Library (loader/index.ts), a
 * WebAssembly module or component that is installed as one to instantiate (module.ts, ../component/index.ts). `path` may
 * name an image itself, too.
 * @throws LoadError (a rejected promise) naming file, place, found and wanted
 */
export function load<T extends Loaded = LoadedModule>(
  path: `${string}.wasm`,
  options?: LoadOptions,
): Promise<T>;
export function load<T extends Loaded = Library>(path: string, options?: LoadOptions): Promise<T>;
export async function load(path: string, options?: LoadOptions): Promise<Loaded> {
  if (isReference(checkName(path))) await readyFor(path);
  else if (IMAGE.test(path)) {
    const module = await import('./module.ts');
    if (module.isImageName(path)) return module.loadModule(path, options);
  }
  try {
    return loadSync(path, options);
  } catch (error) {
    const loaded = error instanceof LoadError ? await loadWasm(path, options) : undefined;
    if (loaded === undefined) throw error;
    return loaded;
  }
}

/** Undefined of what is no WebAssembly. Nothing of it is imported before. */
async function loadWasm(path: string, options?: LoadOptions): Promise<Loaded | undefined> {
  const family = familyOf(path);
  if (family === 'wasm-component')
    return (await import('../component/index.ts')).loadComponent(path, options);
  if (family === 'wasm-module') return (await import('./module.ts')).loadModule(path, options);
  return undefined;
}
