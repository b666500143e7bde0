// Verdicts of one stream, or of one place that files are placed in, added up over all its power cuts.
import type { Check } from '../checks.ts';
import { complaints, type Held, PLANTED } from './placed.ts';
import type { Found } from './scan.ts';
import type { Stream } from './streams.ts';
import { judge } from './verdict.ts';

const some = (lines: readonly string[]) =>
  lines
    .slice(0, 10)
    .map((line) => `\n    ${line}`)
    .join('');

export class StreamTally {
  readonly stream: Stream;
  #cuts = 0;
  #required = 0;
  #lost = 0;
  #forged = 0;
  #stored = 0;
  #survived = 0;
  readonly #losses: string[] = [];

  constructor(stream: Stream) {
    this.stream = stream;
  }

  add(where: string, found: Found, told: number): void {
    const { lost, forged, required, notPromised } = judge(this.stream, found, told);
    this.#cuts++;
    this.#required += required;
    this.#lost += lost.length;
    this.#forged += forged;
    this.#stored += notPromised.stored;
    this.#survived += notPromised.survived;
    if (lost.length > 0)
      this.#losses.push(`${where}: told ${told}, lost ${lost.slice(0, 5)}${lost.length > 5 ? ' …' : ''}`);
  }

  get checked(): number {
    return this.#required;
  }

  /** @param cuts how many there have to have been */
  result(cuts: number): Check {
    const { name, lie } = this.stream;
    const counts = `${this.#required} synced records, ${this.#lost} lost, ${this.#forged} torn and taken for whole`;
    if (lie !== undefined)
      return { name: `${name} is seen`, ok: this.#lost > 0 && this.#forged === 0, detail: counts };
    const detail = `${counts}; not promised: ${this.#survived} of ${this.#stored} survived`;
    const ok = this.#lost === 0 && this.#forged === 0 && this.#required > 0 && this.#cuts === cuts;
    return { name: `${name}: no synced record lost, none torn`, ok, detail: detail + some(this.#losses) };
  }
}

export class PlaceTally {
  readonly place: string;
  #cuts = 0;
  #files = 0;
  /** Cuts in the middle of something that had left its trace on the medium. */
  #midway = 0;
  readonly #wrong: string[] = [];

  constructor(place: string) {
    this.place = place;
  }

  /** @param further what else is wrong there */
  add(where: string, held: Held, told: ReadonlyMap<string, number>, further: readonly string[] = []): void {
    this.#cuts++;
    this.#files += told.size;
    const newer = [...held.versions].some(([name, version]) => version !== told.get(name));
    if (newer || held.begun) this.#midway++;
    for (const line of [...complaints(held, told), ...further]) this.#wrong.push(`${where}: ${line}`);
  }

  get checked(): number {
    return this.#files;
  }

  result(cuts: number): Check {
    const detail = `${this.#files} placed files, ${this.#wrong.length} complaints; ${this.#midway} cuts on the way`;
    if (this.place === PLANTED)
      return { name: 'planted: placed without fsync(2) is seen', ok: this.#wrong.length > 0, detail };
    const ok = this.#wrong.length === 0 && this.#files > 0 && this.#cuts === cuts;
    return { name: `place in ${this.place}: old or new, whole`, ok, detail: detail + some(this.#wrong) };
  }
}
