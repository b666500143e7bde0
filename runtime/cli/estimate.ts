// How much is done and how long the rest takes, on a terminal.
import { progress } from './text.ts';

const EVERY_MS = 200;
const SURE_AFTER = 0.03; // of the whole: before that nothing is known of the rest

/** Told of sizes in any unit; draws one line, now and then. */
export class Estimate {
  readonly #total: number;
  readonly #parts = new Map<string, number>();
  readonly #began = Date.now();
  #drawn = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** `done` of what is called so. */
  update(name: string, done: number): void {
    this.#parts.set(name, done);
    if (Date.now() - this.#drawn < EVERY_MS) return;
    this.#drawn = Date.now();
    progress(this.line(name, this.#drawn - this.#began));
  }

  finish(name: string, size: number): void {
    this.update(name, size);
  }

  line(name: string, elapsedMs: number): string {
    const done = [...this.#parts.values()].reduce((sum, part) => sum + part, 0);
    const share = Math.min(1, done / Math.max(1, this.#total));
    const left = share > SURE_AFTER ? `, ${duration((elapsedMs * (1 - share)) / share)} left` : '';
    return `${name}: ${Math.floor(100 * share)} %${left}`;
  }
}

/** 75000 -> '1:15'. */
function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
