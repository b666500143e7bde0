// Control in each other as deep as it is compiled, and deeper: then V8 runs it.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UnsupportedFeature } from '../../loader/compile/module.ts';
import { translate } from '../../loader/compile/translate.ts';
import { moduleOfBody } from './decode-bytes.ts';

const END = 0x0b;
const repeated = (bytes: readonly number[], count: number): number[] =>
  Array.from({ length: bytes.length * count }, (_, index) => bytes[index % bytes.length] as number);
const nested = (begin: readonly number[], depth: number): Uint8Array =>
  moduleOfBody([...repeated(begin, depth), ...repeated([END], depth)]);

const nesting = suite('nesting');

for (const [name, begin] of [
  ['conditions', [0x41, 1, 0x04, 0x40]],
  ['loops', [0x03, 0x40]],
] as const)
  nesting(`10000 ${name} are compiled, 50000 are not`, () => {
    assert.ok(translate(nested(begin, 10_000), { tier: 'quick' }).length > 0);
    assert.throws(
      () => translate(nested(begin, 50_000), { tier: 'quick' }),
      (error: unknown) => error instanceof UnsupportedFeature && error.feature === 'deep-nesting',
    );
  });

nesting.run();
