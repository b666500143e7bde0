// insitu/wasm: the JavaScript API's namespace (JS API 5), for modules that have an image in a store. Every other module,
// and whatever cannot be linked in place, is V8's: explain() tells which and why.
import * as engine from './engine.ts';
import * as faces from './faces.ts';
import { Global } from './global.ts';
import { provideEngine } from './late.ts';
import { mirror } from './mirror.ts';
import { Table } from './table.ts';
import { type Namespace, V8 } from './v8.ts';

provideEngine(engine);

export * from './faces.ts';
export { type Explanation, explain, setPolicy, type WasmPolicy } from './policy.ts';
export { Global, Table };
export const { Tag, Exception, CompileError, LinkError, RuntimeError, JSTag } = V8;

/** What may stand in the place of the global WebAssembly: it has what this Node's has, and nothing else. */
export const webAssembly = mirror({}, V8, { ...faces, Global, Table }) as unknown as Namespace;
export default webAssembly;
