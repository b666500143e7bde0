// Objects that stand for something of compiled code, and show of it what V8's own would: nothing.

import { codeOf } from '../../loader/root.ts';

export interface Marks<T> {
  /** Answers the object. */
  put(object: object, mark: T): object;
  of(value: unknown): T | undefined;
}

/** Where objects of one class keep what they stand for; no script sees that. */
export function marking<T>(): Marks<T> {
  const marks = new WeakMap<object, T>();
  return {
    put(object, mark) {
      marks.set(object, mark);
      return object;
    },
    of: (value) => marks.get(value as object),
  };
}

/** An object without properties that structuredClone refuses, as it does V8's own. */
export function faceOf(prototype: object): object {
  return Object.setPrototypeOf([].values(), prototype) as object;
}

/** What `new` of a subclass asks for (ECMA-262, 10.1.14). */
export function prototypeFor(newTarget: unknown, own: { prototype: object }): object {
  const prototype: unknown = (newTarget as { prototype?: unknown }).prototype;
  return isObject(prototype) ? prototype : own.prototype;
}

export const isObject = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';

const OWN = codeOf('runtime/wasm/');

/** Whether it was thrown by us, or by V8 as we called it; not by the program's own functions. */
const isThrownHere = ({ stack }: Error): boolean =>
  typeof stack === 'string' && /^ {4}at .*$/m.exec(stack)?.[0].includes(OWN) === true;

/** What `make` makes; an error of it has the stack that it has in V8, from the program's call of `face` on. */
export function asCalled<T>(face: (...args: unknown[]) => object, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof Error && isThrownHere(error)) Error.captureStackTrace(error, face);
    throw error;
  }
}
