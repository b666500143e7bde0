// What a file is, told by its bytes and never by its name.

export type Format =
  | 'elf-program'
  | 'elf-shared'
  | 'node-addon'
  | 'wasm-module'
  | 'wasm-component'
  | 'script'
  | 'region'
  | 'unknown';

/** How an ELF program is linked; null for everything else. */
export type ProgramKind = 'static' | 'static-pie' | 'pie' | 'no-pie';

/** Family by the first eight bytes; the ELF headers tell the rest (image.ts). */
export type Family = 'elf' | 'wasm-module' | 'wasm-component' | 'script' | 'region' | 'unknown';

const ELF = 0x464c457f; // 7f 'E' 'L' 'F', little-endian
const WASM = 0x6d736100; // 00 'a' 's' 'm'
const REGION = [0x49534e49, 0x521a5554]; // 'INSITU' 1a 'R' (store/layout.ts)
const SHEBANG = 0x2123; // '#' '!'

/** @param head the first two little-endian words of a file. */
export function detect(head: readonly [number, number]): Family {
  const [first, second] = head;
  if (first === ELF) return 'elf';
  // The word behind the magic is version and layer: 1/0 for a core module, n/1 for a component
  // (WebAssembly Core 5.5.15; Component Model, Binary.md).
  if (first === WASM)
    return second === 1 ? 'wasm-module' : second >>> 16 === 1 ? 'wasm-component' : 'unknown';
  if (first === REGION[0] && second === REGION[1]) return 'region';
  if ((first & 0xffff) === SHEBANG) return 'script';
  return 'unknown';
}
