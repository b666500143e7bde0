import type { Compiled } from '../ways.ts';

export interface PreparedModule {
  name: string;
  bytes: Uint8Array;
  compiled: Compiled | undefined;
}

/** What compiling ahead made of a module, by its bytes. */
export function compiledOf(modules: PreparedModule[]): (bytes: Uint8Array) => Compiled | undefined {
  return (bytes) => modules.find((module) => Buffer.compare(module.bytes, bytes) === 0)?.compiled;
}
