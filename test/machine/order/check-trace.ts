// One trace against one recovery: a cut at every place, and every state that it can leave.
import { exploreAll, sample, seemsTooMany } from './explore.ts';
import { Medium, type ModelOptions } from './persistency.ts';
import { type JudgedRecovery, progressed } from './recoveries.ts';
import type { Event } from './trace.ts';

export interface CheckOptions extends ModelOptions {
  /** Runs of recovery at one cut, before the next coarser way is taken. */
  most?: number;
  /** Look for a violation in a few likely states first. */
  eager?: boolean;
  /** Look only from this event on; and no further, once the same states are possible as those here. */
  from?: number;
  until?: readonly (string | undefined)[];
}

export interface Coverage {
  /** Places where the power was cut. */
  cuts: number;
  /** Cuts covered by every subset of pending words; by every order that the model allows; by samples. */
  words: number;
  lines: number;
  sampled: number;
  /** Of the cuts that are covered exhaustively. */
  states: bigint;
  sampledStates: bigint;
  /** Times that recovery was run. */
  runs: number;
}

export interface Verdict {
  coverage: Coverage;
  /** The first, with its cut: index of the event before which the power is cut. */
  violation: { text: string; cut: number } | undefined;
}

const RUNS = 1 << 13;
const SAMPLES = 600;
const LIKELY = 12;

/** Whether the power is cut before this event: it makes something durable, or allows more. See persistency.ts. */
function isCut(medium: Medium, event: Event): boolean {
  return medium.settles(event) || (event.e === 'mark' && /^(append|commit)-/.test(event.text));
}

/** Of each event before which there is a cut, the medium's signature. */
export function signatures(
  events: readonly Event[],
  image: Buffer,
  options: ModelOptions = {},
): (string | undefined)[] {
  const medium = new Medium(image, options);
  return events.map((event) => {
    const signature = isCut(medium, event) ? medium.signature() : undefined;
    medium.apply(event);
    return signature;
  });
}

/** Stops at the first violation. */
export function checkTrace(
  events: readonly Event[],
  image: Buffer,
  recovery: JudgedRecovery,
  options: CheckOptions = {},
): Verdict {
  const { from = 0, until } = options;
  const medium = new Medium(image, options);
  const coverage: Coverage = {
    cuts: 0,
    words: 0,
    lines: 0,
    sampled: 0,
    states: 0n,
    sampledStates: 0n,
    runs: 0,
  };
  recovery.progress = { done: 0, begun: 0 };
  let fresh = false;
  for (let i = 0; i <= events.length; i++) {
    const event = events[i];
    if (i >= from && (event === undefined || isCut(medium, event))) {
      if (until !== undefined && event !== undefined && until[i] === medium.signature()) break;
      if (!fresh) recovery.reset(medium.image);
      fresh = true;
      const text = cut(medium, recovery, options, coverage);
      if (text !== '') return { coverage, violation: { text, cut: i } };
    }
    if (event === undefined) break;
    if (event.e === 'mark') progressed(recovery.progress, event.text);
    const before = fresh && medium.settles(event) ? medium.units('words') : [];
    medium.apply(event);
    for (const { at, values } of before)
      recovery.write(at, Buffer.from(medium.image.subarray(at, at + (values[0] as Buffer).length)));
  }
  return { coverage, violation: undefined };
}

/** The finest way that is exhaustive within the budget; else samples. @returns the first violation, or '' */
function cut(
  medium: Medium,
  recovery: JudgedRecovery,
  { most = RUNS, eager }: CheckOptions,
  coverage: Coverage,
): string {
  coverage.cuts++;
  if (eager) {
    const { runs, violation } = sample(medium.units('words'), recovery, LIKELY);
    coverage.runs += runs;
    if (violation !== '') return violation;
  }
  for (const kind of ['words', 'lines'] as const) {
    const units = medium.units(kind);
    if (seemsTooMany(units, recovery, most)) continue;
    const found = exploreAll(units, recovery, most);
    coverage.runs += found.runs;
    if (found.violation !== '') return found.violation;
    if (!found.exhaustive) continue;
    coverage[kind]++;
    coverage.states += found.states;
    return '';
  }
  const found = sample(medium.units('words'), recovery, SAMPLES);
  coverage.runs += found.runs;
  coverage.sampled++;
  coverage.sampledStates += found.states;
  return found.violation;
}
