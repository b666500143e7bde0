// What a script is run on.

/** The namespace of the WebAssembly JavaScript interface, as far as the runner uses it. */
export interface Namespace {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports?: object) => { exports: Record<string, unknown> };
  Memory: new (type: { initial: number; maximum?: number; shared?: boolean }) => object;
  CompileError: ErrorClass;
  LinkError: ErrorClass;
  RuntimeError: ErrorClass;
  /** Not in every Node. */
  Exception?: ErrorClass;
}
type ErrorClass = abstract new (...args: never[]) => object;

export const ways = ['v8', 'in-place', 'copied', 'insitu'] as const;
/** `insitu` is the drop-in with its fallback to V8; `in-place` and `copied` are without one. */
export type Way = (typeof ways)[number];

/** What compiling ahead made of a module. */
export type Compiled =
  | { image: string; source: string }
  | { unsupported: string }
  | { invalid: string }
  /** Not the module's fault. */
  | { failed: string };

export const v8 = (
  globalThis as unknown as { WebAssembly: Namespace & { validate(bytes: Uint8Array): boolean } }
).WebAssembly;
