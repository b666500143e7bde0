// Components that are programs: those that export wasi:cli/run, over jco's preview2-shim.

import { optional } from '../../loader/component/optional.ts';
import { LoadError } from '../../loader/error.ts';
import type { Surroundings } from '../wasi/preview1.ts';
import type { LoadedComponent } from './index.ts';

interface Shim {
  WASIShim: new (config: {
    sandbox: { preopens: object; env: object; args: readonly string[]; enableNetwork: boolean };
  }) => { getImportObject(): object };
}

const RUN = /^wasi:cli\/run(@|$)/;

/**
 * Runs a program to its end. One that calls wasi:cli/exit ends this process with it.
 * @returns its exit code: 0, or 1 where it says that it failed
 * @throws LoadError ERR_FORMAT of a component that is no program, ERR_PACKAGE without the shim; what ends a program
 *   otherwise, as a trap does
 */
export async function runCommand(component: LoadedComponent, around: Surroundings): Promise<number> {
  const { path } = component;
  const name = component.exports.find((exported) => RUN.test(exported));
  if (name === undefined)
    throw new LoadError(
      'ERR_FORMAT',
      path,
      'exports no wasi:cli/run; want a program (load() gives other components)',
    );
  const { WASIShim } = await optional<Shim>('@bytecodealliance/preview2-shim/instantiation', path);
  const { preopens, env, args } = around;
  const shim = new WASIShim({ sandbox: { preopens, env, args, enableNetwork: false } });
  const exports = component.instantiate(shim.getImportObject());
  const { run } = exports[name] as { run(): void };
  try {
    run();
    return 0;
  } catch (error) {
    if (isFailure(error)) return 1;
    throw error;
  }
}

/** What jco throws of a result that is an error. */
const isFailure = (error: unknown): boolean =>
  error instanceof Error && error.constructor.name === 'ComponentError' && 'payload' in error;
