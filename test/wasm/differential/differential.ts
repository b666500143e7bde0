// Random modules in place against V8: the same results, traps, calls out, memories, globals and tables.
// Start it with: npm run test:wasm-differential -- [--count N] [--seed TEXT] [--only SEED] [--keep DIR] [--own] [--best]
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Tier } from '../../../loader/compile/toolchain.ts';
import { proposalFlags } from '../../spec/flags.ts';
import { type Batch, type Judgement, Laboratory } from './batch.ts';
import { OWN } from './generate.ts';
import { shrink } from './shrink.ts';

const BATCH = 64;
/** Every eighth batch is compiled as what is installed for good. */
const BEST_EVERY = 8;
/** Every third module is of our own generator. */
const OWN_EVERY = 3;
const MOST_SHRUNK = 5;

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    /** The seed of one module, as a failure names it. */
    only: { type: 'string' },
    /** Where modules that fail are kept. */
    keep: { type: 'string', default: join(tmpdir(), 'insitu-differential') },
    /** All by our own generator. */
    own: { type: 'boolean', default: false },
    /** All at the best tier. */
    best: { type: 'boolean', default: false },
  },
});

function seeds(): string[] {
  if (options.only !== undefined) return [options.only];
  const owns = (index: number) => options.own || index % OWN_EVERY === OWN_EVERY - 1;
  return Array.from({ length: Number(options.count) }, (_, index) =>
    owns(index) ? `${options.seed}${OWN}${index}` : `${options.seed}/${index}`,
  );
}

const tierOf = (batch: number): Tier =>
  options.best || batch % BEST_EVERY === BEST_EVERY - 1 ? 'best' : 'quick';

class Tally {
  readonly #counts = new Map<string, number>();
  readonly #reasons = new Map<string, number>();
  lines = 0;
  passed = 0;
  failed = 0;

  count({ kind, ...rest }: Judgement): void {
    add(this.#counts, kind);
    if ('reason' in rest && kind === 'not run') add(this.#reasons, rest.reason);
    if ('lines' in rest) this.lines += rest.lines;
    if (kind === 'failed') this.failed++;
    else if (kind !== 'not run') this.passed++;
  }

  print(seconds: number): void {
    for (const [reason, count] of this.#reasons) console.log(`not run ${count}: ${reason}`);
    const count = (kind: string) => this.#counts.get(kind) ?? 0;
    console.log(
      `${this.lines} lines compared, ${count('exhausted')} ran out of stack in both, ${count('nan')} have other bits of NaN, ${seconds} s`,
    );
    console.log(`${this.passed} passed, ${this.failed} failed, ${count('not run')} skipped`);
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

async function report(
  laboratory: Laboratory,
  seed: string,
  judgement: Judgement & { kind: 'failed' },
  tier: Tier,
  small: boolean,
): Promise<void> {
  mkdirSync(options.keep, { recursive: true });
  const path = join(options.keep, `${seed.replaceAll('/', '-')}-${tier}.wasm`);
  let bytes: Uint8Array = readFileSync(judgement.source);
  const fails = async (candidate: Uint8Array) =>
    (await laboratory.judgeBytes(candidate, seed, tier)).kind === 'failed';
  if (small && (await fails(bytes))) bytes = await shrink(bytes, fails);
  writeFileSync(path, bytes);
  console.log(`FAIL ${seed} at ${tier}, kept as ${path}\n${judgement.reason.replace(/^/gm, '    ')}`);
}

async function settle(laboratory: Laboratory, batch: Batch, tier: Tier, tally: Tally): Promise<void> {
  for (const [index, judgement] of (await laboratory.judge(batch, tier)).entries()) {
    const { seed } = batch.orders[index] as { seed: string };
    if (judgement.kind !== 'failed') tally.count(judgement);
    else if (await laboratory.isOnlyNaN(seed, tier)) tally.count({ kind: 'nan' });
    else {
      tally.count(judgement);
      await report(laboratory, seed, judgement, tier, tally.failed <= MOST_SHRUNK);
    }
  }
}

async function main(directory: string): Promise<number> {
  const began = Date.now();
  const laboratory = new Laboratory(directory, proposalFlags());
  const tally = new Tally();
  const all = seeds();
  const pieces = Array.from({ length: Math.ceil(all.length / BATCH) }, (_, at) =>
    all.slice(at * BATCH, (at + 1) * BATCH),
  );
  try {
    // While one batch is compiled and run, the next is made.
    let next = laboratory.make(pieces[0] ?? [], 'batch-0');
    for (const at of pieces.keys()) {
      const batch = await next;
      const following = pieces[at + 1];
      if (following) next = laboratory.make(following, `batch-${at + 1}`);
      await settle(laboratory, batch, tierOf(at), tally);
      rmSync(batch.directory, { recursive: true, force: true });
    }
  } finally {
    laboratory.close();
  }
  tally.print(Math.round((Date.now() - began) / 1000));
  return tally.failed === 0 && tally.passed > 0 ? 0 : 1;
}

const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'insitu-differential-'));
const clear = () => rmSync(directory, { recursive: true, force: true });
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
] as const)
  process.once(signal, () => {
    clear();
    process.exit(128 + number);
  });
try {
  process.exitCode = await main(directory);
} finally {
  clear();
}
