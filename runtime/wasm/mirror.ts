// Shapes are taken from this Node's V8: which properties there are, in which order, with which attributes and lengths.

type Descriptor = PropertyDescriptor;
const lengthOf = (value: unknown): unknown => Object.getOwnPropertyDescriptor(value, 'length')?.value;

function asLong(own: unknown, v8: unknown): unknown {
  if (typeof own === 'function' && typeof v8 === 'function' && lengthOf(own) !== lengthOf(v8))
    Object.defineProperty(own, 'length', { value: lengthOf(v8), configurable: true });
  return own;
}

function ownInPlace(v8: Descriptor, own: Descriptor | undefined): Descriptor {
  if (own === undefined) return v8;
  if ('value' in v8) return { ...v8, value: asLong(own.value, v8.value) };
  const { get, set } = own;
  return { ...v8, ...(get && { get }), ...(set && { set }) };
}

/** Defines on `object` what V8's has, in its order: of `own` where that has it. */
export function mirror<T extends object>(
  object: T,
  v8: object,
  own: object,
  leaveOut: PropertyKey[] = [],
): T {
  for (const key of Reflect.ownKeys(v8)) {
    if (leaveOut.includes(key)) continue;
    const descriptor = Object.getOwnPropertyDescriptor(v8, key) as Descriptor;
    Object.defineProperty(object, key, ownInPlace(descriptor, Object.getOwnPropertyDescriptor(own, key)));
  }
  return object;
}

const ordinary = Function.prototype[Symbol.hasInstance] as (this: unknown, value: unknown) => boolean;

export interface Members {
  statics?: object;
  prototype?: object;
  /** Whether a value is one of the class, whatever its prototype. */
  has(value: unknown): boolean;
}

type Constructor = { prototype: object };

/** Module inherits of AbstractModuleSource where there is that. */
function inherit(own: object, v8: object): void {
  const parent: object | null = Object.getPrototypeOf(v8);
  if (Object.getPrototypeOf(own) !== parent) Object.setPrototypeOf(own, parent);
}

/** Makes a function a class like V8's. */
export function mirrorClass(
  own: Constructor,
  v8: object,
  { statics = {}, prototype = {}, has }: Members,
): void {
  const theirs = v8 as Constructor;
  asLong(own, theirs);
  inherit(own, theirs);
  inherit(own.prototype, theirs.prototype);
  mirror(own, theirs, statics, ['length', 'name', 'arguments', 'caller', 'prototype']);
  mirror(own.prototype, theirs.prototype, prototype, ['constructor']);
  Object.defineProperty(own, 'prototype', { writable: false });
  // Of V8's objects, and by the prototype; a subclass inherits this, and has only its own.
  Object.defineProperty(own, Symbol.hasInstance, {
    value(this: unknown, value: unknown) {
      return ordinary.call(this, value) || (this === own && has(value));
    },
  });
}

/**
 * Makes a function a class whose objects are V8's own, of V8's own prototype.
 * @returns to be called when there is such an object: `constructor` is the class from then on, unless that is frozen
 */
export function mirrorOver(own: Constructor, v8: Constructor, statics: object = {}): () => void {
  Object.defineProperty(own, 'prototype', { value: v8.prototype, writable: false });
  mirror(own, v8, statics, ['name', 'arguments', 'caller', 'prototype']);
  inherit(own, v8);
  return () => {
    const { prototype } = v8 as { prototype: object };
    if (prototype.constructor === v8) Reflect.defineProperty(prototype, 'constructor', { value: own });
  };
}
