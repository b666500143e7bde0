// The bytes of modules, and their images.
import { LoadError } from '../../loader/error.ts';
import { type CompiledImage, openFound } from './image.ts';
import { policy, why } from './policy.ts';
import { V8 } from './v8.ts';

const EMPTY = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

function fillShared(): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(EMPTY.length);
  new Uint8Array(buffer).set(EMPTY);
  return buffer;
}

const samples = {
  DataView: () => new DataView(Uint8Array.from(EMPTY).buffer),
  SharedArrayBuffer: fillShared,
};
const accepted: { [kind in keyof typeof samples]?: boolean } = {};

/** Whether this V8 compiles what the kind of object has: that differs between versions. */
function accepts(kind: keyof typeof samples): boolean {
  let answer = accepted[kind];
  if (answer === undefined) {
    try {
      answer = new V8.Module(samples[kind]()) !== undefined;
    } catch {
      answer = false;
    }
    accepted[kind] = answer;
  }
  return answer;
}

/** The bytes as they are now: a view of them, not a copy. Undefined where they are V8's to judge. */
export function compilable(source: unknown): Uint8Array | undefined {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) {
    if (source instanceof DataView && !accepts('DataView')) return undefined;
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  if (source instanceof SharedArrayBuffer && accepts('SharedArrayBuffer')) return new Uint8Array(source);
  return undefined;
}

/** The image of a module, if it is to be had. */
export function findImage(bytes: Uint8Array): CompiledImage | undefined {
  const found = policy.find(bytes);
  if (found === undefined) {
    why.compiled(null, 'no image in a store');
    return undefined;
  }
  try {
    return openFound(found);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    why.compiled(null, error.message);
    return undefined;
  }
}
