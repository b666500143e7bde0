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
  /** Look only from this event on. */
  from?: number;
  /** Of the trace that this one was made from, and in which there is no violation: what is as in that is not tried again. */
  known?: readonly (Signatures | undefined)[];
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

/** Of a medium at a cut. */
export interface Signatures {
  /** The states that are possible there. */
  states: string;
  /** And there and at any later cut. */
  future: string;
}

const signaturesOf = (medium: Medium): Signatures => ({
  states: medium.signature(false),
  future: medium.signature(true),
});

/** Of each event before which there is a cut, and of the end. */
export function signatures(
  events: readonly Event[],
  image: Buffer,
  options: ModelOptions = {},
): (Signatures | undefined)[] {
  const medium = new Medium(image, options);
  const found = events.map((event) => {
    const there = isCut(medium, event) ? signaturesOf(medium) : undefined;
    medium.apply(event);
    return there;
  });
  return [...found, signaturesOf(medium)];
}

/** Stops at the first violation. */
export function checkTrace(
  events: readonly Event[],
  image: Buffer,
  recovery: JudgedRecovery,
  options: CheckOptions = {},
): Verdict {
  const { from = 0, known } = options;
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
  const state = new State(recovery);
  recovery.progress = { done: 0, begun: 0 };
  for (let i = 0; i <= events.length; i++) {
    const event = events[i];
    if (i >= from && (event === undefined || isCut(medium, event))) {
      const [here, before] = [signaturesOf(medium), known?.[i]];
      if (here.future === before?.future) break;
      if (here.states !== before?.states) {
        state.follow(medium);
        const text = cut(medium, recovery, options, coverage);
        if (text !== '') return { coverage, violation: { text, cut: i } };
      }
    }
    if (event === undefined) break;
    if (event.e === 'mark') progressed(recovery.progress, event.text);
    if (medium.settles(event)) state.note(medium);
    medium.apply(event);
  }
  return { coverage, violation: undefined };
}

/** What recovery sees when nothing pending has persisted: kept as the medium's image is, without copying all of that. */
class State {
  readonly #recovery: JudgedRecovery;
  #stale: Set<number> | undefined;

  constructor(recovery: JudgedRecovery) {
    this.#recovery = recovery;
  }

  /** What is pending is about to become part of the image. */
  note(medium: Medium): void {
    for (const { at } of medium.units('words')) this.#stale?.add(at);
  }

  follow({ image }: Medium): void {
    if (this.#stale === undefined) this.#recovery.reset(image);
    for (const at of this.#stale ?? []) this.#recovery.write(at, Buffer.from(image.subarray(at, at + 8)));
    this.#stale = new Set();
  }
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
