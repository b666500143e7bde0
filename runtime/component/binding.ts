// The ES module that loader/component/transpile.ts makes of a component, and what jco's code in it takes and gives.
import { pathToFileURL } from 'node:url';
import type { ComponentFacts } from '../../loader/component/transpile.ts';
import { LoadError } from '../../loader/error.ts';
import type { Exports } from '../wasm/v8.ts';

/** What a component exports: functions by their names, interfaces as objects of functions. */
export type ComponentExports = Record<string, unknown>;

type Instantiate<Core> = (
  getCore: (name: string) => Core,
  imports: object,
  instantiateCore: (core: Core, imports?: object) => { exports: Exports },
) => ComponentExports | Promise<ComponentExports>;

export interface Binding<Core> {
  facts: ComponentFacts;
  default: (WebAssembly: object) => Instantiate<Core>;
}

/** @throws LoadError ERR_CONTENT of what is no such module */
export async function importBinding<Core>(path: string): Promise<Binding<Core>> {
  let binding: Partial<Binding<Core>>;
  try {
    binding = (await import(pathToFileURL(path).href)) as Partial<Binding<Core>>;
  } catch (error) {
    throw damaged(path, `can't be imported: ${(error as Error).message}`);
  }
  const { facts, default: bind } = binding;
  if (facts === undefined || typeof bind !== 'function') throw damaged(path, 'binds no component');
  return { facts, default: bind };
}

const damaged = (path: string, found: string): LoadError =>
  new LoadError('ERR_CONTENT', path, `${found}; want it as it was installed (insitu install makes it anew)`);
