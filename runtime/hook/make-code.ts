// Makes the code cache (code.ts), in a process of its own that runs what most starts run: `node make-code.cjs DIRECTORY APP` with
// the store and the module of small.ts in it, and the app of small-app.ts.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Script } from 'node:vm';
import { moduleFile, requireHere } from '../../loader/root.ts';
import { codeFile, evaluate, filesOf, loading } from './code.ts';

/**
 * Where it is missing for this Node; those of other code are removed.
 * @returns whether it is there now: not in the source tree, nor in a package that may not be written, nor if it fails,
 *   as the hook does without
 */
export async function makeCode(): Promise<boolean> {
  const file = codeFile();
  if (file === undefined) return false;
  if (existsSync(file)) return true;
  if (!isWritable(dirname(file))) return false;
  const directory = mkdtempSync(join(tmpdir(), 'insitu-code-'));
  try {
    const { makeApp } = await import('./small-app.ts');
    const { makeSmall } = await import('../compare/wasm/small.ts');
    await makeSmall(directory, false);
    const args = [moduleFile('runtime/hook/make-code'), directory, makeApp(directory)];
    const env = {
      ...process.env,
      INSITU: '',
      INSITU_REPORT: '',
      ...{ INSITU_BUNDLE: undefined, INSITU_BUNDLE_CODE: undefined }, // of whoever makes it now
      NODE_OPTIONS: '',
      INSITU_STORE: join(directory, 'store'),
    };
    const { status } = spawnSync(process.execPath, args, { env, stdio: 'ignore', timeout: 30_000 });
    return status === 0;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function isWritable(directory: string): boolean {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false; // somebody else's package
  }
}

/** Runs an app from a region, as V8 then keeps the functions for. */
function runApp(reference: string): void {
  loading().ready('bundle');
  const { attach } = requireHere(moduleFile('runtime/bundle/attach')) as typeof import('../bundle/attach.ts');
  attach(reference);
  requireHere(`${reference.slice(0, reference.lastIndexOf('@'))}/index.js`);
}

/** Compiles, instantiates, calls, grows and clones once, as V8 then keeps the functions for. */
function runOnce(directory: string): void {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: Record<string, new (...args: unknown[]) => object>;
  };
  const { Module, Instance, Memory, Table, Global } = WebAssembly as {
    [name: string]: new (
      ...args: unknown[]
    ) => { exports: Record<string, unknown>; grow(by: number): number };
  };
  if (!Module || !Instance || !Memory || !Table || !Global) throw new Error('no WebAssembly');
  const bytes = readFileSync(join(directory, 'small.wasm'));
  for (let i = 0; i < 2; i++) {
    const { exports } = new Instance(new Module(bytes), { small: { twice: (value: number) => 2 * value } });
    (exports.small as () => number)();
    (exports.memory as { grow(by: number): number }).grow(1);
    (exports.table as { get(at: number): unknown }).get(0);
  }
  new Memory({ initial: 1 });
  new Table({ element: 'anyfunc', initial: 1 });
  new Global({ value: 'i32' }, 1);
}

/** Writes it, whole or not at all. */
function write(file: string, scripts: readonly Script[]): void {
  const parts = scripts.flatMap((script) => {
    const data = script.createCachedData();
    const length = Buffer.alloc(4);
    length.writeUInt32LE(data.length);
    return [length, data];
  });
  mkdirSync(dirname(file), { recursive: true });
  const fd = openSync(`${file}.${process.pid}`, 'w', 0o644);
  writeFileSync(fd, Buffer.concat(parts));
  fsyncSync(fd); // V8 believes what it reads
  closeSync(fd);
  renameSync(`${file}.${process.pid}`, file);
  const [id] = basename(file).split('-');
  for (const name of readdirSync(dirname(file)))
    if (!name.startsWith(`${id}-`)) rmSync(join(dirname(file), name), { force: true });
}

const [, main, directory, app] = process.argv;
if (directory !== undefined && app !== undefined && main === moduleFile('runtime/hook/make-code')) {
  const scripts: Script[] = [];
  loading(() => ({
    ready(part) {
      for (const file of filesOf(part)) scripts.push(evaluate(file, undefined) as Script);
    },
  }));
  requireHere(moduleFile('runtime/hook/register'));
  runOnce(directory);
  runApp(app);
  write(codeFile() as string, scripts);
}
