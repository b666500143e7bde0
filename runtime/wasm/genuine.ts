// V8's own WebAssembly, as it was when this was first loaded: the hook replaces properties of the global one.

export const genuine: PropertyDescriptorMap = Object.getOwnPropertyDescriptors(
  (globalThis as unknown as { WebAssembly: object }).WebAssembly,
);
