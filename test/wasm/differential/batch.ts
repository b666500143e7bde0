// A batch of seeds: modules made, compiled together, run on both, judged.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileMany } from '../../../loader/compile/many.ts';
import { UnsupportedFeature } from '../../../loader/compile/module.ts';
import type { Tier } from '../../../loader/compile/toolchain.ts';
import type { Case, Verdict } from './compare-child.ts';
import { Crew, type Lost } from './crew.ts';
import { OWN } from './generate.ts';
import type { Made, Order } from './generate-child.ts';

export type Judgement =
  | { kind: 'same'; lines: number }
  | { kind: 'exhausted' }
  /** Only bits of NaN are other, which are anybody's choice (core specification 4.3.3). */
  | { kind: 'nan' }
  | { kind: 'not run'; reason: string }
  | { kind: 'failed'; reason: string; source: string };

const SECONDS_TO_MAKE = 20;
const SECONDS_TO_RUN = 30;

export class Laboratory {
  readonly #directory: string;
  readonly #makers: Crew<Order, Made>;
  /** For modules made while a batch is. */
  readonly #secondMakers: Crew<Order, Made>;
  readonly #runners: Crew<Case, Verdict>;

  constructor(directory: string, flags: readonly string[]) {
    this.#directory = directory;
    this.#makers = new Crew('./generate-child.ts', flags, SECONDS_TO_MAKE);
    this.#secondMakers = new Crew('./generate-child.ts', flags, SECONDS_TO_MAKE);
    this.#runners = new Crew('./compare-child.ts', flags, SECONDS_TO_RUN);
  }

  close(): void {
    this.#makers.close();
    this.#secondMakers.close();
    this.#runners.close();
  }

  /** One module for each seed, in a directory of the batch: the caller removes it. */
  async make(seeds: readonly string[], name: string): Promise<Batch> {
    return this.#make(this.#makers, seeds, name, false);
  }

  async #make(
    makers: Crew<Order, Made>,
    seeds: readonly string[],
    name: string,
    denan: boolean,
  ): Promise<Batch> {
    const directory = join(this.#directory, name);
    mkdirSync(directory);
    const orders = seeds.map(
      (seed, index): Order => ({ seed, source: join(directory, `${index}.wasm`), denan }),
    );
    const made = await makers.ask(orders);
    return { directory, orders, made };
  }

  /** Of each in order. */
  async judge(batch: Batch, tier: Tier): Promise<Judgement[]> {
    const judgements = batch.made.map((made): Judgement | undefined =>
      'ok' in made
        ? undefined
        : { kind: 'not run', reason: 'lost' in made ? `wasm-opt ${made.lost}` : made.refused },
    );
    const cases = await this.#compile(batch, tier, judgements);
    const verdicts = await this.#runners.ask(cases.map(({ item }) => item));
    for (const [index, { at, item }] of cases.entries())
      judgements[at] = judgementOf(verdicts[index] ?? { lost: 'no answer' }, item.source);
    return judgements.map((judgement) => judgement ?? { kind: 'not run', reason: 'no answer' });
  }

  /** Those that can be run; of the others it sets why they can't. */
  async #compile(
    { directory, orders }: Batch,
    tier: Tier,
    judgements: (Judgement | undefined)[],
  ): Promise<{ at: number; item: Case }[]> {
    const wanted = orders
      .map((order, at) => ({ ...order, at }))
      .filter(({ at }) => judgements[at] === undefined);
    const items = wanted.map(({ source }) => ({
      bytes: readFileSync(source),
      output: source.replace(/\.wasm$/, `-${tier}.so`),
    }));
    const failures = await compileMany(items, { directory, tier, cpu: 'baseline' });
    return wanted.flatMap(({ at, seed, source }, index) => {
      const failure = failures[index];
      const image = items[index]?.output;
      if (failure === undefined && image !== undefined) return [{ at, item: { seed, source, image } }];
      judgements[at] =
        failure instanceof UnsupportedFeature
          ? { kind: 'not run', reason: `not compiled: ${failure.feature}` }
          : { kind: 'failed', reason: String(failure), source };
      return [];
    });
  }

  /** Judges one module that differs once more, from its seed without NaN: what remains the same then is no fault. */
  async isOnlyNaN(seed: string, tier: Tier): Promise<boolean> {
    if (seed.includes(OWN)) return false;
    const batch = await this.#make(this.#secondMakers, [seed], 'denan', true);
    try {
      const [judgement] = await this.judge(batch, tier);
      return judgement?.kind === 'same' || judgement?.kind === 'exhausted';
    } finally {
      rmSync(batch.directory, { recursive: true, force: true });
    }
  }

  /** As judge, of one module that is at hand. */
  async judgeBytes(bytes: Uint8Array, seed: string, tier: Tier): Promise<Judgement> {
    const directory = join(this.#directory, 'one');
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    const source = join(directory, '0.wasm');
    writeFileSync(source, bytes);
    const batch: Batch = { directory, orders: [{ seed, source, denan: false }], made: [{ ok: true }] };
    const [judgement] = await this.judge(batch, tier);
    return judgement ?? { kind: 'not run', reason: 'no answer' };
  }
}

export interface Batch {
  directory: string;
  orders: Order[];
  made: (Made | Lost)[];
}

function judgementOf(verdict: Verdict | Lost, source: string): Judgement {
  if ('same' in verdict) return { kind: 'same', lines: verdict.calls };
  if ('exhausted' in verdict) return { kind: 'exhausted' };
  return { kind: 'failed', reason: 'lost' in verdict ? verdict.lost : verdict.different, source };
}
