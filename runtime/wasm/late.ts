// The engine, behind the classes and calls that a program sees: those cost next to nothing, and an app that runs no
// compiled code pays for no more.
import { once } from '../../loader/once.ts';
import { moduleFile, requireHere } from '../../loader/root.ts';
import type * as All from './engine.ts';

export type Engine = typeof All;

/** Has it at hand sooner where the hook can (hook/code.ts). */
interface Loading {
  ready(part: 'engine'): void;
}

let engine: Engine | undefined;

export function provideEngine(loaded: Engine): void {
  engine = loaded;
}

/** Undefined as long as nothing of compiled code can be about. */
export const engineNow = (): Engine | undefined => engine;

/** @throws what loading the addon throws */
export function theEngine(): Engine {
  if (engine === undefined) {
    once<Loading>('loading', () => ({ ready() {} })).ready('engine');
    engine = requireHere(moduleFile('runtime/wasm/engine')) as Engine;
  }
  return engine;
}
