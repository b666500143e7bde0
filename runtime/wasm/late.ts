// The engine, behind the classes and calls that a program sees: those cost next to nothing, and an app that runs no
// compiled code pays for no more.
import { moduleFile, requireHere } from '../../loader/root.ts';
import type * as All from './engine.ts';

export type Engine = typeof All;

let engine: Engine | undefined;

export function provideEngine(loaded: Engine): void {
  engine = loaded;
}

/** Undefined as long as nothing of compiled code can be about. */
export const engineNow = (): Engine | undefined => engine;

/** @throws what loading the addon throws */
export function theEngine(): Engine {
  engine ??= requireHere(moduleFile('runtime/wasm/engine')) as Engine;
  return engine;
}
