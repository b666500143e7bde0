// The words of traps. Those for a call through a table differ between versions of V8: it is asked when first needed.
import { section } from './encode.ts';
import { V8 } from './v8.ts';

const MISMATCH = 8;

const TEXTS = [
  '',
  'unreachable',
  'memory access out of bounds',
  'table index is out of bounds',
  'divide by zero',
  'remainder by zero',
  'divide result unrepresentable',
  'float unrepresentable in integer range',
  '',
  'operation does not support unaligned accesses',
  'dereferencing a null pointer',
  'element segment out of bounds',
  'stack',
  'table index is out of bounds',
];

/** A module whose start function calls what is null in a table. */
function callOfNull(): Uint8Array {
  const body = [0, 0x41, 0, 0x11, 0, 0, 0x0b];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 0, 0]),
    ...section(3, [1, 0]),
    ...section(4, [1, 0x70, 0, 1]),
    ...section(8, [0]),
    ...section(10, [1, body.length, ...body]),
  ]);
}

function askV8(): string {
  try {
    new V8.Instance(new V8.Module(callOfNull()));
  } catch (error) {
    if (error instanceof V8.RuntimeError) return error.message;
  }
  return 'null function or function signature mismatch';
}

let mismatch: string | undefined;

/** By the code that compiled code trapped with (native/wasm/abi.h). */
export function trapText(code: number): string {
  if (code !== MISMATCH) return TEXTS[code] ?? `trap ${code}`;
  mismatch ??= askV8();
  return mismatch;
}
