// V8's own WebAssembly. Types are ours, because those of the standard library come with a browser's.
import { genuine } from './genuine.ts';

export interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number | bigint): number;
}
export interface Tag {
  readonly __tag: never;
}
export interface Exception {
  is(tag: Tag): boolean;
  getArg(tag: Tag, index: number): unknown;
}
export type Exports = Record<string, unknown>;
export interface Module {
  readonly __module: never;
}
export interface Instance {
  readonly exports: Exports;
}
export interface TableDescriptor {
  element: string;
  initial: number;
  maximum?: number;
}
export interface Entry {
  module?: string;
  name: string;
  kind: string;
}
type ErrorConstructor_ = new (message?: string, options?: ErrorOptions) => Error;

export interface Namespace {
  Module: {
    new (bytes: unknown, options?: unknown): Module;
    imports(module: Module): Entry[];
    exports(module: Module): Entry[];
    customSections(module: Module, name: string): ArrayBuffer[];
  };
  Instance: new (module: Module, imports?: unknown) => Instance;
  Memory: new (descriptor: object) => Memory;
  Table: new (descriptor: TableDescriptor, value?: unknown) => object;
  Global: new (descriptor: object, value?: unknown) => { value: unknown };
  Tag: new (type: { parameters: string[] }) => Tag;
  Exception: new (tag: Tag, payload: unknown[], options?: object) => Exception;
  CompileError: ErrorConstructor_;
  LinkError: ErrorConstructor_;
  RuntimeError: ErrorConstructor_;
  compile(bytes: unknown, options?: unknown): Promise<Module>;
  instantiate(source: unknown, imports?: unknown, options?: unknown): Promise<unknown>;
  validate(bytes: unknown, options?: unknown): boolean;
  compileStreaming?(source: unknown, options?: unknown): Promise<Module>;
  instantiateStreaming?(source: unknown, imports?: unknown, options?: unknown): Promise<unknown>;
  promising?(f: unknown): unknown;
  JSTag?: Tag;
}

/** The constructors, by themselves: a program may change the properties of the global object. */
export const V8: Namespace = Object.create(null, genuine);

/** A module of nothing. */
export const emptyModule = (): Module => new V8.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
