// native/wasm/simd.h and float.h against V8: every operator, each as images are compiled and without optimisation.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findCompiler, hostArch } from '../../loader/compile/toolchain.ts';
import { compareOperators } from './simd-check.ts';
import { same } from './simd-compare.ts';
import { named } from './simd-operators.ts';

const test = suite('simd');

for (const [label, tier, flags] of [
  ['without optimisation', 'quick', ['-O0']],
  ['quick', 'quick', []],
  ['best', 'best', []],
] as const)
  test(`every operator gives what V8 gives: ${label}`, () => {
    const target = { arch: hostArch(), cpu: 'baseline', tier } as const;
    const outcome = compareOperators({ compiler: findCompiler(), target, flags: [...flags], emulator: [] });
    assert.equal(outcome.differences, []);
    assert.equal(outcome.unknown, []);
    assert.is(outcome.operators, 236 + 20 + 28, 'fixed-width, relaxed and scalar operators');
    assert.ok(outcome.results > 900_000, `${outcome.results} results`);
  });

const [one, canonical, negative, quiet, signalling] = [
  0x3f800000, 0x7fc00000, 0xffc00000, 0x7fe00001, 0x7fa00000,
];
for (const [label, name, operands, wanted, found, expected] of [
  ['equal numbers', 'f32.min', [one, one], one, one, true],
  ['another number', 'f32.min', [one, one], one, 0, false],
  ['a NaN for a number', 'f32.min', [one, one], one, canonical, false],
  ['a number for a NaN', 'f32.min', [one, canonical], canonical, one, false],
  ['the canonical NaN of either sign', 'f32.min', [one, canonical], canonical, negative, true],
  ['a payload out of nowhere', 'f32.min', [one, canonical], canonical, quiet, false],
  ['a payload of an operand', 'f32.min', [one, quiet], canonical, quiet, true],
  ['the canonical NaN for a payload', 'f32.min', [one, quiet], quiet, canonical, true],
  ['a signalling NaN', 'f32.min', [one, signalling], quiet, signalling, false],
  ['a sign where only the sign may change', 'f32.neg', [canonical], canonical, negative, false],
] as const)
  test(`compared: ${label}`, () => {
    const bytes = Buffer.alloc(48);
    operands.forEach((bits, operand) => {
      bytes.writeUInt32LE(bits, 16 * operand);
    });
    const result = (bits: number) => {
      const buffer = Buffer.alloc(17);
      buffer.writeUInt32LE(bits);
      return buffer;
    };
    assert.is(same(named(name).operator, bytes, result(wanted), result(found)), expected);
  });

test.run();
