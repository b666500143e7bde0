// A compiled module, mapped: what Modules share that are of the same image.
import { readFileSync, statSync } from 'node:fs';
import { LoadError } from '../../loader/error.ts';
import type { Found } from '../../loader/images/find.ts';
import type { ImageHandle } from '../../loader/native.ts';
import { loadWasmImage, wasm } from '../../loader/wasm.ts';
import { type ExportMaker, exportMaker } from './export-source.ts';
import { policy } from './policy.ts';
import { Shape } from './shape.ts';

export type Place = 'in-place' | 'copy';

export class CompiledImage {
  readonly path: string;
  readonly place: Place;
  readonly handle: ImageHandle;
  readonly sourcePath: string | null;
  private known: Shape | undefined;
  private knownAddress: number | undefined;
  private knownModule: string | undefined;
  private instances = 0;
  private maker: ExportMaker | null = null;

  constructor(path: string, sourcePath: string | null, place: Place, requireInPlace: boolean) {
    this.path = path;
    this.sourcePath = sourcePath;
    this.place = place;
    this.handle = loadWasmImage(path, place, requireInPlace);
  }

  get shape(): Shape {
    this.known ??= new Shape(wasm.wasmShape(this.handle));
    return this.known;
  }

  /** Of the image in the addon, for the accelerator. */
  get address(): number {
    this.knownAddress ??= wasm.wasmImage(this.handle);
    return this.knownAddress;
  }

  /** From the second instance on: a module that is instantiated once does not pay for it. */
  exportMaker(): ExportMaker | null {
    if (++this.instances === 2) this.maker = exportMaker(this.shape);
    return this.maker;
  }

  /** Its entry says what it is an image of, and it says so itself. @throws LoadError ERR_IMAGE where these differ */
  ofModule(sha256: string): this {
    if (sha256 === '') return this;
    this.knownModule ??= wasm.wasmFacts(this.handle).sha256.toString('hex');
    if (this.knownModule === sha256) return this;
    const text = `is an image of the module ${this.knownModule}; want ${sha256}`;
    throw new LoadError('ERR_IMAGE', this.path, text);
  }

  /** Of the module's bytes; 0 where they are not at hand. */
  get sourceSize(): number {
    return this.sourcePath === null ? 0 : (statSync(this.sourcePath, { throwIfNoEntry: false })?.size ?? 0);
  }

  /** The module's bytes. */
  source(): Uint8Array {
    if (this.sourcePath === null) throw new Error(`${this.path}: its module's bytes are not at hand`);
    return readFileSync(this.sourcePath);
  }
}

/** By path: what an image is named by tells what it is an image of. */
const images = new Map<string, CompiledImage>();

export const openImages = (): CompiledImage[] => [...images.values()];

/** The image at a path; one that was mapped before is used again. @throws LoadError */
export function openImage(path: string, source: string | null = null): CompiledImage {
  const key = `${policy.place} ${path}`;
  let image = images.get(key);
  if (image === undefined) {
    image = new CompiledImage(path, source, policy.place, policy.requireInPlace);
    images.set(key, image);
  }
  return image;
}

/** The image that was made for this CPU, or else the one for any. @throws LoadError */
export function openFound({ image, baseline, source, sha256 }: Found): CompiledImage {
  try {
    return openImage(image, source).ofModule(sha256);
  } catch (error) {
    if (image === baseline || (error as { code?: string }).code !== 'ERR_CPU') throw error;
    return openImage(baseline, source).ofModule(sha256);
  }
}
