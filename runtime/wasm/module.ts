// What WebAssembly.Module and WebAssembly.Instance are of images.
import type { CompiledImage } from './image.ts';
import { ImportMismatch, LinkedInstance, NeedsV8 } from './instance.ts';
import { ImportReads, Unreadable } from './reads.ts';
import { skeletonOf } from './skeleton.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';
import { judge } from './v8-judgement.ts';

let typed: boolean | undefined;

/** Whether this V8 tells the types of imports and exports. */
function tellsTypes(): boolean {
  if (typed !== undefined) return typed;
  // A module that exports a memory.
  const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 0, 0, 7, 4, 1, 0, 2, 0];
  const [entry] = V8.Module.exports(new V8.Module(Uint8Array.from(bytes)));
  typed = entry !== undefined && 'type' in entry;
  return typed;
}

const skeletonForTypes = (image: CompiledImage) => (tellsTypes() ? skeletonOf(image, false) : null);

export function importsOf(image: CompiledImage): V8Type.Entry[] {
  const skeleton = skeletonForTypes(image);
  return skeleton === null ? image.shape.imports.map((entry) => ({ ...entry })) : V8.Module.imports(skeleton);
}

export function exportsOf(image: CompiledImage): V8Type.Entry[] {
  const skeleton = skeletonForTypes(image);
  return skeleton === null ? image.shape.exports : V8.Module.exports(skeleton);
}

/** V8 has to run it; what it read of the import object is read no second time. */
export class LeftToV8 extends Error {
  readonly reads: ImportReads;
  constructor(reason: string, reads: ImportReads) {
    super(reason);
    this.reads = reads;
  }
}

/** V8's error for what does not fit; where V8 has none, it may be able to run what is not known here. */
function refusal(image: CompiledImage, reads: ImportReads, text: string, error: Error): unknown {
  const judgement = judge(image, reads, text, false);
  if (judgement === 'fits') return new LeftToV8(error.message, reads);
  if (judgement !== 'not known') return judgement.error;
  return new V8.LinkError(`${text}: ${error.message}`);
}

function read(image: CompiledImage, imports: unknown, text: string): ImportReads {
  const reads = new ImportReads(imports);
  try {
    reads.read(image);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const judgement = judge(image, reads, text, false);
    if (typeof judgement === 'object') throw judgement.error;
    throw new TypeError(`${text}: ${error.message}`);
  }
  return reads;
}

function link(image: CompiledImage, reads: ImportReads, text: string): LinkedInstance {
  try {
    return new LinkedInstance(image, reads);
  } catch (error) {
    if (error instanceof NeedsV8) throw new LeftToV8(error.message, reads);
    if (error instanceof ImportMismatch) {
      const entry = image.shape.imports[error.index];
      error.message = `Import #${error.index} "${entry?.module}" "${entry?.name}": ${error.message}`;
      throw error.beyondV8
        ? new V8.LinkError(`${text}: ${error.message}`)
        : refusal(image, reads, text, error);
    }
    if (!(error instanceof V8.RuntimeError)) throw error;
    const judgement = judge(image, reads, text, true);
    throw typeof judgement === 'object' ? judgement.error : error;
  }
}

/** Links, initializes, runs the start function. @throws as the constructor of WebAssembly.Instance; LeftToV8 */
export function instantiate(image: CompiledImage, imports: unknown, text: string): V8Type.Exports {
  const instance = link(image, read(image, imports, text), text);
  const exports = instance.exports();
  instance.start();
  return exports;
}
