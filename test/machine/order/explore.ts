// Runs recovery on every state that a power cut can leave: on those that recovery can tell apart.
//
// Recovery is a function of the bytes that it reads. So a state is built up as it is read: what is pending starts as if
// nothing of it had persisted; when recovery has read a unit about which nothing is decided yet, each of its values is tried
// in turn. When everything that recovery has read is decided, the result holds for all states that differ in the rest only:
// one run stands for all of them, and nothing is left out. (The idea is that of Jaaru: Gorjiara, Xu, Demsky, ASPLOS 2021.)
import type { Unit } from './persistency.ts';

/** [at, at + size) of the region, in the order in which recovery read it. */
export interface Read {
  at: number;
  size: number;
}

export interface Outcome {
  reads: readonly Read[];
  /** What is wrong with what recovery found; '' if nothing is. */
  violation: string;
}

/** Recovery on a state that is changed from run to run. */
export interface Recovery {
  write(at: number, bytes: Buffer): void;
  run(): Outcome;
}

export interface Exploration {
  /** All states are covered, up to the first violation. */
  exhaustive: boolean;
  /** Times that recovery was run. */
  runs: number;
  /** States that these runs stand for. */
  states: bigint;
  violation: string;
}

class Budget extends Error {}
class Found extends Error {}

/** Where units lie: an index of words, as ranges that are read may begin and end anywhere. */
function unitsByWord(units: readonly Unit[]): Map<number, number> {
  const byWord = new Map<number, number>();
  for (const [i, { at, values }] of units.entries())
    for (let word = at; word < at + (values[0] as Buffer).length; word += 8) byWord.set(word, i);
  return byWord;
}

class Search {
  runs = 0;
  violation = '';
  readonly #units: readonly Unit[];
  readonly #byWord: Map<number, number>;
  readonly #recovery: Recovery;
  readonly #most: number;
  readonly #decided: boolean[];
  readonly #chosen: number[];

  constructor(units: readonly Unit[], recovery: Recovery, most: number) {
    this.#units = units;
    this.#byWord = unitsByWord(units);
    this.#recovery = recovery;
    this.#most = most;
    this.#decided = units.map(() => false);
    this.#chosen = units.map(() => 0);
  }

  run(): Outcome {
    if (this.runs >= this.#most) throw new Budget();
    this.runs++;
    const outcome = this.#recovery.run();
    if (outcome.violation === '') return outcome;
    this.violation = `${outcome.violation} (${this.#state()})`;
    throw new Found();
  }

  /** Every value of each unit that is read and not decided, one after the other. */
  branch(outcome: Outcome): void {
    const i = this.#undecided(outcome);
    if (i === undefined) return;
    this.#decided[i] = true;
    this.branch(outcome); // as it is: the run there was holds for this value
    for (let value = 1; value < (this.#units[i] as Unit).values.length; value++) {
      this.choose(i, value);
      this.branch(this.run());
    }
    this.choose(i, 0);
    this.#decided[i] = false;
  }

  /** Units that recovery did not read must not matter: with other values, the result has to be the same. */
  runScrambled(): void {
    const before = this.#chosen.slice();
    const outcome = this.#recovery.run();
    const read = new Set(this.unitsIn(outcome));
    this.chooseAll((unit, i) => (read.has(unit) ? (before[i] as number) : unit.values.length - 1));
    const scrambled = this.#recovery.run();
    if (
      scrambled.violation !== outcome.violation ||
      JSON.stringify(scrambled.reads) !== JSON.stringify(outcome.reads)
    )
      throw new Error(`recovery reads more than it tells: ${scrambled.violation || outcome.violation}`);
  }

  choose(i: number, value: number): void {
    const { at, values } = this.#units[i] as Unit;
    this.#chosen[i] = value;
    this.#recovery.write(at, values[value] as Buffer);
  }

  chooseAll(value: (unit: Unit, i: number) => number): void {
    for (const [i, unit] of this.#units.entries()) {
      const wanted = value(unit, i);
      if (this.#chosen[i] !== wanted) this.choose(i, wanted);
    }
  }

  unitsIn({ reads }: Outcome): Unit[] {
    return this.#units.filter((unit) =>
      reads.some(({ at, size }) => unit.at < at + size && at < unit.at + (unit.values[0] as Buffer).length),
    );
  }

  #undecided({ reads }: Outcome): number | undefined {
    for (const { at, size } of reads) {
      // Few units and long ranges, or the other way round.
      if (size / 8 > this.#units.length) {
        const found = this.#units.findIndex(
          (unit, i) =>
            !this.#decided[i] && unit.at < at + size && at < unit.at + (unit.values[0] as Buffer).length,
        );
        if (found !== -1) return found;
        continue;
      }
      for (let word = at - (at % 8); word < at + size; word += 8) {
        const i = this.#byWord.get(word);
        if (i !== undefined && !this.#decided[i]) return i;
      }
    }
    return undefined;
  }

  #state(): string {
    const persisted = this.#chosen.filter((value) => value !== 0).length;
    const first = (is: (value: number) => boolean) => {
      const i = this.#chosen.findIndex(is);
      return i === -1 ? '' : `, the first at 0x${(this.#units[i] as Unit).at.toString(16)}`;
    };
    const missing = this.#chosen.length - persisted;
    return `${persisted} of ${this.#units.length} pending units persisted${first((v) => v !== 0)}; ${missing} did not${first((v) => v === 0)}`;
  }
}

/**
 * Whether all states are likely to take more than `most` runs: what recovery reads with everything persisted is what it
 * has to be tried with. A guess, which decides how to look and never what was found.
 */
export function seemsTooMany(units: readonly Unit[], recovery: Recovery, most: number): boolean {
  const search = new Search(units, recovery, 1);
  let combinations = 1;
  attempt(search, () => {
    search.chooseAll(({ values }) => values.length - 1);
    for (const { values } of search.unitsIn(search.run())) combinations *= values.length;
  });
  return combinations > 4 * most;
}

/** Number of states that units span. */
export const product = (units: readonly Unit[]): bigint =>
  units.reduce((n, { values }) => n * BigInt(values.length), 1n);

function attempt(search: Search, action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (error instanceof Found) return true;
    if (!(error instanceof Budget)) throw error;
    return false;
  } finally {
    search.chooseAll(() => 0);
  }
}

/**
 * All states, or as many as `most` runs allow: exhaustive is false then. Stops at the first violation.
 * On return, the state that recovery holds is the one with nothing pending persisted.
 */
export function exploreAll(units: readonly Unit[], recovery: Recovery, most: number): Exploration {
  const search = new Search(units, recovery, most);
  const exhaustive = attempt(search, () => {
    search.branch(search.run());
    if (search.violation === '') search.runScrambled();
  });
  const states = exhaustive ? product(units) : BigInt(search.runs);
  return { exhaustive, runs: search.runs, states, violation: search.violation };
}

/** A small generator of its own, so that a failure can be had again: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * States where everything but one unit has persisted, or nothing but one, evenly chosen when there are many, and random
 * ones. Never exhaustive.
 */
export function sample(units: readonly Unit[], recovery: Recovery, count: number, seed = 1): Exploration {
  const search = new Search(units, recovery, Number.POSITIVE_INFINITY);
  const random = randomFrom(seed);
  const last = ({ values }: Unit) => values.length - 1;
  const stride = Math.max(1, Math.ceil(units.length / Math.ceil(count / 3)));
  attempt(search, () => {
    search.run();
    search.chooseAll(last);
    search.run();
    for (let i = 0; i < units.length; i += stride) {
      search.chooseAll((unit, j) => (j === i ? 0 : last(unit)));
      search.run();
      search.chooseAll((unit, j) => (j === i ? last(unit) : 0));
      search.run();
    }
    for (let i = 0; i < Math.ceil(count / 3); i++) {
      const density = random();
      search.chooseAll(({ values }) => (random() < density ? Math.floor(random() * values.length) : 0));
      search.run();
    }
  });
  return { exhaustive: false, runs: search.runs, states: BigInt(search.runs), violation: search.violation };
}
