// V8 reads what programs pass, converts it and words what is wrong; here it is noted what V8 read.
import { isObject } from './face.ts';

type Hint = 'number' | 'string';

/** ToPrimitive (ECMA-262, 7.1.1). */
function toPrimitive(value: object, hint: Hint): unknown {
  const own = value as Record<PropertyKey, unknown>;
  const convert = own[Symbol.toPrimitive];
  if (convert !== undefined && convert !== null) {
    const result: unknown = Reflect.apply(convert as () => unknown, value, [hint]);
    if (!isObject(result)) return result;
    throw new TypeError('Cannot convert object to primitive value');
  }
  for (const name of hint === 'string' ? ['toString', 'valueOf'] : ['valueOf', 'toString']) {
    const method = own[name];
    if (typeof method !== 'function') continue;
    const result: unknown = Reflect.apply(method, value, []);
    if (!isObject(result)) return result;
  }
  throw new TypeError('Cannot convert object to primitive value');
}

/** What V8 is given for a value, so that its conversion runs once and `note` is told the primitive. */
export function witnessed(value: unknown, hint: Hint, note: (primitive: unknown) => void): unknown {
  if (!isObject(value)) {
    note(value);
    return value;
  }
  return {
    [Symbol.toPrimitive]() {
      const primitive = toPrimitive(value, hint);
      note(primitive);
      return primitive;
    },
  };
}

const HINTS: Record<string, Hint> = {
  element: 'string',
  value: 'string',
  address: 'string',
  index: 'string',
};
const FLAGS = new Set<PropertyKey>(['mutable', 'shared']);

/** A descriptor for V8 to read in place of the program's, and what it read there, by name. */
export function witnessedDescriptor(descriptor: unknown): {
  face: unknown;
  seen: Record<PropertyKey, unknown>;
} {
  const seen: Record<PropertyKey, unknown> = Object.create(null);
  if (!isObject(descriptor)) return { face: descriptor, seen };
  const face = new Proxy(Object.create(null), {
    get(_, key) {
      const value: unknown = Reflect.get(descriptor, key);
      seen[key] = value;
      if (FLAGS.has(key)) return value;
      return witnessed(value, HINTS[String(key)] ?? 'number', (primitive) => {
        seen[key] = primitive;
      });
    },
    has: (_, key) => Reflect.has(descriptor, key),
  });
  return { face, seen };
}
