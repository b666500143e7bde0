// Instances of V8 among those of compiled code: what it imports has to be V8's own.
import { type ImportReads, readThrough } from './reads.ts';
import { shared } from './twins.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';

/** For V8 to read: the program's import object, with V8's own in the place of what is compiled code's. */
export const importsForV8 = (imports: unknown): unknown => readThrough(imports, shared);

/** The same of what was read already. */
export const readsForV8 = (reads: ImportReads): unknown => reads.replay(shared);

/** @throws as the constructor of WebAssembly.Instance */
export const instantiateInV8 = (module: V8Type.Module, imports: unknown): V8Type.Instance =>
  new V8.Instance(module, importsForV8(imports));
