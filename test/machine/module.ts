// The module that the guest has on its media: a linear memory with content, and text enough for 2 MiB pages. Compiled on the
// host into an image that the guest only installs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from '../../loader/compile/build.ts';
import { hostArch } from '../../loader/compile/toolchain.ts';
import { translate } from '../../loader/compile/translate.ts';

/** Pages of 4 KiB that the module's data covers, from this address on. */
export const DATA = { at: 65536, pages: 40 } as const;

function leb(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...leb(value >>> 7)];
}

function signed(value: number): number[] {
  const low = value & 0x7f;
  const rest = value >> 7;
  return (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
    ? [low]
    : [low | 0x80, ...signed(rest)];
}

const section = (id: number, content: number[]) => [id, ...leb(content.length), ...content];
const vector = (items: number[][]) => [...leb(items.length), ...items.flat()];
const name = (text: string) => [...leb(text.length), ...Buffer.from(text)];
const body = (code: number[]) => [...leb(code.length + 2), 0, ...code, 0x0b];

/** What no module of this size has: beside its own text there is that of a large one. */
const large = `__asm__(".text\\n.balign 4096\\n.fill ${4 << 20}, 1, 0xc3\\n");`;

/**
 * (memory (export "memory") 8) (data (i32.const 65536) …) (func (export "read") (param i32) (result i32) …)
 * (func (export "write") (param i32 i32) …)
 */
function bytes(): Uint8Array {
  const types = [
    [0x60, 1, 0x7f, 1, 0x7f],
    [0x60, 2, 0x7f, 0x7f, 0],
  ];
  const exports = [
    [...name('memory'), 2, 0],
    [...name('read'), 0, 0],
    [...name('write'), 0, 1],
  ];
  const bodies = [body([0x20, 0, 0x2d, 0, 0]), body([0x20, 0, 0x20, 1, 0x3a, 0, 0])];
  const data = Array.from({ length: DATA.pages * 4096 }, (_, i) => (i % 251) + 1);
  return Uint8Array.from(
    [
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, vector(types)),
      section(3, vector([[0], [1]])),
      section(5, vector([[0, 8]])),
      section(7, vector(exports)),
      section(10, vector(bodies)),
      section(11, vector([[0, 0x41, ...signed(DATA.at), 0x0b, ...leb(data.length), ...data]])),
    ].flat(),
  );
}

/** Leaves module.wasm and module.so, its image, in a directory. @throws what buildImage throws */
export async function buildModule(directory: string): Promise<void> {
  const module = bytes();
  writeFileSync(join(directory, 'module.wasm'), module);
  const units = [...translate(module, { tier: 'quick', arch: hostArch() }), { name: 'large.c', text: large }];
  const output = join(directory, 'module.so');
  await buildImage({ units, directory, output, tier: 'quick', cpu: 'baseline' });
}
