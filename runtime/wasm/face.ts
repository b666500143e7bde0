// Objects that stand for something of compiled code, and show of it what V8's own would: nothing.

/** What takes the place of a constructor's own object. */
const Given = function (this: unknown, object: object) {
  return object;
} as unknown as new (
  object: object,
) => object;

export interface Marking<T> {
  /** Marks the object. */
  new (object: object, mark: T): object;
  of(value: unknown): T | undefined;
}

/** Where objects of one class keep what they stand for; no script sees that. */
export function marking<T>(): Marking<T> {
  return class Mark extends Given {
    readonly #mark: T;
    constructor(object: object, mark: T) {
      super(object);
      this.#mark = mark;
    }

    static of(value: unknown): T | undefined {
      return typeof value === 'object' && value !== null && #mark in value
        ? (value as Mark).#mark
        : undefined;
    }
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
