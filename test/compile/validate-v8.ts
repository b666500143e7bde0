// V8 as the oracle: what it says of a module. Its types are not in Node's own.
interface Described {
  name: string;
  kind: string;
}

interface ModuleClass {
  new (bytes: Uint8Array): object;
  imports(module: object): (Described & { module: string })[];
  exports(module: object): Described[];
  customSections(module: object, name: string): ArrayBuffer[];
}

export const v8 = (
  globalThis as unknown as {
    WebAssembly: { Module: ModuleClass; validate(bytes: Uint8Array): boolean };
  }
).WebAssembly;

/** V8's words, or nothing where it accepts. */
export function refusedByV8(bytes: Uint8Array): string | undefined {
  try {
    new v8.Module(bytes);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** V8 14 knows every feature that is validated; an older one lacks some. */
export const complete = Number.parseInt(process.versions.v8, 10) >= 14;

/** How an older V8 refuses what it lacks: multi-memory, memory64, exnref, relaxed SIMD, constants of globals. */
const lacking = [
  /enable (via|with) --experimental/,
  /At most one memory is supported|memory count of \d+ exceeds internal limit/,
  /limits flags|memory offset outside 32-bit range|copying between (memories|tables) of different type/,
  /non-imported globals cannot be used in constant expressions|is not allowed in constant expressions/,
  /invalid value type 0x(40|69)|Invalid opcode 0x(1f|0a|a)\b/,
];
/** Implementation limits of V8's own, which leave a module valid. */
const limited = /initial table size .* is larger than implementation limit/;

/** Whether V8's refusal says nothing about validity. */
export function saysNothing(refusal: string): boolean {
  return limited.test(refusal) || (!complete && lacking.some((text) => text.test(refusal)));
}
