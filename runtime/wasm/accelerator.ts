// The accelerator (native/v8): functions made, called and told apart by V8's own interface, which takes a fraction of
// what Node-API takes. There is one for each major version of Node; without one, or with INSITU_ACCELERATOR=0, all is
// done through Node-API, with the same results.

import { prebuilt } from '../../loader/native.ts';
import { requireHere } from '../../loader/root.ts';
import { startEnvironment } from '../../loader/start-environment.ts';
import { wasm } from '../../loader/wasm.ts';
import type { AnyFunction } from './function-reference.ts';
import type { Exports } from './v8.ts';

/** What it calls. */
export interface Callbacks {
  /** Throws what the last call ended with. */
  raise(): never;
  /** Leaves in the slots what an imported function threw. */
  throwToCompiled(error: unknown): void;
  /** Calls an exported function whose parameters or result are not all numbers. */
  callGeneral(owner: object, index: number, place: number, args: unknown[]): unknown;
  /** An export that is no function of the module's own; `kind` as in shape.ts. */
  otherExport(owner: object, kind: number, index: number): unknown;
  /** JavaScript made a memory of this instance larger. */
  refresh(instance: number): void;
  /** What an instance imports; undefined where its calls have to go through Node-API. */
  target(instance: number, index: number): AnyFunction | undefined;
}

/**
 * `memory`: the address of the one whose size may have changed while JavaScript ran, 0 where there is none, -1 where there
 * are several or another kind: then every call goes through callGeneral.
 */
export interface Accelerator {
  start(bridge: number, runtime: number, ...callbacks: unknown[]): boolean;
  watchMemory(memory: number, buffer: ArrayBuffer): void;
  /**
   * Reads imports in order. `special`: the position, and the index among those of its kind, of each import that is not
   * simply a function of a script. `unreadable`: the last group is no object, reading stopped there.
   */
  readImports(
    image: number,
    imports: unknown,
  ): [groups: unknown[], values: unknown[], special: number[], unreadable: boolean];
  /** All exports, frozen. */
  makeExports(instance: number, owner: object, memory: number): Exports;
  makeFunction(instance: number, owner: object, memory: number, index: number, place: number): AnyFunction;
}

/** Whether V8 is laid out as its own releases of Node lay it out: others have the same number of modules. */
function isPlainNode(): boolean {
  const { v8_enable_pointer_compression: isCompressed } = process.config.variables as Record<string, unknown>;
  return !isCompressed && process.versions.electron === undefined && process.versions.bun === undefined;
}

function load(): Accelerator | null {
  if (startEnvironment.INSITU_ACCELERATOR === '0' || !isPlainNode()) return null;
  try {
    return requireHere(prebuilt(`insitu-v8-${process.versions.modules}.node`)) as Accelerator;
  } catch {
    return null;
  }
}

/** `accelerator`: null until it is started, and where there is none. */
export const engaged: { accelerator: Accelerator | null } = { accelerator: null };

/** Once a thread. One that was built of other sources is not used. */
export function startAccelerator(callbacks: Callbacks): void {
  const loaded = load();
  const { raise, throwToCompiled, callGeneral, otherExport, refresh, target } = callbacks;
  const [bridge, runtime] = wasm.wasmBridge();
  const all = [raise, throwToCompiled, callGeneral, otherExport, refresh, target];
  if (loaded?.start(bridge, runtime, ...all)) engaged.accelerator = loaded;
}
