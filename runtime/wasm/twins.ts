// Values of compiled code as V8 knows them.

import { isObject } from './face.ts';
import { typeOfFunction } from './function-reference.ts';
import { globalState } from './global.ts';
import { asV8Function } from './link-check.ts';
import type { Twin } from './reads.ts';
import { tableState } from './table.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';

/** By their twins in V8: what V8's instances export of them is they themselves. */
const originals = new WeakMap<object, unknown>();
let any = false;

function remember<T>(twin: T, value: unknown): T {
  if (!isObject(twin) || twin === value) return twin;
  originals.set(twin, value);
  any = true;
  return twin;
}

/** What an instance of V8's exports, with the originals of twins. */
export function exportsWithOriginals(exports: V8Type.Exports): V8Type.Exports {
  if (!any || !Object.values(exports).some((value) => isObject(value) && originals.has(value)))
    return exports;
  const made: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(exports))
    made[name] = isObject(value) && originals.has(value) ? originals.get(value) : value;
  return Object.freeze(made);
}

/** V8 checks the type of a function only if it is one of its own. */
export function functionForV8(value: object): unknown {
  const type = typeof value === 'function' ? typeOfFunction(value) : undefined;
  return type === undefined ? value : asV8Function(type, value);
}

/** What V8 can go on with in a value's place. @throws LinkError for what compiled code uses */
export const shared: Twin = (value, module, name) => {
  if (!isObject(value)) return value;
  const state = tableState(value) ?? globalState(value);
  const own = state === undefined ? functionForV8(value) : state.toV8();
  if (own !== null) return remember(own, value);
  throw new V8.LinkError(
    `WebAssembly: import "${String(module)}" "${String(name)}" belongs to a module that runs in place; ` +
      'want the module that imports it installed too (insitu install)',
  );
};

/** Something of the same type, for V8 to judge. */
export const likeness: Twin = (value) => {
  if (!isObject(value)) return value;
  const table = tableState(value);
  if (table !== undefined) return table.replica();
  const global = globalState(value);
  if (global !== undefined) return global.isReadable ? global.replica() : value;
  return functionForV8(value);
};
