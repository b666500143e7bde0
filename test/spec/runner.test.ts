// The runner itself: that it finds what is wrong, says what it left out, and outlives what it runs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { floatBits, floatOfBits, integerBits } from './literal.ts';
import type { FileReport } from './report.ts';
import { parseScript } from './wast.ts';

const script = fileURLToPath(new URL('./spec.ts', import.meta.url));
const test = suite('test:spec');

interface Ran {
  status: number | null;
  last: string;
  files: FileReport[];
}

function run(scripts: Record<string, string>): Ran {
  const directory = mkdtempSync(join(tmpdir(), 'insitu-runner-'));
  try {
    for (const [name, text] of Object.entries(scripts)) writeFileSync(join(directory, name), text);
    const json = join(directory, 'out.json');
    const args = ['--import', 'tsx', script, '--way', 'v8', '--seconds', '5'];
    args.push('--suite', directory, '--json', json);
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
    const { files } = JSON.parse(readFileSync(json, 'utf8')) as { files: FileReport[] };
    return { status, last: stdout.trimEnd().split('\n').at(-1) ?? '', files };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const module = `(module
  (func (export "i32") (result i32) (i32.const 1))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "nan") (result f64) (f64.const nan:0x8000000000001))
  (func (export "v128") (param v128) (result v128) (local.get 0))
  (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
  (func (export "any") (param externref) (result externref) (local.get 0))
  (func (export "trap") unreachable)
  (global (export "g") i64 (i64.const -1)))`;

const right = `
  (assert_return (invoke "i32") (i32.const 1))
  (assert_return (invoke "f32" (f32.const -nan:0x200001)) (f32.const -nan:0x200001))
  (assert_return (invoke "nan") (f64.const nan:arithmetic))
  (assert_return (invoke "v128" (v128.const i16x8 1 2 3 4 5 6 7 -8)) (v128.const i16x8 1 2 3 4 5 6 7 0xfff8))
  (assert_return (invoke "v128" (v128.const f32x4 nan 1 2 -0)) (v128.const f32x4 nan:canonical 1 2 -0))
  (assert_return (invoke "two") (i32.const 1) (i64.const 2))
  (assert_return (invoke "any" (ref.extern 3)) (ref.extern 3))
  (assert_return (get "g") (i64.const 0xffff_ffff_ffff_ffff))
  (assert_return (invoke "i32") (either (i32.const 7) (i32.const 1)))
  (assert_trap (invoke "trap") "unreachable")
  (assert_invalid (module (func (result i32))) "type mismatch")
  (assert_malformed (module binary "\\00asm\\01\\00\\00") "unexpected end")
  (assert_unlinkable (module (import "spectest" "print_i32" (func (param i64)))) "incompatible import type")`;

const wrong: [name: string, assertion: string][] = [
  ['another number', '(assert_return (invoke "i32") (i32.const 2))'],
  ['another payload', '(assert_return (invoke "f32" (f32.const nan:0x200001)) (f32.const nan:0x200002))'],
  ['another sign of zero', '(assert_return (invoke "f32" (f32.const -0)) (f32.const 0))'],
  ['no canonical NaN', '(assert_return (invoke "nan") (f64.const nan:canonical))'],
  ['another lane', '(assert_return (invoke "v128" (v128.const i64x2 1 2)) (v128.const i64x2 1 3))'],
  [
    'another NaN in a lane',
    '(assert_return (invoke "v128" (v128.const f32x4 1 2 3 4)) (v128.const f32x4 1 2 3 nan:canonical))',
  ],
  ['too few results', '(assert_return (invoke "two") (i32.const 1))'],
  ['too many results', '(assert_return (invoke "i32") (i32.const 1) (i32.const 1))'],
  ['another reference', '(assert_return (invoke "any" (ref.extern 3)) (ref.extern 4))'],
  ['null for a reference', '(assert_return (invoke "any" (ref.null extern)) (ref.extern))'],
  ['none of either', '(assert_return (invoke "i32") (either (i32.const 7) (i32.const 8)))'],
  ['no trap', '(assert_trap (invoke "i32") "unreachable")'],
  ['another trap', '(assert_trap (invoke "trap") "out of bounds memory access")'],
  ['a trap that nobody knows', '(assert_trap (invoke "trap") "something else")'],
  ['no exhaustion', '(assert_exhaustion (invoke "trap") "call stack exhausted")'],
  ['no exception', '(assert_exception (invoke "trap"))'],
  ['a valid module', '(assert_invalid (module) "type mismatch")'],
  ['a well-formed module', '(assert_malformed (module binary "\\00asm\\01\\00\\00\\00") "unexpected end")'],
  ['a module that links', '(assert_unlinkable (module (import "spectest" "print" (func))) "unknown import")'],
  ['no such export', '(assert_return (invoke "absent") (i32.const 1))'],
  ['an action that traps', '(invoke "trap")'],
  ['a module that does not start', '(module (func $f unreachable) (start $f))'],
];

test('right assertions pass, each wrong one fails', () => {
  const scripts = Object.fromEntries(wrong.map(([, text], index) => [`wrong-${index}.wast`, module + text]));
  const { files, status, last } = run({ ...scripts, 'right.wast': module + right });
  const rightReport = files.find(({ file }) => file === 'right.wast');
  assert.equal(rightReport?.failures, []);
  assert.is(rightReport?.passed, 13);
  wrong.forEach(([name], index) => {
    const report = files.find(({ file }) => file === `wrong-${index}.wast`);
    assert.is(report?.failed, 1, `${name}: ${JSON.stringify(report)}`);
    assert.is(report?.passed, 0, name);
  });
  assert.is(status, 1);
  assert.is(last, `13 passed, ${wrong.length} failed, 0 skipped`);
});

test('what cannot be run is refused with its reason, and what depends on it too', () => {
  const refused = `
    (module $odd (func (export "f") (result i32) (i32.no_such_operator)))
    (assert_return (invoke $odd "f") (i32.const 1))
    (assert_return (invoke "f") (i32.const 1))
    (thread $T (invoke "f"))
    (assert_no_such_thing (invoke "f"))`;
  const { files, status, last } = run({ 'refused.wast': refused });
  assert.is(last, '0 passed, 0 failed, 5 skipped');
  assert.is(status, 0);
  const reasons = Object.keys(files[0]?.refusals ?? {});
  assert.ok(reasons.some((reason) => reason.startsWith('text not read')));
  assert.ok(reasons.some((reason) => reason.includes('(thread)')));
  assert.ok(reasons.some((reason) => reason.includes('(assert_no_such_thing)')));
});

test('a file that hangs is a failure of its own, one that is no script is refused', () => {
  const endless = '(module (func (export "f") (loop (br 0)))) (assert_return (invoke "f"))';
  const { files, last } = run({ 'a.wast': endless, 'b.wast': '(module', 'c.wast': module + right });
  assert.equal(
    files.map(({ failed, refused, passed }) => [failed, refused, passed]),
    [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 13],
    ],
  );
  assert.is(files[0]?.failures[0]?.detail, 'no answer in 5 s');
  assert.is(last, '13 passed, 1 failed, 1 skipped');
  assert.throws(() => parseScript(Buffer.from('(module')), /line 1: a parenthesis is not closed/);
});

test('nothing to run is a failure', () => {
  const { status, last } = run({});
  assert.is(status, 1);
  assert.is(last, '0 passed, 1 failed, 0 skipped');
});

test('literals are rounded exactly', () => {
  const decimals = [
    '0',
    '1',
    '0.1',
    '123456789.125',
    '1e300',
    '5e-324',
    '4.9e-324',
    '2.2250738585072011e-308',
  ];
  for (const text of [...decimals, '1.7976931348623157e308', '9007199254740993', '0.5e-323']) {
    assert.is(floatOfBits(floatBits(text, 'f64'), 'f64'), Number(text), text);
  }
  // Rounded to f64 first, this would be a tie and go to even.
  assert.is(floatBits('1.00000005960464477540', 'f32'), 0x3f800001n);
  assert.is(floatBits('1.000000059604644775390625', 'f32'), 0x3f800000n);
  assert.is(floatBits('0x1.000001p0', 'f32'), 0x3f800000n);
  assert.is(floatBits('0x1.0000010000000000001p0', 'f32'), 0x3f800001n);
  assert.is(floatBits('0x1p-149', 'f32'), 1n);
  assert.is(floatBits('0x1p-150', 'f32'), 0n);
  assert.is(floatBits('0x1.8p-150', 'f32'), 1n);
  assert.is(floatBits('0x1.fffffep127', 'f32'), 0x7f7fffffn);
  assert.is(floatBits('0x1.ffffffp127', 'f32'), 0x7f800000n);
  assert.is(floatBits('-nan:0x1', 'f32'), 0xff800001n);
  assert.is(floatBits('-inf', 'f64'), 0xfff0000000000000n);
  assert.is(integerBits('-0x8000_0000', 32), 0x80000000n);
});

test.run();
