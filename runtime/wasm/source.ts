// The bytes of modules, and their images.
import { LoadError } from '../../loader/error.ts';
import type { CompiledImage } from './image.ts';
import { engineNow, theEngine } from './late.ts';
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

/** What runs a module: the image, or V8 where that is undefined. */
export interface Choice {
  readonly image: CompiledImage | undefined;
  /** To be said when the module is there. */
  ready(): void;
}

const LEFT_TO_V8: Choice = { image: undefined, ready() {} };

/** Of what a program would compile. Bytes count as they are now. @throws Error where the policy leaves nothing to V8 */
export function choose(args: readonly unknown[], sourceOnly: number): Choice {
  const bytes = args.length > sourceOnly ? undefined : compilable(args[0]);
  if (bytes === undefined) return LEFT_TO_V8;
  const began = performance.now();
  const { image, reason } = findImage(bytes);
  const explanation = why.compiled(image ?? null, reason, bytes.length);
  const ready = () => {
    explanation.readyMs = performance.now() - began;
  };
  if (image !== undefined) ready();
  return { image, ready };
}

function findImage(bytes: Uint8Array): { image?: CompiledImage; reason: string } {
  const found = policy.find(bytes);
  if (found === undefined) return { reason: 'no image in a store' };
  try {
    return { image: theEngine().openFound(found), reason: 'in place' };
  } catch (error) {
    // A damaged image, or an addon that may not be loaded here (--permission): V8 can always run it.
    if (!(error instanceof LoadError) && engineNow() !== undefined) throw error;
    return { reason: (error as Error).message };
  }
}
