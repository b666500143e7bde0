// Mutated modules: valid for validate.ts exactly where they are for V8.
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decode } from '../../loader/compile/decode.ts';
import { ModuleError, UnsupportedFeature } from '../../loader/compile/module.ts';
import { validate } from '../../loader/compile/validate.ts';
import { validModules } from './validate-modules.ts';
import { complete, refusedByV8, saysNothing } from './validate-v8.ts';

const MUTATIONS = 15_000;
const test = suite('mutated');
/** Opcodes, types and flags: a byte of these more often leaves a module readable than any other. */
const telling = Buffer.from(
  '0001020304050607080b0c0d0e0f1011121318191a1b1c1f2021232425263f40414243447f7e7d7c7b706f69636480fffcfdfed0d1d2',
  'hex',
);

const real = new URL(
  '../../node_modules/@bytecodealliance/jco/lib/wasi_snapshot_preview1.command.wasm',
  import.meta.url,
);
const seeds = [...(await validModules()).map(([, bytes]) => bytes), readFileSync(real)];

let state = 20;
/** A number below `bound`, the same in every run. */
function random(bound: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * bound);
}

function pick(bytes: Uint8Array): number {
  return bytes[random(bytes.length)] as number;
}

/** Changes up to three bytes after the preamble. */
function mutated(seed: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(seed);
  for (let count = 1 + random(3); count > 0; count--) {
    bytes[8 + random(bytes.length - 8)] =
      [() => random(256), () => pick(telling), () => pick(seed)][random(3)]?.() ?? 0;
  }
  return bytes;
}

type Verdict = 'valid' | 'invalid' | 'not compiled';

function verdict(bytes: Uint8Array): { verdict: Verdict; text: string } {
  try {
    validate(decode(bytes));
    return { verdict: 'valid', text: '' };
  } catch (error) {
    if (error instanceof UnsupportedFeature) return { verdict: 'not compiled', text: error.message };
    assert.instance(error, ModuleError, String((error as Error).stack));
    return { verdict: 'invalid', text: (error as Error).message };
  }
}

test(`${MUTATIONS} mutations of ${seeds.length} modules`, () => {
  const counts: Record<Verdict, number> = { valid: 0, invalid: 0, 'not compiled': 0 };
  for (let i = 0; i < MUTATIONS; i++) {
    const bytes = mutated(seeds[random(seeds.length)] as Uint8Array);
    const found = verdict(bytes);
    counts[found.verdict]++;
    if (found.verdict === 'not compiled') continue;
    const words = refusedByV8(bytes);
    if (words !== undefined && saysNothing(words)) continue;
    // Older ones took atomic accesses of any alignment.
    if (!complete && found.text.startsWith('atomic alignment')) continue;
    const difference = `${found.verdict} ${found.text}, V8: ${words}: ${Buffer.from(bytes).toString('hex')}`;
    assert.is(found.verdict === 'valid', words === undefined, difference);
  }
  // Enough of both, or the comparison says little.
  assert.ok(counts.valid > MUTATIONS / 10 && counts.invalid > MUTATIONS / 10, JSON.stringify(counts));
});

test.run();
