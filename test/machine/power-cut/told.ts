// What the guest has told, line by line.
import { type Held, parseHeld } from './placed.ts';
import { type Found, parse } from './scan.ts';

export interface FoundLine extends Found {
  /** A cut point, or a boot. */
  where: string;
  stream: string;
}

export interface HeldLine extends Held {
  where: string;
  place: string;
}

/** What was told before a cut. */
export interface Snapshot {
  /** Last record that was told to be synced, by stream. */
  synced: ReadonlyMap<string, number>;
  /** Last version that was told to be placed, by directory (or 'region') and name. */
  placed: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

export class Told {
  /** Last record that was stored where nothing is promised, by stream. */
  readonly stored = new Map<string, number>();
  readonly promises = new Map<string, string>();
  readonly found: FoundLine[] = [];
  readonly held: HeldLine[] = [];
  /** Lines that nobody expected. */
  readonly unexpected: string[] = [];
  readonly #synced = new Map<string, number>();
  readonly #placed = new Map<string, Map<string, number>>();
  #records = 0;
  #files = 0;
  #waiting: { until: (line: string) => boolean; resolve: () => void }[] = [];

  take(line: string): void {
    const [word = '', ...rest] = line.split(' ');
    const [first = '', second = '', third = '', fourth = ''] = rest;
    if (word === 'synced') this.#synced.set(first, Number(second));
    else if (word === 'stored') this.stored.set(first, Number(second));
    else if (word === 'placed') this.#place(first, second, Number(third));
    else if (word === 'found') this.found.push({ where: first, stream: second, ...parse(third, fourth) });
    else if (word === 'held') this.held.push({ where: first, place: second, ...parseHeld(third) });
    else if (word === 'promise') this.promises.set(first, rest.slice(1).join(' '));
    else if (!/^(ready|recovered|writing|placing|guest ended)\b/.test(line)) this.unexpected.push(line);
    if (word === 'synced') this.#records++;
    if (word === 'placed') this.#files++;
    const over = this.#waiting.filter(({ until }) => until(line));
    this.#waiting = this.#waiting.filter((waiting) => !over.includes(waiting));
    for (const { resolve } of over) resolve();
  }

  #place(place: string, name: string, version: number): void {
    const versions = this.#placed.get(place) ?? new Map<string, number>();
    this.#placed.set(place, versions.set(name, version));
  }

  /** What it is now. */
  snapshot(): Snapshot {
    const placed = [...this.#placed].map(([place, versions]) => [place, new Map(versions)] as const);
    return { synced: new Map(this.#synced), placed: new Map(placed) };
  }

  /** Until this line has come. */
  line(wanted: string): Promise<void> {
    return this.#until((line) => line === wanted);
  }

  /** Until so many more records were told to be synced, and files to be placed. */
  more(records: number, files: number): Promise<void> {
    const [enough, enoughFiles] = [this.#records + records, this.#files + files];
    return this.#until(() => this.#records >= enough && this.#files >= enoughFiles);
  }

  #until(until: (line: string) => boolean): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ until, resolve }));
  }
}
