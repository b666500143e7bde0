// Instances of V8 among those of compiled code: what it imports has to be V8's own.
import { globalState } from './global.ts';
import { tableState } from './table.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';

/** @throws as the constructor of WebAssembly.Instance */
export function instantiateInV8(module: V8Type.Module, imports: unknown, text: string): V8Type.Instance {
  if (imports !== undefined && imports !== null) {
    for (const { module: from, name, kind } of V8.Module.imports(module)) {
      if (kind !== 'table' && kind !== 'global') continue;
      const value = (imports as Record<string, Record<string, unknown>>)[from as string]?.[name];
      if (tableState(value) !== undefined || globalState(value) !== undefined)
        throw new V8.LinkError(`${text}: ${kind} "${name}" belongs to a module that runs in place`);
    }
  }
  return new V8.Instance(module, imports);
}
