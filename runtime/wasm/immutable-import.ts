// A number, bigint or reference that is imported as an immutable global (JS API: read the imports, 4.5).
import { wasm } from '../../loader/wasm.ts';
import { GlobalState } from './global.ts';
import type { GlobalType } from './shape.ts';
import * as Type from './shape.ts';

/** The global, or why the value is none of that type. */
export function putImmutable(type: GlobalType, value: unknown): GlobalState | string {
  if (type.type === Type.I64 && typeof value !== 'bigint') return 'global import must be a BigInt';
  if (
    (type.type === Type.I32 || type.type === Type.F32 || type.type === Type.F64) &&
    typeof value !== 'number'
  )
    return 'global import must be a number, valid Wasm reference, or WebAssembly.Global object';
  if (type.type === Type.V128) return 'global import of type v128 must be a WebAssembly.Global object';
  const [handle, address] = wasm.wasmCell();
  const made = new GlobalState(address, type, handle);
  try {
    made.set(value);
  } catch (error) {
    if (error instanceof TypeError)
      return 'imported funcref global must be null or WebAssembly function (funcref) object';
    throw error;
  }
  return made;
}
