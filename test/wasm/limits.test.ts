// Modules at the limits of the JavaScript interface's implementations, and names that would like to be read by an
// assembler. What is made of them runs in a child.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../loader/compile/compile.ts';
import { ValueType as V } from '../../loader/compile/module.ts';
import { Code } from './differential/own/code.ts';
import type { Play, Stage } from './hostile-stage.ts';
import { directory } from './stage.ts';

const script = fileURLToPath(new URL('./hostile-stage.ts', import.meta.url));
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const END = 0x0b;

const repeated = (bytes: readonly number[], count: number): number[] =>
  Array.from({ length: bytes.length * count }, (_, index) => bytes[index % bytes.length] as number);
const encoded = (value: number): number[] => new Code().u(value).bytes;

type Sections = [id: number, write: (to: Code) => void][];

function moduleOf(sections: Sections): Uint8Array {
  const code = new Code().byte(...HEADER);
  for (const [id, write] of sections) code.section(id, write);
  return Uint8Array.from(code.bytes);
}

interface One {
  params?: number[];
  results?: number[];
  locals?: number;
  code: number[];
}

/** One function, exported as `f`. */
function functionOf({ params = [], results = [], locals = 0, code }: One): Uint8Array {
  const declared = locals === 0 ? [0] : [1, ...encoded(locals), V.i32];
  return moduleOf([
    [1, (to) => to.u(1).functionType({ params: params as V[], results: results as V[] })],
    [3, (to) => to.u(1).u(0)],
    [7, (to) => to.u(1).name('f').byte(0, 0)],
    [
      10,
      (to) => {
        to.u(1).u(declared.length + code.length + 1);
        for (const byte of [...declared, ...code, END]) to.bytes.push(byte);
      },
    ],
  ]);
}

/** What the act answers of a module that was compiled. */
async function answer(bytes: Uint8Array, act: (stage: Stage) => unknown): Promise<unknown> {
  const [source, image] = [join(directory, 'limit.wasm'), join(directory, 'limit.so')];
  writeFileSync(source, bytes);
  await compile(bytes, { directory, output: image, tier: 'quick', cpu: 'baseline' });
  const play: Play = { modules: { it: { source, image } }, act: String(act), fallback: false };
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, ['--import', 'tsx', script], {
    input: JSON.stringify(play),
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  assert.is(signal ?? status, 0, stderr);
  return JSON.parse(stdout);
}

const callsF = ({ make }: Stage) => String(make('it').f?.());

const limits = suite('limits');

const rows: [name: string, bytes: () => Uint8Array, wanted: unknown][] = [
  [
    '50000 blocks in each other',
    () => functionOf({ code: [...repeated([0x02, 0x40], 50_000), ...repeated([END], 50_000)] }),
    'undefined',
  ],
  [
    '2000 conditions in each other',
    () => functionOf({ code: [...repeated([0x41, 1, 0x04, 0x40], 2000), ...repeated([END], 2000)] }),
    'undefined',
  ],
  [
    '50000 operands on the stack',
    () =>
      functionOf({ results: [V.i32], code: [...repeated([0x41, 1], 50_000), ...repeated([0x6a], 49_999)] }),
    '50000',
  ],
  [
    '49999 locals',
    () => functionOf({ locals: 49_999, results: [V.i32], code: [0x20, ...encoded(49_998)] }),
    '0',
  ],
  [
    'a table of 65520 branches',
    () =>
      functionOf({
        code: [0x02, 0x40, 0x41, 5, 0x0e, ...encoded(65_520), ...repeated([0], 65_521), END],
      }),
    'undefined',
  ],
];
for (const [name, bytes, wanted] of rows)
  limits(name, async () => assert.is(await answer(bytes(), callsF), wanted));

limits('1000 parameters, the last one is added to the first', async () => {
  const bytes = functionOf({
    params: repeated([V.i64], 1000),
    results: [V.i64],
    code: [0x20, 0, 0x20, ...encoded(999), 0x7c],
  });
  const sum = await answer(bytes, ({ make }) =>
    String(make('it').f?.(...Array.from({ length: 1000 }, (_, index) => BigInt(index + 1)))),
  );
  assert.is(sum, '1001');
});

limits('1000 results', async () => {
  const bytes = functionOf({ results: repeated([V.i32], 1000), code: repeated([0x41, 7], 1000) });
  const told = await answer(bytes, ({ make }) => {
    const results = make('it').f?.() as number[];
    return [results.length, new Set(results).size, results[999]];
  });
  assert.equal(told, [1000, 1, 7]);
});

limits('100000 exports', async () => {
  const bytes = moduleOf([
    [1, (to) => to.u(1).functionType({ params: [], results: [V.i32] })],
    [3, (to) => to.u(1).u(0)],
    [
      7,
      (to) => {
        to.u(100_000);
        for (let index = 0; index < 100_000; index++) to.name(`f${index}`).byte(0, 0);
      },
    ],
    [10, (to) => to.u(1).u(4).byte(0, 0x41, 5, END)],
  ]);
  const told = await answer(bytes, ({ make }) => {
    const exports = make('it');
    return [Object.keys(exports).length, exports.f0?.(), exports.f99999?.(), exports.f5 === exports.f99999];
  });
  assert.equal(told, [100_000, 5, 5, true]);
});

limits('100000 globals and 100000 data segments', async () => {
  const count = 100_000;
  const bytes = moduleOf([
    [5, (to) => to.u(1).byte(0, 16)],
    [
      6,
      (to) => {
        to.u(count);
        for (let index = 0; index < count; index++) to.byte(V.i32, 1, 0x41).s(index).byte(END);
      },
    ],
    [
      7,
      (to) =>
        to
          .u(2)
          .name('last')
          .byte(3)
          .u(count - 1)
          .name('m')
          .byte(2, 0),
    ],
    [
      11,
      (to) => {
        to.u(count);
        for (let index = 0; index < count; index++)
          to.byte(0, 0x41)
            .s(index * 7)
            .byte(END, 1, index & 255);
      },
    ],
  ]);
  const told = await answer(bytes, ({ make }) => {
    const { last, m } = make('it') as unknown as { last: { value: number }; m: { buffer: ArrayBuffer } };
    const memory = new Uint8Array(m.buffer);
    return [last.value, memory[7], memory[7 * 99_999], memory.reduce((sum, byte) => sum + byte)];
  });
  const sum = Array.from({ length: count }, (_, index) => index & 255).reduce((a, b) => a + b);
  assert.equal(told, [count - 1, 1, 99_999 & 255, sum]);
});

limits.run();

const NAMES = [
  '',
  '"',
  '\\',
  '\n',
  '\r\n',
  '*/',
  '/*',
  '//',
  '#',
  ';',
  '\0',
  'a\0b',
  '\\0',
  '%s%n',
  '%function',
  '@',
  "'",
  '"\n.incbin "/etc/passwd"\n.ascii "',
  '.end',
  '\u{1F600}',
  '\uFEFF',
  '\uFFFF',
  '\u2028',
  '??/',
  '$(id)',
  '`id`',
  '__proto__',
  'constructor',
  'toString',
  '\x7f\x01\x1b[31m',
  'é',
  'x'.repeat(5000),
  '_start',
  'main',
  '.text',
];

const naming = suite('names');

naming('whatever they are, they are data', async () => {
  const all = [...NAMES.entries()];
  const bytes = moduleOf([
    [1, (to) => to.u(1).functionType({ params: [], results: [V.i32] })],
    [2, (to) => to.list(NAMES, (name) => to.name(name).name(`${name}"`).byte(0, 0))],
    [3, (to) => to.list(NAMES, () => to.u(0))],
    [
      7,
      (to) =>
        to.list(all, ([index, name]) =>
          to
            .name(name)
            .byte(0)
            .u(NAMES.length + index),
        ),
    ],
    [10, (to) => to.list(all, ([index]) => to.u(4).byte(0, 0x10, index, END))],
    [
      0,
      (to) =>
        to
          .name('name')
          .section(1, (names) =>
            names.list(all, ([index, name]) => names.u(NAMES.length + index).name(name)),
          ),
    ],
  ]);
  const told = (await answer(bytes, ({ module, insitu }) => {
    const own = module('it');
    const Module = insitu.Module as unknown as Record<
      'imports' | 'exports',
      (of: object) => { name: string }[]
    >;
    const names = Module.exports(own).map(({ name }) => name);
    const imports = Object.create(null);
    for (const [index, name] of names.entries()) imports[name] = { [`${name}"`]: () => index };
    const { exports } = new insitu.Instance(own, imports);
    const results = names.map((name) => (exports as Record<string, () => unknown>)[name]?.());
    return { imports: Module.imports(own), names, keys: Object.keys(exports), results };
  })) as { imports: object[]; names: string[]; keys: string[]; results: number[] };
  assert.equal(told.names, NAMES);
  assert.equal(told.keys, NAMES);
  assert.equal(told.results, [...NAMES.keys()]);
  const imports = NAMES.map((name) => ({ module: name, name: `${name}"`, kind: 'function' }));
  assert.equal(told.imports, imports);
});

naming.run();
