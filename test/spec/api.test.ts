// The JavaScript interface: what scripts see on each way must be what they see on V8, to the word.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compareSeen, observe, prepare, type Unlike } from './api/compare.ts';
import { available } from './engine.ts';

const directory = mkdtempSync(join(tmpdir(), 'insitu-api-'));
const others = available.filter((way) => way !== 'v8');
const prepared = await prepare(others.length > 0, directory);
const test = suite('the JavaScript interface');
test.after(() => rmSync(directory, { recursive: true, force: true }));

const words = ({ script, v8, found }: Unlike): string => `${script}\n  V8:    ${v8}\n  found: ${found}`;

for (const [area, modules] of prepared) {
  const reference = observe({ area: area.name, way: 'v8', modules });
  // Without this, two ways that both see nothing would be the same.
  test(`${area.name}: V8 sees something in every script`, async () => {
    const seen = await reference;
    assert.equal(Object.keys(seen), Object.keys(area.scripts));
    for (const [script, lines] of Object.entries(seen)) {
      assert.ok(lines.length > 0, script);
      assert.not.ok(lines.at(-1)?.startsWith('the script: throws'), `${script}: ${lines.at(-1)}`);
    }
  });
  for (const way of others) {
    test(`${area.name}: ${way} as V8`, async () => {
      const unlike = compareSeen(await reference, await observe({ area: area.name, way, modules }));
      assert.is(unlike.map(words).join('\n'), '');
    });
  }
}

test('a line that is missing, another or too many is told', () => {
  const v8 = { one: ['a: 1', 'b: 2'], two: ['c: 3'] };
  assert.equal(compareSeen(v8, v8), []);
  assert.equal(compareSeen(v8, { one: ['a: 1', 'b: 3', 'd: 4'], two: [] }), [
    { script: 'one', v8: 'b: 2', found: 'b: 3' },
    { script: 'one', v8: 'nothing', found: 'd: 4' },
    { script: 'two', v8: 'c: 3', found: 'nothing' },
  ]);
});

test.run();
