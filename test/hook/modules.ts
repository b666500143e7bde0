// Modules that the tests of the hook run, all but one installed, and a program that runs one.
import { install, sample, wasmFile } from '../wasm/stage.ts';
import { script } from './stage.ts';

export const math = await sample('math');
export const pad = (bytes: number) => `(data "${'x'.repeat(bytes)}")`;
export const adder = await wasmFile(
  'adder.wasm',
  `(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))) ${pad(140_000)})`,
);
/** Not installed. */
export const other = await wasmFile(
  'other.wasm',
  `(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 1) (local.get 0))) ${pad(140_000)})`,
);
export const importer = await wasmFile(
  'importer.wasm',
  `(module (import "m" "add" (func $f (param i32 i32) (result i32)))
    (func (export "twice") (param i32) (result i32) (call $f (local.get 0) (local.get 0))))`,
);
install(math, adder, importer);

export const five = `const bytes = require('node:fs').readFileSync(process.argv[2] ?? 'adder.wasm');
const five = (instance) => instance.exports.add(2, 3);\n`;
export const plain = script(
  'plain.cjs',
  `${five} console.log(five(new WebAssembly.Instance(new WebAssembly.Module(bytes))));`,
);
