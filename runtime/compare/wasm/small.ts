// The one other small module that is loaded before the one that is measured.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { install } from '../../../loader/images/install.ts';
import { SMALL, type SmallModule } from './request.ts';

const name = (text: string) => [text.length, ...Buffer.from(text)];
const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];

/**
 * (module (import "small" "twice" (func $twice (param i32) (result i32)))
 *   (memory (export "memory") 1) (table (export "table") 1 funcref) (global (mut i32) (i32.const 0))
 *   (func $small (export "small") (result i32) (call $twice (i32.load8_u (i32.const 0))))
 *   (elem (i32.const 0) $small) (data (i32.const 0) "\15"))
 *
 * `importsMemory`: (import "small" "memory" (memory 1)) instead of one of its own.
 */
function bytesOf(importsMemory: boolean): Uint8Array {
  const twice = [...name(SMALL.name), ...name(SMALL.import), 0, 0];
  const memory = [...name(SMALL.name), ...name(SMALL.memory), 2, 0, 1];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 2, ...[0x60, 1, 0x7f, 1, 0x7f], ...[0x60, 0, 1, 0x7f]),
    ...(importsMemory ? section(2, 2, ...twice, ...memory) : section(2, 1, ...twice)),
    ...section(3, 1, 1),
    ...section(4, 1, 0x70, 0, 1),
    ...(importsMemory ? [] : section(5, 1, 0, 1)),
    ...section(6, 1, 0x7f, 1, 0x41, 0, 0x0b),
    ...section(7, 3, ...name(SMALL.name), 0, 1, ...name(SMALL.memory), 2, 0, ...name('table'), 1, 0),
    ...section(9, 1, 0, 0x41, 0, 0x0b, 1, 1),
    ...section(10, 1, 9, 0, 0x41, 0, 0x2d, 0, 0, 0x10, 0, 0x0b),
    ...section(11, 1, 0, 0x41, 0, 0x0b, 1, SMALL.result / 2),
  ]);
}

/**
 * Leaves the module and a store with its image in a directory.
 * @param importsMemory as the module that is measured does
 * @throws what install throws
 */
export async function makeSmall(directory: string, importsMemory: boolean): Promise<SmallModule> {
  const bytes = bytesOf(importsMemory);
  const file = join(directory, 'small.wasm');
  const root = join(directory, 'store');
  writeFileSync(file, bytes);
  await install(bytes, { root, tier: 'quick', from: file });
  return { file, root };
}
