// What the optimisations of a C compiler must leave as it is: what has happened when an access traps at guard pages, and
// that an image needs no relocation. What is made runs in a child.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkImage } from '../../loader/compile/check-image.ts';
import { compile } from '../../loader/compile/compile.ts';
import type { Tier } from '../../loader/compile/toolchain.ts';
import type { Play, Stage } from '../wasm/hostile-stage.ts';

const directory = mkdtempSync(join(tmpdir(), 'insitu-optimized-test-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const script = fileURLToPath(new URL('../wasm/hostile-stage.ts', import.meta.url));

/** What the act answers of each module that these texts are of. */
async function answers(texts: readonly string[], tier: Tier, act: (stage: Stage) => unknown) {
  const modules: Play['modules'] = {};
  for (const [index, text] of texts.entries()) {
    const bytes = await parse(text);
    const [source, image] = [join(directory, `${index}.wasm`), join(directory, `${index}-${tier}.so`)];
    writeFileSync(source, bytes);
    await compile(bytes, { directory, output: image, tier, cpu: 'baseline' });
    modules[index] = { source, image };
  }
  const play: Play = { modules, act: String(act), fallback: false };
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, ['--import', 'tsx', script], {
    input: JSON.stringify(play),
    encoding: 'utf8',
  });
  assert.is(signal ?? status, 0, stderr);
  return JSON.parse(stdout) as unknown[];
}

/** 0x10000 is the first address behind the memory. What is in it after the trap: bytes 0, 8 and 0xffff, and the global. */
const orders: [name: string, body: string, wanted: number[]][] = [
  [
    'a store that is late for its value',
    `(i32.store8 (i32.const 0) (i32.mul (i32.mul (local.get 0) (local.get 0)) (local.get 0)))
     (i32.store (i32.const 0x10000) (i32.const 1))`,
    [27, 0, 0, 0],
  ],
  [
    'a store behind the one that traps',
    `(i32.store (i32.const 0x10000) (i32.mul (i32.mul (local.get 0) (local.get 0)) (local.get 0)))
     (i32.store8 (i32.const 8) (i32.const 1))`,
    [0, 0, 0, 0],
  ],
  [
    'a store behind a load that traps',
    '(i32.store8 (i32.const 8) (i32.const 1)) (drop (i32.load (i32.const 0x10000))) (i32.store8 (i32.const 0) (i32.const 1))',
    [0, 1, 0, 0],
  ],
  [
    'a store that is overwritten behind the trap',
    `(i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 0x10000) (i32.const 0))
     (i32.store8 (i32.const 0) (i32.const 2))`,
    [1, 0, 0, 0],
  ],
  [
    'neighbours, one of which is outside',
    '(i32.store8 (i32.const 0xffff) (i32.const 1)) (i32.store8 (i32.const 0x10000) (i32.const 2))',
    [0, 0, 1, 0],
  ],
  [
    'a global that is set again behind a load that traps',
    '(global.set 0 (i32.const 5)) (drop (i32.load (i32.const 0x10000))) (global.set 0 (i32.const 6))',
    [0, 0, 0, 5],
  ],
  [
    'a global that is set in a loop that traps',
    `(loop (global.set 0 (i32.add (global.get 0) (i32.const 1)))
       (drop (i32.load8_u (i32.mul (global.get 0) (i32.const 0x4000)))) (br 0))`,
    [0, 0, 0, 4],
  ],
];

const order = suite('what has happened when an access traps');

for (const tier of ['quick', 'best'] as const)
  order(`${tier}: all before it, nothing behind it`, async () => {
    const texts = orders.map(
      ([, body]) => `(module (memory (export "memory") 1) (global (export "global") (mut i32) (i32.const 0))
        (func (export "f") (param i32) ${body}))`,
    );
    const found = await answers(texts, tier, ({ make, told }) =>
      Array.from({ length: 7 }, (_, index) => {
        const { f, memory, global } = make(`${index}`) as unknown as {
          f: (value: number) => void;
          memory: { buffer: ArrayBuffer };
          global: { value: number };
        };
        const end = told(() => f(3));
        const bytes = new Uint8Array(memory.buffer);
        return [end, bytes[0], bytes[8], bytes[0xffff], global.value];
      }),
    );
    const trap = 'RuntimeError: memory access out of bounds';
    const wanted = orders.map(([name, , values]) => [name, trap, ...values]);
    assert.equal(
      orders.map(([name], index) => [name, ...(found[index] as unknown[])]),
      wanted,
    );
  });

order.run();

const addresses = suite('addresses of functions');

addresses(
  'those of a tail call in a loop are not made one vector, which would stand in a table',
  async () => {
    const args = '(local.get 0) (local.get 1) (local.get 2)';
    const call = `(call_indirect (type $t) ${args} (local.get 0))`;
    const bytes = await parse(`(module (type $t (func (param i32 i32 i32))) (table 4 4 funcref) (tag $e)
    (func (throw $e))
    (func $f (export "f") (type $t)
      (loop ${call} (if (local.get 1) (then (return_call $f ${args})))
        ${call} (if (local.get 2) (then (return_call $f ${args}))) (br_if 0 (local.get 0)))
      (return_call $f ${args})))`);
    const output = join(directory, 'tail.so');
    await compile(bytes, { directory, output, tier: 'best', cpu: 'baseline' });
    checkImage(output);
  },
);

addresses.run();
