// What stands in for imports: node:wasi for WASI preview 1, memories and tables of their least size, globals of 0, and
// functions that say their name when they are called.
import { openSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { ValueType } from '../../../loader/compile/module.ts';
import type { Exports, Namespace } from '../../wasm/v8.ts';
import type { ModuleRequest, Wanted } from './request.ts';

type Imports = Record<string, Record<string, unknown>>;

const WASI_MODULE = 'wasi_snapshot_preview1';
const names: Partial<Record<ValueType, string>> = {
  127: 'i32',
  126: 'i64',
  125: 'f32',
  124: 'f64',
  123: 'v128',
  112: 'anyfunc',
  111: 'externref',
};

const nameOf = (type: ValueType): string => names[type] ?? 'externref';

/** The call cannot be made without the program that the module belongs to. */
export class MissingImport extends Error {}

function limits({ min, max, shared, is64 }: { min: number; max?: number; shared: boolean; is64: boolean }) {
  const number = (value: number) => (is64 ? BigInt(value) : value);
  return {
    initial: number(min),
    ...(max === undefined ? {} : { maximum: number(max) }),
    ...(shared ? { shared } : {}),
    ...(is64 ? { address: 'i64' } : {}),
  };
}

function standIn(wanted: Wanted, { Memory, Table, Global, Tag }: Namespace): unknown {
  if (wanted.kind === 'memory') return new Memory(limits(wanted.type));
  if (wanted.kind === 'table')
    return new Table({ ...limits(wanted.type), element: nameOf(wanted.type.element) } as never);
  if (wanted.kind === 'tag') return new Tag({ parameters: wanted.type.params.map(nameOf) });
  if (wanted.kind === 'global') {
    const { type, mutable } = wanted.type;
    const zero = nameOf(type) === 'i64' ? 0n : /^[if]/.test(nameOf(type)) ? 0 : null;
    return new Global({ value: nameOf(type), mutable }, zero);
  }
  return () => {
    throw new MissingImport(`the call wants the import ${wanted.module}.${wanted.name} (--imports FILE)`);
  };
}

/** Of node:wasi, as far as Node 20 to 26 have it in common. */
interface Wasi {
  getImportObject(): Imports;
  start(instance: { exports: Exports }): number;
  initialize(instance: { exports: Exports }): void;
}

export interface Prepared {
  imports: Imports;
  /** Undefined where the module wants none of it. */
  wasi: Wasi | undefined;
}

/** Before anything is timed, the same for every way. `namespace` = of the way. */
export async function prepareImports(request: ModuleRequest, namespace: Namespace): Promise<Prepared> {
  const { importsFrom } = request;
  const given: Imports =
    importsFrom === undefined ? {} : (await import(pathToFileURL(importsFrom).href)).default;
  const wasi = request.imports.some(({ module }) => module === WASI_MODULE && !given[module])
    ? await makeWasi()
    : undefined;
  const imports: Imports = { ...wasi?.getImportObject() };
  for (const [module, values] of Object.entries(given)) imports[module] = { ...values };
  for (const wanted of request.imports) {
    imports[wanted.module] ??= {};
    const values = imports[wanted.module] as Record<string, unknown>;
    values[wanted.name] ??= standIn(wanted, namespace);
  }
  return { imports, wasi };
}

async function makeWasi(): Promise<Wasi> {
  const { WASI } = await import('node:wasi');
  const nowhere = openSync('/dev/null', 'r+');
  const options = { version: 'preview1', stdin: nowhere, stdout: nowhere, stderr: nowhere } as const;
  return new WASI({ ...options, returnOnExit: true }) as unknown as Wasi;
}

/** A reactor is initialized, as its convention has it; of a command and of any other module WASI is told the memory. */
export function initialize(exports: Exports, wasi: Wasi | undefined): void {
  const { _initialize, _start, memory } = exports;
  if (wasi !== undefined && memory !== undefined) {
    if (_start === undefined) wasi.initialize({ exports: { memory, _initialize } });
  } else if (typeof _initialize === 'function') _initialize();
}
