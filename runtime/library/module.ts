// A WebAssembly module as load() gives it: its image in a store, mapped where it is stored, and instances of that.
import { basename, dirname, join } from 'node:path';
import { LoadError } from '../../loader/error.ts';
import type { Found } from '../../loader/images/find.ts';
import { imageOfFile } from '../../loader/images/find-file.ts';
import { parseImageName, SOURCE } from '../../loader/images/layout.ts';
import type { LoadOptions } from '../../loader/index.ts';
import { native } from '../../loader/native.ts';
import { Report } from '../../loader/report.ts';
import { CompiledImage } from '../wasm/image.ts';
import { exportsOf, importsOf, instantiate, LeftToV8 } from '../wasm/module.ts';
import { EXTERNREF, F32, F64, FUNCREF, FUNCTION, I32, I64, V128, type ValueType } from '../wasm/shape.ts';
import type { Entry, Exports } from '../wasm/v8.ts';
import { ModuleReport } from './module-report.ts';

/** Value types by their names: 'i32', 'f64', 'externref' … */
export interface FunctionType {
  params: string[];
  results: string[];
}

const names = new Map<ValueType, string>([
  [I32, 'i32'],
  [I64, 'i64'],
  [F32, 'f32'],
  [F64, 'f64'],
  [V128, 'v128'],
  [FUNCREF, 'funcref'],
  [EXTERNREF, 'externref'],
]);
const nameOf = (type: ValueType): string => names.get(type) ?? 'exnref';

/** What an instance exports, by name, as WebAssembly.Instance.exports has it. */
export type ModuleExports = Exports;

/** A module in place; `using` closes it. What its instances export goes on working after that. */
export class LoadedModule implements Disposable {
  readonly format = 'wasm-module';
  /** As it was asked for. */
  readonly path: string;
  /** The image that is mapped. */
  readonly image: string;
  readonly place: 'in-place' | 'copy';
  readonly #image: CompiledImage;
  #instantiateNs: number | null = null;
  #open = true;

  constructor(path: string, image: CompiledImage) {
    this.path = path;
    this.image = image.path;
    this.place = image.place;
    this.#image = image;
  }

  /** As WebAssembly.Module.imports lists them. @throws LoadError ERR_CLOSED, here and below */
  get imports(): Entry[] {
    return importsOf(this.#opened());
  }

  /** As WebAssembly.Module.exports lists them. */
  get exports(): Entry[] {
    return exportsOf(this.#opened());
  }

  /** The type of a function that it exports, as the JavaScript API names value types; undefined where it exports none. */
  functionType(name: string): FunctionType | undefined {
    const { shape } = this.#opened();
    let type: FunctionType | undefined;
    shape.forEachExport((exported, kind, index) => {
      if (kind !== FUNCTION || exported !== name) return;
      const { params, results } = shape.type(shape.functionTypeIndex(index));
      type = { params: params.map(nameOf), results: results.map(nameOf) };
    });
    return type;
  }

  /**
   * Links a new instance, initializes it and runs its start function.
   * @param imports as WebAssembly.Instance takes them: functions, and what insitu/wasm or V8 made of Memory and Tag, what
   *   insitu/wasm made of Table and Global
   * @throws TypeError and WebAssembly.LinkError of imports that are missing or do not fit, WebAssembly.RuntimeError of a
   *   trap, LoadError ERR_UNSUPPORTED of imports that only V8 can link
   */
  instantiate(imports?: unknown): ModuleExports {
    const image = this.#opened();
    const began = process.hrtime.bigint();
    try {
      const exports = instantiate(image, imports, 'insitu: instantiate()');
      this.#instantiateNs = Number(process.hrtime.bigint() - began);
      return exports;
    } catch (error) {
      if (!(error instanceof LeftToV8)) throw error;
      throw new LoadError('ERR_UNSUPPORTED', this.path, `${error.message}; want what insitu/wasm can link`);
    }
  }

  /** Phases in ns, the last instantiation among them, bytes in place and copied, faults, evidence: of the image. */
  get report(): ModuleReport {
    const image = this.#opened();
    return new ModuleReport(this.path, image.path, image.place, image.handle, this.#instantiateNs);
  }

  /** Idempotent. The image stays mapped: code of it may be in use that no JavaScript object tells of. */
  close(): void {
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #opened(): CompiledImage {
    if (!this.#open) throw new LoadError('ERR_CLOSED', this.path, 'module is closed; want it open');
    return this.#image;
  }
}

export const isImageName = (path: string): boolean => parseImageName(basename(path)) !== undefined;

/**
 * Maps the image of a module, or an image itself.
 * @throws LoadError ERR_NO_IMAGE where the module is not installed; ERR_NOT_IN_PLACE, ERR_IMAGE, ERR_CPU, ENOENT …
 */
export function loadModule(path: string, options: LoadOptions = {}): LoadedModule {
  const found = isImageName(path) ? itself(path) : imageOfFile(path);
  if (found === undefined) throw noImage(path);
  try {
    return new LoadedModule(path, openFor(found, options));
  } catch (error) {
    const { code, path: of } = error as LoadError;
    throw code === 'ENOENT' && of !== path ? noImage(path) : error; // it has vanished since
  }
}

function noImage(path: string): LoadError {
  return new LoadError(
    'ERR_NO_IMAGE',
    path,
    `has no image in a store; want it installed (insitu install ${path})`,
  );
}

function itself(path: string): Found {
  const source = join(dirname(path), SOURCE);
  return { root: '', sha256: '', image: path, baseline: path, source };
}

/** By path, which tells what it is an image of: one mapping serves all loads, as its code does all instances. */
const images = new Map<string, CompiledImage>();

function openFor({ image, baseline, source }: Found, options: LoadOptions): CompiledImage {
  try {
    return openImage(image, source, options);
  } catch (error) {
    if (image === baseline || (error as { code?: string }).code !== 'ERR_CPU') throw error;
    return openImage(baseline, source, options);
  }
}

function openImage(
  path: string,
  source: string,
  { place = 'in-place', requireInPlace, prefault }: LoadOptions,
): CompiledImage {
  const key = `${place} ${Boolean(requireInPlace)} ${path}`;
  let image = images.get(key);
  if (image === undefined) {
    image = new CompiledImage(path, source, place, Boolean(requireInPlace));
    images.set(key, image);
  }
  if (prefault) touchText(image);
  return image;
}

function touchText({ path, place, handle }: CompiledImage): void {
  const { bias, segments } = new Report(path, place, handle);
  for (const { prot, vaddr, memSize } of segments)
    if (prot === 'r-x') native.touchPages(bias + BigInt(vaddr), memSize);
}
