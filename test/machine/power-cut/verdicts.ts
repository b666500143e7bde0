// What is judged at the cuts of one kind: every stream, every directory and the region, by what was told before each cut.
import type { Check } from '../checks.ts';
import { type Held, PLANTED, placings } from './placed.ts';
import { differ, heldInRegion } from './region.ts';
import type { Found } from './scan.ts';
import { type Stream, streams } from './streams.ts';
import { PlaceTally, StreamTally } from './tally.ts';
import type { Snapshot, Told } from './told.ts';

const nothing: ReadonlyMap<string, number> = new Map();

export class Verdicts {
  readonly kind: string;
  readonly #streams: ReadonlyMap<string, StreamTally>;
  readonly #places: ReadonlyMap<string, PlaceTally>;

  /** @param lies whether what is planted has to be seen at these cuts, or is left out */
  constructor(kind: string, lies: boolean) {
    this.kind = kind;
    const judged = streams.filter(({ medium, lie }) => medium !== 'tmpfs' && (lies || lie === undefined));
    const places = [...placings, 'region'].filter((place) => lies || place !== PLANTED);
    this.#streams = new Map(judged.map((stream) => [stream.name, new StreamTally(stream)]));
    this.#places = new Map(places.map((place) => [place, new PlaceTally(place)]));
  }

  stream(where: string, { name }: Stream, found: Found, told: Snapshot): void {
    this.#streams.get(name)?.add(where, found, told.synced.get(name) ?? -1);
  }

  /** @param path of a copy of the region */
  region(where: string, path: string, told: Snapshot): void {
    const add = (held: Held, further: string[]) =>
      this.#places.get('region')?.add(where, held, told.placed.get('region') ?? nothing, further);
    try {
      const held = heldInRegion(path);
      add(held, differ(held));
    } catch (error) {
      add({ versions: new Map(), temporaries: 0, begun: false }, [(error as Error).message]);
    }
  }

  /** What the guest has found there. */
  guest(where: string, { found, held }: Told, told: Snapshot): void {
    for (const line of found)
      if (line.where === where)
        this.#streams.get(line.stream)?.add(where, line, told.synced.get(line.stream) ?? -1);
    for (const line of held)
      if (line.where === where)
        this.#places.get(line.place)?.add(where, line, told.placed.get(line.place) ?? nothing);
  }

  get checked(): { records: number; files: number } {
    const sum = (tallies: Iterable<{ checked: number }>) =>
      [...tallies].reduce((total, { checked }) => total + checked, 0);
    return { records: sum(this.#streams.values()), files: sum(this.#places.values()) };
  }

  /** @param cuts how many there have to have been, of each */
  results(cuts: number): Check[] {
    return [...this.#streams.values(), ...this.#places.values()].map((tally) => {
      const { name, ...rest } = tally.result(cuts);
      return { name: `${this.kind}, ${name}`, ...rest };
    });
  }
}
