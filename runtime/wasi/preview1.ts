// Programs of WASI preview 1, over node:wasi: what it needs of an instance, a genuine WebAssembly.Memory, ours have.
import { LoadError } from '../../loader/error.ts';
import type { Entry, Exports } from '../wasm/v8.ts';

/** What can be linked: a module in place, or V8's. */
export interface Linkable {
  readonly imports: readonly Entry[];
  readonly exports: readonly Entry[];
  instantiate(imports: object): Exports;
}

export interface Surroundings {
  /** argv[0] first. */
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Directories of the host by the names that the program opens them by. */
  preopens: Readonly<Record<string, string>>;
}

/** node:wasi's names of them, by the modules that programs import. */
const versions = { wasi_snapshot_preview1: 'preview1', wasi_unstable: 'unstable' } as const;
type Interface = keyof typeof versions;

/** @throws LoadError ERR_FORMAT of a module that is no program */
export function checkProgram(path: string, module: Linkable): void {
  if (exportsOne(module, '_start', 'function')) return;
  const text =
    'is a wasm-module that exports no _start; want a WASI program (insitu call calls functions of others)';
  throw new LoadError('ERR_FORMAT', path, text);
}

/**
 * Runs a program to its end.
 * @returns its exit code: what it gave proc_exit, else 0
 * @throws LoadError ERR_FORMAT of a module without a memory, ERR_UNSUPPORTED of imports that WASI has not; what ends a
 *   program otherwise: WebAssembly.RuntimeError, RangeError where its stack was exhausted
 */
export async function runPreview1(path: string, module: Linkable, around: Surroundings): Promise<number> {
  const { wasi, imports } = await provide(path, module, around);
  return wasi.start({ exports: module.instantiate(imports) }) ?? 0;
}

/**
 * An instance to call functions of, with what WASI it imports, and what it exports to initialize it called.
 * @throws LoadError ERR_UNSUPPORTED of imports that WASI has not; what instantiating throws
 */
export async function instantiateWithWasi(
  path: string,
  module: Linkable,
  around: Surroundings,
): Promise<Exports> {
  if (module.imports.length === 0) return module.instantiate({});
  const { wasi, imports } = await provide(path, module, around);
  const exports = module.instantiate(imports);
  // A command's functions can be called too; node:wasi initializes nothing that exports _start.
  const { _start: _, ...reactor } = exports;
  wasi.initialize({ exports: reactor });
  return exports;
}

async function provide(path: string, module: Linkable, { args, env, preopens }: Surroundings) {
  const foreign = module.imports.find((entry) => !Object.hasOwn(versions, entry.module ?? ''));
  if (foreign !== undefined) {
    const text = `imports ${foreign.module}.${foreign.name}; want nothing but wasi_snapshot_preview1`;
    throw new LoadError('ERR_UNSUPPORTED', path, text);
  }
  if (!exportsOne(module, 'memory', 'memory'))
    throw new LoadError('ERR_FORMAT', path, 'exports no memory; want one, which WASI reads and writes');
  const name = (module.imports[0]?.module ?? 'wasi_snapshot_preview1') as Interface;
  const { WASI } = await quietly(() => import('node:wasi'));
  const where = { args: [...args], env, preopens: { ...preopens } };
  const wasi = new WASI({ version: versions[name], ...where, returnOnExit: true });
  return { wasi, imports: { [name]: wasi.wasiImport } };
}

const exportsOne = ({ exports }: Linkable, name: string, kind: string): boolean =>
  exports.some((entry) => entry.name === name && entry.kind === kind);

/** node:wasi warns on stderr that it is experimental, which is no business of the program's. */
async function quietly<T>(load: () => Promise<T>): Promise<T> {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return await load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
