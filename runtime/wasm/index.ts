// insitu/wasm: the JavaScript API's namespace (JS API 5), for modules that have an image in a store. Every other module,
// and whatever cannot be linked in place, is V8's: explain() tells which and why.
import { compile, compileStreaming, instantiate, instantiateStreaming, validate } from './calls.ts';
import { Global } from './global.ts';
import { Instance } from './instance-class.ts';
import { Memory } from './memory-class.ts';
import { mirror } from './mirror.ts';
import { Module } from './module-class.ts';
import { Table } from './table.ts';
import { type Namespace, V8, webAssembly as v8WebAssembly } from './v8.ts';

export { type Explanation, explain, setPolicy, type WasmPolicy } from './policy.ts';
export {
  compile,
  compileStreaming,
  Global,
  Instance,
  instantiate,
  instantiateStreaming,
  Memory,
  Module,
  Table,
  validate,
};
export const { Tag, Exception, CompileError, LinkError, RuntimeError, JSTag } = V8;

const own = {
  compile,
  compileStreaming,
  Global,
  Instance,
  instantiate,
  instantiateStreaming,
  Memory,
  Module,
  Table,
  validate,
};

/** What may stand in the place of the global WebAssembly: it has what this Node's has, and nothing else. */
export const webAssembly = mirror({}, v8WebAssembly, own) as unknown as Namespace;
export default webAssembly;
