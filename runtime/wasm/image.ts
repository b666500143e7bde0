// A compiled module, mapped: what Modules share that are of the same image.
import { statSync } from 'node:fs';
import { type ImageHandle } from '../../loader/native.ts';
import { loadWasmImage, wasm } from '../../loader/wasm.ts';
import { readShape, type Shape } from './shape.ts';

export type Place = 'in-place' | 'copy';

export class CompiledImage {
  readonly path: string;
  readonly place: Place;
  readonly handle: ImageHandle;
  private known: Shape | undefined;

  constructor(path: string, place: Place, requireInPlace: boolean) {
    this.path = path;
    this.place = place;
    this.handle = loadWasmImage(path, place, requireInPlace);
  }

  get shape(): Shape {
    this.known ??= readShape(wasm.wasmShape(this.handle));
    return this.known;
  }
}

const images = new Map<string, CompiledImage>();

/** The image at a path; one that was mapped before is used again while it is the same file. @throws LoadError */
export function openImage(path: string, place: Place = 'in-place', requireInPlace = false): CompiledImage {
  const { dev, ino } = statSync(path);
  const key = `${place} ${dev} ${ino}`;
  let image = images.get(key);
  if (image === undefined) {
    image = new CompiledImage(path, place, requireInPlace);
    images.set(key, image);
  }
  return image;
}
