// Instances of V8 among those of compiled code: what it imports has to be V8's own.
import { typeOfFunction } from './function-reference.ts';
import { globalState } from './global.ts';
import { asV8Function } from './link-check.ts';
import { tableState } from './table.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';

/** The same value as V8 knows it. */
function toV8(value: unknown, what: string): unknown {
  if (!isObject(value)) return value;
  const shared = tableState(value) ?? globalState(value);
  if (shared === undefined) {
    // V8 checks the type of a function only if it is one of its own.
    const type = typeof value === 'function' ? typeOfFunction(value) : undefined;
    return type === undefined ? value : asV8Function(type, value);
  }
  const own = shared.toV8();
  if (own === null)
    throw new V8.LinkError(
      `${what} belongs to a module that runs in place; want the module that imports it installed too (insitu install)`,
    );
  return own;
}

/** @throws as the constructor of WebAssembly.Instance */
export function instantiateInV8(module: V8Type.Module, imports: unknown, text: string): V8Type.Instance {
  const wanted = isObject(imports) ? V8.Module.imports(module) : [];
  // Read once, in order, as V8 would.
  const read: Record<string, Record<string, unknown>> = Object.create(null);
  for (const [index, { module: from, name, kind }] of wanted.entries()) {
    const group: unknown = (imports as Record<string, unknown>)[from as string];
    if (!isObject(group)) return new V8.Instance(module, imports);
    const value = (group as Record<string, unknown>)[name];
    const own = kind === 'memory' || kind === 'tag' ? value : toV8(value, `${text}: Import #${index} "${from}" "${name}"`);
    read[from as string] ??= Object.create(null) as Record<string, unknown>;
    (read[from as string] as Record<string, unknown>)[name] = own;
  }
  return new V8.Instance(module, wanted.length > 0 ? read : imports);
}
