// What became of each module: run in place, or left to V8, and why.
import { type Found, imageOfBytes } from '../../loader/images/find.ts';
import type { CompiledImage } from './image.ts';

export interface WasmPolicy {
  /** Where images are run: mapped, or their twin that is read into memory. */
  place: 'in-place' | 'copy';
  /** Whether what cannot run from an image may run in V8. Without it, that is an error. */
  fallback: boolean;
  /** Refuse images that are not on NVM. */
  requireInPlace: boolean;
  /** Told of a module that has no image. @returns what is to be said of it */
  unknown: (bytes: Uint8Array) => string;
  /** Where the image of a module is; of itself, in the stores. */
  find: (bytes: Uint8Array) => Found | undefined;
}

export const policy: WasmPolicy = {
  place: 'in-place',
  fallback: true,
  requireInPlace: false,
  unknown: () => 'no image in a store',
  find: imageOfBytes,
};

export function setPolicy(wanted: Partial<WasmPolicy>): void {
  Object.assign(policy, wanted);
}

export interface Explanation {
  /** The image; null where V8 runs the module. */
  image: string | null;
  reason: string;
  /** Of the module's bytes. */
  size: number;
  /** Milliseconds until it could be instantiated: found and mapped, or compiled by V8. Null before that, and of a module that is none. */
  readyMs: number | null;
}

const explanations: Explanation[] = [];
const KEPT = 1000;

function note(image: CompiledImage | null, reason: string, size: number): Explanation {
  if (image === null && !policy.fallback)
    throw new Error(`insitu: ${reason}; want the module run from an image`);
  const explanation = { image: image?.path ?? null, reason, size, readyMs: null };
  if (explanations.length < KEPT) explanations.push(explanation);
  return explanation;
}

export const why = {
  compiled: note,
  instantiated(image: CompiledImage, reason: string): void {
    note(null, `${image.path}: ${reason}`, image.sourceSize);
  },
};

/** What was compiled and instantiated so far, in order; the first 1000. */
export function explain(): readonly Explanation[] {
  return explanations;
}
