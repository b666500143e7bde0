// validate.ts: valid modules of every feature, invalid ones by rule, each with V8's word for it, and what is not compiled.
import { parse } from '@bytecodealliance/jco';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decode } from '../../loader/compile/decode.ts';
import { ModuleError, UnsupportedFeature } from '../../loader/compile/module.ts';
import { validate } from '../../loader/compile/validate.ts';
import { hex, moduleOf, moduleOfBody, section, signature, types, vector } from './decode-bytes.ts';
import { validModules } from './validate-modules.ts';
import { refusedByV8, saysNothing, v8 } from './validate-v8.ts';

const test = suite('validate');

for (const [what, bytes] of await validModules()) {
  test(`valid: ${what}`, () => {
    validate(decode(bytes));
    const words = refusedByV8(bytes);
    assert.ok(words === undefined || saysNothing(words), words);
  });
}

/** Fields of a module, and how the refusal begins. */
const invalid: [string, string][] = [
  // Operands.
  [
    '(func (i32.add (i32.const 1) (i64.const 2)) (drop))',
    'type mismatch: i32.add wants i32, found i64 in function 0',
  ],
  ['(func (i32.const 1))', 'type mismatch: 1 operands too many'],
  ['(func (result i32))', 'type mismatch: opcode 0x0b wants i32, found none'],
  ['(func (drop))', 'type mismatch: opcode 0x1a wants an operand'],
  ['(func (result i32) (i32.const 1) (block (drop)))', 'type mismatch'],
  ['(func (unreachable) (i32.const 1) (i64.eqz) (drop))', 'type mismatch: i64.eqz wants i64, found i32'],
  ['(func (unreachable) (i32.const 1))', 'type mismatch: 1 operands too many'],
  [
    '(func (drop (select (i32.const 1) (i64.const 1) (i32.const 1))))',
    'type mismatch: select of i32 and i64',
  ],
  [
    '(func (param funcref) (drop (select (local.get 0) (local.get 0) (i32.const 1))))',
    'type mismatch: select of funcref',
  ],
  ['(func (unreachable) (select (ref.null func) (i32.const 1)) (drop))', 'type mismatch: select of funcref'],
  ['(func (drop (ref.is_null (i32.const 1))))', 'type mismatch: ref.is_null'],
  // Blocks and branches.
  [
    '(func (result i32) (if (result i32) (i32.const 1) (then (i32.const 1))))',
    'type mismatch: if without else',
  ],
  ['(func (br 1))', 'unknown label 1'],
  ['(func (br_if 4294967295 (i32.const 1)))', 'unknown label 4294967295'],
  ['(func (block (result i32) (br 0)) (drop))', 'type mismatch: opcode 0x0c wants i32, found none'],
  ['(func (loop (result i32) (br 0)) )', 'type mismatch'],
  [
    '(func (block (block (result i32) (br_table 0 1 (i32.const 1) (i32.const 1))) (drop)))',
    'type mismatch: br_table has labels of 1 and 0',
  ],
  [
    '(func (block (result i32) (block (result i64) (br_table 0 1 (i64.const 1) (i32.const 1))) (drop) (i32.const 1)) (drop))',
    'type mismatch',
  ],
  ['(func (result i64) (return (i32.const 1)))', 'type mismatch: opcode 0x0f wants i64, found i32'],
  // Calls.
  ['(func (call 7))', 'unknown function 7'],
  ['(func (param i64) (call 0 (i32.const 1)))', 'type mismatch: opcode 0x10 wants i64, found i32'],
  ['(type (func)) (func (call_indirect (type 0) (i32.const 0)))', 'unknown table 0'],
  ['(table 1 externref) (func (call_indirect (i32.const 0)))', 'type mismatch: table 0 is not of funcref'],
  ['(func (result i32) (i32.const 1)) (func (return_call 0))', "type mismatch: a tail call's results"],
  // Index spaces.
  ['(func (local.set 1 (i32.const 1)))', 'unknown local 1'],
  [
    '(func (param i32) (local i64) (local.set 1 (local.get 0)))',
    'type mismatch: opcode 0x21 wants i64, found i32',
  ],
  ['(func (drop (global.get 0)))', 'unknown global 0'],
  ['(global i32 (i32.const 0)) (func (global.set 0 (i32.const 1)))', 'global is immutable'],
  ['(func (type 3))', 'unknown type 3 of function 0'],
  ['(import "m" "f" (func (type 3)))', 'unknown type 3 of function 0'],
  ['(func (drop (table.get 0 (i32.const 1))))', 'unknown table 0'],
  [
    '(table 1 funcref) (func (table.init 0 0 (i32.const 0) (i32.const 0) (i32.const 0)))',
    'unknown elem segment 0',
  ],
  [
    '(table 1 funcref) (elem externref) (func (table.init 0 0 (i32.const 0) (i32.const 0) (i32.const 0)))',
    'type mismatch: a table of funcref, found externref',
  ],
  [
    '(table 1 funcref) (table 1 externref) (func (table.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 0)))',
    'type mismatch: a table of funcref, found externref',
  ],
  ['(func $f (drop (ref.func $f)))', 'undeclared function reference 0'],
  ['(func $f (drop (ref.func $f))) (start $f)', 'undeclared function reference 0'],
  // Memories.
  ['(func (drop (i32.load (i32.const 0))))', 'unknown memory 0'],
  ['(memory 1) (func (drop (i32.load 1 (i32.const 0))))', 'unknown memory 1'],
  ['(memory 1) (func (drop (i32.load (i64.const 0))))', 'type mismatch: i32.load wants i32, found i64'],
  [
    '(memory 1) (data "x") (func (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 0)))',
    'unknown data segment 1',
  ],
  ['(memory 65537)', 'memory size must be at most 65536 pages (4GiB)'],
  ['(memory 1 65537)', 'memory size must be at most 65536 pages (4GiB)'],
  ['(memory i64 0x1000000000001)', 'memory size must be at most 281474976710656 pages'],
  [
    '(table i64 0xffffffffffffffff 0xfffffffffffffffe funcref)',
    'size minimum must not be greater than maximum',
  ],
  // Constant expressions.
  ['(global i32 (i64.const 0))', 'type mismatch: opcode 0x0b wants i32, found i64 in global 0'],
  [
    '(global i32 (i32.const 0) (i32.const 1))',
    'type mismatch: 1 operands too many at the end of a block in global 0',
  ],
  ['(global i32)', 'type mismatch: opcode 0x0b wants i32, found none in global 0'],
  ['(global i32 (global.get 0))', 'unknown global 0'],
  ['(global i32 (global.get 1)) (global i32 (i32.const 0))', 'unknown global 1'],
  [
    '(import "m" "g" (global (mut i32))) (global i32 (global.get 0))',
    'constant expression required: global 0 is mutable',
  ],
  ['(global i32 (i32.ctz (i32.const 1)))', 'constant expression required'],
  ['(global funcref (ref.func 5))', 'unknown function 5 in global 0'],
  ['(global $g funcref (ref.null func)) (table 1 funcref (global.get $g))', 'unknown global 0 in table 0'],
  [
    '(memory 1) (data (i64.const 0) "x")',
    'type mismatch: opcode 0x0b wants i32, found i64 in offset of data segment 0',
  ],
  ['(memory i64 1) (data (i32.const 0) "x")', 'type mismatch'],
  ['(data (i32.const 0) "x")', 'unknown memory 0 of data segment 0'],
  ['(elem (i32.const 0) func)', 'unknown table 0 of elem segment 0'],
  ['(table 1 externref) (elem (i32.const 0) func)', 'type mismatch: elem segment 0 is of funcref'],
  ['(elem func 9)', 'unknown function 9 in elem segment 0'],
  ['(elem funcref (ref.null extern))', 'type mismatch'],
  // Exports, start, tags.
  ['(func) (export "x" (func 0)) (export "x" (func 0))', 'duplicate export name "x"'],
  ['(export "x" (func 1))', 'unknown function 1 of export "x"'],
  ['(export "x" (table 0))', 'unknown table 0 of export "x"'],
  ['(export "x" (memory 0))', 'unknown memory 0 of export "x"'],
  ['(export "x" (global 0))', 'unknown global 0 of export "x"'],
  ['(export "x" (tag 0))', 'unknown tag 0 of export "x"'],
  ['(start 0)', 'unknown function 0 as start function'],
  ['(func (param i32)) (start 0)', 'start function 0 has parameters or results'],
  ['(func (result i32) (i32.const 1)) (start 0)', 'start function 0 has parameters or results'],
  ['(tag (result i32))', 'non-empty tag result type'],
  // Exceptions.
  ['(func (throw 0))', 'unknown tag 0'],
  ['(tag (param i32)) (func (throw 0))', 'type mismatch: opcode 0x08 wants i32, found none'],
  ['(func (throw_ref (ref.null func)))', 'type mismatch'],
  [
    '(tag (param i32)) (func (try_table (catch 0 0)))',
    'type mismatch: a catch clause does not give what label 0 takes',
  ],
  ['(tag) (func (try_table (catch_ref 0 0)))', 'type mismatch: a catch clause does not give'],
  ['(func (try_table (catch_all 1)))', 'unknown label'],
];

for (const [fields, text] of invalid) {
  test(`invalid: ${fields}`, async () => {
    const bytes = await parse(`(module ${fields})`).catch(() => undefined);
    assert.ok(bytes, 'the text is malformed');
    refused(Uint8Array.from(bytes), text);
  });
}

/** What the text format cannot say. */
const encoded: [string, Uint8Array, string][] = [
  ['code after the end', moduleOfBody(hex('0b 01')), 'unexpected content after the end in function 0'],
  [
    'code without an end',
    moduleOf(types(signature([], [])), section(3, vector([0])), section(10, vector(hex('04 00 01 01 01')))),
    'unexpected end: END opcode expected in function 0',
  ],
  ['a block without an end', moduleOfBody(hex('02 40')), 'unexpected end: END opcode expected'],
  ['an immediate cut short', moduleOfBody(hex('43 00 00')), 'unexpected end'],
  ['else without if', moduleOfBody(hex('02 40 05 0b')), 'else without if'],
  ['else twice', moduleOfBody(hex('41 00 04 40 05 05 0b')), 'else without if'],
  ['a block of no type', moduleOfBody(hex('02 78 0b')), 'malformed value type'],
  ['a block of an unknown type', moduleOfBody(hex('02 05 0b')), 'unknown type 5'],
  ['a block of a type that is written long', moduleOfBody(hex('02 ff 7f 0b')), 'malformed block type'],
  ['select of two types', moduleOfBody(hex('00 1c 02 7f 7f')), 'invalid result arity'],
  ['br_table with more labels than bytes', moduleOfBody(hex('41 00 0e ff ff ff ff 0f 00')), 'unexpected end'],
  [
    'memory.init without a data count',
    moduleOfBody(hex('41 00 41 00 41 00 fc 08 00 00'), { between: [section(5, vector([0, 1]))] }),
    'data count section required',
  ],
  ['data.drop without a data count', moduleOfBody(hex('fc 09 00')), 'data count section required'],
  [
    'an alignment beyond any flag',
    moduleOfBody(hex('41 00 28 80 01 00 1a'), { between: [section(5, vector([0, 1]))] }),
    'malformed memop flags',
  ],
  [
    'an offset beyond 32 bits',
    moduleOfBody(hex('41 00 28 02 80 80 80 80 10 1a'), { between: [section(5, vector([0, 1]))] }),
    'offset out of range',
  ],
  [
    'an atomic access of less than its alignment',
    moduleOfBody(hex('41 00 fe 11 02 00 1a'), { between: [section(5, vector([3, 1, 1]))] }),
    'atomic alignment must be natural',
  ],
  ['atomic.fence with flags', moduleOfBody(hex('fe 03 01')), 'zero byte expected'],
  [
    'a shared memory without maximum',
    moduleOf(section(5, vector([2, 1]))),
    'shared memory must have maximum',
  ],
  [
    'a function type of an unknown type',
    moduleOf(section(3, vector([9])), section(10, vector(hex('02 00 0b')))),
    'unknown type 9',
  ],
  ['a catch clause of no kind', moduleOfBody(hex('1f 40 01 04 00 0b')), 'malformed catch clause'],
  ['catch outside of try', moduleOfBody(hex('02 40 19 0b')), 'catch_all without try'],
  ['catch after catch_all', moduleOfBody(hex('06 40 19 19 0b')), 'catch_all without try'],
  ['delegate after catch_all', moduleOfBody(hex('06 40 19 18 00')), 'delegate without try'],
  ['delegate to no label', moduleOfBody(hex('06 40 18 01')), 'unknown label 1'],
  ['rethrow outside of catch', moduleOfBody(hex('06 40 09 00 0b')), 'invalid rethrow label'],
  ['opcodes that are none', moduleOfBody([0x27]), 'illegal opcode 0x27'],
];

for (const [what, bytes, text] of encoded) test(`invalid: ${what}`, () => refused(bytes, text));

function refused(bytes: Uint8Array, text: string): void {
  let refusal: unknown;
  try {
    validate(decode(bytes));
  } catch (error) {
    refusal = error;
  }
  assert.instance(refusal, ModuleError);
  assert.is((refusal as Error).message.slice(0, text.length), text);
  // Older ones took atomic accesses of any alignment.
  if (!text.startsWith('atomic')) assert.not(v8.validate(bytes), 'V8 accepts it');
}

const notCompiled: [string, string][] = [
  ['(type $f (func)) (func (param funcref) (call_ref $f (unreachable)))', 'function-references'],
  ['(func (param funcref) (drop (ref.as_non_null (local.get 0))))', 'function-references'],
  ['(type $f (func)) (func (drop (ref.null $f)))', 'function-references'],
  ['(func (local (ref null any)))', 'gc'],
  ['(func (drop (ref.eq (ref.null none) (ref.null none))))', 'gc'],
  ['(func (unreachable) (ref.eq) (drop))', 'gc'],
  ['(func (drop (ref.i31 (i32.const 1))))', 'gc'],
  ['(type (struct (field i32)))', 'gc'],
  ['(memory 1 (pagesize 1))', 'custom-page-sizes'],
  ['(table 10000001 funcref)', 'large-tables'],
  ['(import "m" "t" (table 4294967295 externref))', 'large-tables'],
  ['(tag (param i32 v128))', 'opaque-exception-payload'],
  ['(tag (param exnref))', 'opaque-exception-payload'],
  ['(import "m" "t" (tag (param v128)))', 'opaque-exception-payload'],
  [
    '(func (param i64 i64 i64 i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))',
    'wide-arithmetic',
  ],
  ['(type $f (func)) (type $c (cont $f)) (func)', 'stack-switching'],
];

for (const [fields, feature] of notCompiled) {
  test(`not compiled: ${fields}`, async () => {
    const bytes = Uint8Array.from(await parse(`(module ${fields})`));
    assert.throws(
      () => validate(decode(bytes)),
      (error: unknown) => error instanceof UnsupportedFeature && error.feature === feature,
    );
  });
}

test('not compiled: both forms of exceptions in one module', () => {
  for (const code of ['1f 40 00 0b 06 40 19 0b', '06 40 19 0b 1f 40 00 0b', '06 40 0b d0 69 0a']) {
    assert.throws(
      () => validate(decode(moduleOfBody(hex(code)))),
      (error: unknown) => error instanceof UnsupportedFeature && error.feature === 'mixed-exceptions',
    );
  }
});

test('nesting of 500000 blocks', () => {
  const depth = 500_000;
  const code = [...Array(depth).fill([0x02, 0x40]).flat(), ...Array(depth).fill(0x0b)];
  validate(decode(moduleOfBody(code)));
});

test.run();
