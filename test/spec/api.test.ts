// The JavaScript interface: what scripts see on each way must be what they see on V8, to the word.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { prebuilt } from '../../loader/native.ts';
import { compareSeen, observe, prepare } from './api/compare.ts';
import { unexplained } from './api/known.ts';
import { tell } from './api/tell.ts';
import { available } from './engine.ts';
import type { Way } from './ways.ts';

const directory = mkdtempSync(join(tmpdir(), 'insitu-api-'));
/** The copy goes through Node-API (engine.ts). */
const isAccelerated = (way: Way) =>
  way !== 'copied' &&
  process.env.INSITU_ACCELERATOR !== '0' &&
  existsSync(prebuilt(`insitu-v8-${process.versions.modules}.node`));

const others = available.filter((way) => way !== 'v8');
const prepared = await prepare(others.length > 0, directory);
const test = suite('the JavaScript interface');
test.after(() => rmSync(directory, { recursive: true, force: true }));

for (const [area, modules] of prepared) {
  const reference = observe({ area: area.name, way: 'v8', modules });
  // Without this, two ways that both see nothing would be the same.
  test(`${area.name}: V8 sees something in every script`, async () => {
    const seen = await reference;
    assert.equal(Object.keys(seen), Object.keys(area.scripts));
    for (const [script, sights] of Object.entries(seen)) {
      assert.ok(sights.length > 0, script);
      assert.is(sights.find(({ label }) => label === 'the script')?.text, undefined, script);
    }
  });
  for (const way of others) {
    test(`${area.name}: ${way} as V8`, async () => {
      const all = compareSeen(await reference, await observe({ area: area.name, way, modules }));
      const { unlike, needless } = unexplained(area.name, all, isAccelerated(way));
      if (unlike.length > 0) throw new Error(tell(unlike));
      assert.equal(needless, []);
    });
  }
}

// A program that runs with the namespace in the place of V8's, and none of whose modules was compiled ahead.
for (const [area, modules] of prepared) {
  test(`${area.name}: V8 behind insitu's namespace`, async () => {
    const left = modules.map((module) => ({ ...module, compiled: undefined }));
    const seen = await observe({ area: area.name, way: 'insitu', modules: left });
    const unlike = compareSeen(await observe({ area: area.name, way: 'v8', modules }), seen);
    if (unlike.length > 0) throw new Error(tell(unlike));
  });
}

test('a sight that is missing, another or too many is told', () => {
  const one = [
    { label: 'a', text: '1' },
    { label: 'b', text: '2' },
  ];
  const v8 = { one, two: [{ label: 'c', text: '3' }] };
  assert.equal(compareSeen(v8, v8), []);
  const others = [one[0], { label: 'b', text: '3' }, { label: 'd', text: '4' }].flatMap(
    (sight) => sight ?? [],
  );
  assert.equal(compareSeen(v8, { one: others, two: [] }), [
    { script: 'one', label: 'b', v8: '2', found: '3' },
    { script: 'one', label: 'd', v8: 'nothing', found: '4' },
    { script: 'two', label: 'c', v8: '3', found: 'nothing' },
  ]);
});

test('a known difference must be as it is known', () => {
  const text = { script: 'what they are', label: 'text', v8: '"a"', found: '"b"' };
  const failing = { ...text, found: 'throws TypeError "c"' };
  const other = { ...text, label: 'extensible' };
  assert.equal(unexplained('functions', [text, failing, other]).unlike, [failing, other]);
  assert.equal(unexplained('objects', [text]).unlike, [text]);
  assert.equal(
    unexplained('shape', [text]).needless.map(({ labels }) => labels),
    [['of a function']],
  );
});

test.run();
