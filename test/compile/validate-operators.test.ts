// opcodes.ts against V8: each operator is valid with the types and immediates that its row gives, and invalid with others.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decode } from '../../loader/compile/decode.ts';
import { ModuleError, ValueType } from '../../loader/compile/module.ts';
import { atomic, type Operator, plain, saturating } from '../../loader/compile/opcodes.ts';
import { simd } from '../../loader/compile/opcodes-simd.ts';
import { validate } from '../../loader/compile/validate.ts';
import { type Bytes, moduleOfBody, section, u32, vector } from './decode-bytes.ts';
import { refusedByV8, saysNothing, v8 } from './validate-v8.ts';

const test = suite('operators');
const numbers = [ValueType.i32, ValueType.i64, ValueType.f32, ValueType.f64, ValueType.v128];
const other = (type: number): number =>
  numbers[(numbers.indexOf(type as 0x7f) + 1) % numbers.length] as number;
const memory = section(5, vector([3, 1, 1])); // shared, so that atomics are right in any V8

function refusal(bytes: Uint8Array): string | undefined {
  try {
    validate(decode(bytes));
    return undefined;
  } catch (error) {
    assert.instance(error, ModuleError);
    return (error as Error).message;
  }
}

interface Use {
  opcode: Bytes;
  operator: Operator;
}

function immediates({ immediates, accessBytes, lanes }: Operator, alignment: number, lane: number): Bytes {
  switch (immediates) {
    case 'none':
      return [];
    case 'memarg':
      return [alignment, ...u32(accessBytes)];
    case 'memarg-lane':
      return [alignment, ...u32(accessBytes), lane];
    case 'lane':
      return [lane];
    case 'shuffle':
      return Array(16).fill(lane);
    case 'v128':
      return Array(16).fill(lanes);
    case 'zero':
      return [0];
  }
}

/** A function that applies the operator to its parameters. */
function moduleOfUse(
  { opcode, operator }: Use,
  change: Partial<Record<'param' | 'result', number>> = {},
  at = immediates(operator, Math.log2(operator.accessBytes || 1), Math.max(0, operator.lanes - 1)),
): Uint8Array {
  const params: number[] = [...operator.params];
  const results: number[] = [...operator.results];
  if (change.param !== undefined) params[change.param] = other(params[change.param] as number);
  if (change.result !== undefined) results[change.result] = other(results[change.result] as number);
  const code = [...params.flatMap((_, index) => [0x20, index]), ...opcode, ...at];
  return moduleOfBody(code, { params, results, between: [memory] });
}

function accepted(bytes: Uint8Array, name: string): void {
  assert.is(refusal(bytes), undefined, name);
  const words = refusedByV8(bytes);
  assert.ok(words === undefined || saysNothing(words), `${name}: V8 says ${words}`);
}

function refused(bytes: Uint8Array, text: string, name: string): void {
  assert.match(refusal(bytes) ?? 'accepted', text, name);
  assert.not(v8.validate(bytes), `${name}: V8 accepts it`);
}

const tables: [string, (Operator | undefined)[], (opcode: number) => Bytes, number][] = [
  ['plain', plain, (opcode) => [opcode], 151],
  ['saturating', saturating, (opcode) => [0xfc, ...u32(opcode)], 8],
  ['simd', simd, (opcode) => [0xfd, ...u32(opcode)], 256],
  ['atomic', atomic, (opcode) => [0xfe, ...u32(opcode)], 67],
];

for (const [what, table, encode, count] of tables) {
  const uses = [...table.entries()].flatMap(([opcode, operator]) =>
    operator ? [{ opcode: encode(opcode), operator }] : [],
  );

  test(`${what}: ${count} operators, each with its own types`, () => {
    assert.is(uses.length, count);
    assert.is(new Set(uses.map(({ operator }) => operator.name)).size, count);
    for (const use of uses) {
      const { name, params, results } = use.operator;
      accepted(moduleOfUse(use), name);
      for (const param of params.keys()) refused(moduleOfUse(use, { param }), 'type mismatch', name);
      for (const result of results.keys()) refused(moduleOfUse(use, { result }), 'type mismatch', name);
    }
  });

  test(`${what}: alignments and lanes, at the bound and beyond`, () => {
    for (const use of uses) {
      const { name, accessBytes, lanes } = use.operator;
      if (accessBytes > 0) {
        const beyond = immediates(use.operator, Math.log2(accessBytes) + 1, 0);
        refused(moduleOfUse(use, {}, beyond), 'alignment must not be larger than natural', name);
      }
      if (lanes > 0) {
        const beyond = immediates(use.operator, 0, lanes);
        refused(moduleOfUse(use, {}, beyond), 'invalid lane index', name);
      }
    }
  });

  test(`${what}: opcodes that no operator has`, () => {
    // Of one byte, those that are not numeric have rows in validate.test.ts.
    if (what === 'plain') return;
    const unused = Array.from({ length: 0x120 }, (_, opcode) => opcode).filter((opcode) => !table[opcode]);
    for (const opcode of unused) {
      if (what === 'saturating' && opcode < 23) continue;
      const bytes = moduleOfBody([...encode(opcode), 0, 0, 0], { between: [memory] });
      assert.throws(() => validate(decode(bytes)), /illegal opcode|shared-everything-threads/);
      assert.not(v8.validate(bytes), `opcode ${opcode}: V8 accepts it`);
    }
  });
}

test.run();
