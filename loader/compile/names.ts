// Names of functions for stack traces, out of the name section (core specification, appendix: custom sections).
import type { Module } from './module.ts';
import { Reader } from './reader.ts';

const FUNCTION_NAMES = 1;

/** A name section that is not well-formed is ignored, as everywhere. */
function readNames(module: Module): Map<number, string> {
  const names = new Map<number, string>();
  const section = module.customs.find(({ name }) => name === 'name');
  if (section === undefined) return names;
  try {
    const reader = new Reader(module.bytes, section.bytes.start, section.bytes.end);
    while (!reader.done) {
      const id = reader.u8();
      const end = reader.u32() + reader.at;
      if (id === FUNCTION_NAMES)
        for (let count = reader.u32(); count > 0; count--) names.set(reader.u32(), reader.name());
      reader.at = end;
    }
  } catch {
    return names;
  }
  return names;
}

/** For each of all functions, imported ones too: its name in UTF-8 and a zero byte. Empty where none has a name. */
export function functionNames(module: Module): Uint8Array {
  const names = readNames(module);
  if (names.size === 0) return new Uint8Array(0);
  const text = module.functions
    .map((_, index) => `${(names.get(index) ?? '').replaceAll('\0', '?')}\0`)
    .join('');
  return new TextEncoder().encode(text);
}
