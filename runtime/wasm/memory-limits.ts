// The limits of memories that programs made: V8 does not tell them.
import type { Limits } from './shape.ts';
import type * as V8Type from './v8.ts';

/** What programs asked for, where that can be seen without their noticing. */
const asked = new WeakMap<V8Type.Memory, Limits>();

function plainLimits(descriptor: object): Limits | undefined {
  if (Object.getPrototypeOf(descriptor) !== Object.prototype) return undefined;
  const value = (name: string): unknown => Object.getOwnPropertyDescriptor(descriptor, name)?.value;
  const [min, max] = [value('initial'), value('maximum')];
  if (typeof min !== 'number' || (max === undefined ? 'maximum' in descriptor : typeof max !== 'number'))
    return undefined;
  return { min, max: max as number | undefined, shared: value('shared') === true, is64: false };
}

/** Of a memory that V8 just made. */
export function rememberLimits(memory: V8Type.Memory, descriptor: unknown): void {
  const limits = typeof descriptor === 'object' && descriptor !== null ? plainLimits(descriptor) : undefined;
  if (limits !== undefined) asked.set(memory, limits);
}

export const limitsAsked = (memory: V8Type.Memory): Limits | undefined => asked.get(memory);
