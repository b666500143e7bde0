// What a start costs in the guest, as ratios only: the processor is emulated, and its times mean nothing by themselves.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'uvu';
import type { Comparison } from '../../../runtime/compare/index.ts';
import { insituToEnd, payload } from './children.ts';

test('in place against a copy-load and dlopen, emulated', async () => {
  const placed = await insituToEnd('place', join(payload, 'text64.so'), '/mnt/xfs');
  assert.equal(placed.code, 0, placed.stderr);
  const { code, stdout, stderr } = await insituToEnd(
    ...['compare', '--json', '--runs', '2', '/mnt/xfs/text64.so', '--call', 'int answer(void)'],
  );
  assert.equal(code, 0, stderr);
  const { ratios, ways } = JSON.parse(stdout) as Pick<Comparison, 'ratios' | 'ways'>;
  assert.ok(ratios.length > 0);
  const text = (name: string) => ways.find((way) => way.name === name)?.evidence?.text;
  assert.deepEqual([text('in-place')?.ram, text('copy-load')?.nvm], [0, 0]);
  assert.ok((text('in-place')?.nvm ?? 0) > 0 && text('copy-load')?.ram === 16384);
  console.log('EMULATED processor, 64 MiB of text on xfs with DAX, 2 samples a way; ratios of medians:');
  for (const { name, value } of ratios) console.log(`  ${name}: ${value.toPrecision(2)}`);
});

test.run();
