// V8's own WebAssembly, as it was when this was first loaded: the hook replaces properties of the global one.
import { once } from '../../loader/once.ts';

export const genuine: PropertyDescriptorMap = once('genuine', () =>
  Object.getOwnPropertyDescriptors((globalThis as unknown as { WebAssembly?: object }).WebAssembly ?? {}),
);
