// What a power cut can leave of a region, by the persistency model of x86 (Px86: Raad, Wickerson, Neiger, Vafeiadis,
// "Persistency Semantics of the Intel-x86 Architecture", POPL 2020), for one thread.
//
// - A store reaches the caches, and from there the medium whenever it pleases. Stores to one cache line get there in program
//   order: of those that are pending, any number of the first ones. Lines do not wait for one another.
// - Eight aligned bytes get there whole. What is wider or lies across is several stores.
// - A write-back (clwb, clflushopt) of a line covers the stores to it that came before. Alone it promises nothing. With a
//   fence after it, what it covers is on the medium before the fence is passed. (Px86 only orders it before later persists;
//   that it is there when the program goes on is what a caller of sync is told, and what ADR platforms keep.)
// - clflush is ordered with stores on some processors without a fence. Here it counts as clwb: that allows more, never less.
// - A nontemporal store needs no write-back, but a fence. It is ordered with nothing, not even within its line.
// - Locked instructions are fences too. Whether they count is an option: that something in a mutex happens to be one is no
//   reason for data to be durable, so they do not, unless asked.
// - msync and fsync: the range is durable when they have returned. What the kernel stores is ordered with nothing before that.
//
// Where to cut: between two fences more stores get pending and none stop being so, and a store that is pending may be on the
// medium or not. So every state that a cut can leave at any point since the last fence is also one that a cut just before
// the next fence can leave: looking there, and at the end, is looking everywhere. And as a cut at the later point leaves that
// state too, it has to meet all that was promised until then.
import type { Event, StoreEvent } from './trace.ts';

export const LINE = 64;
const WORD = 8;

/** A store to (a part of) one aligned word. */
interface Piece {
  /** Bytes of the region. */
  at: number;
  bytes: Buffer;
  /** Persists in program order with the rest of its line. */
  ordered: boolean;
  /** A write-back, or its own nature, covers it: the next fence makes it durable. */
  covered: boolean;
}

/** Bytes of the region that persist together: any one of `values`, of which the first is what is there at the least. */
export interface Unit {
  at: number;
  values: readonly Buffer[];
}

/**
 * How finely stores may be separated. 'lines': as the model says. 'words': any subset of the aligned words that were stored
 * to, in whatever order; each state of 'lines' is one of these too, and so is any order within a wide store.
 */
export type Granularity = 'lines' | 'words';

export interface ModelOptions {
  lockedFences?: boolean;
}

const wordOf = (at: number) => at - (at % WORD);
const lineOf = (at: number) => at - (at % LINE);

export class Medium {
  /** What is durable for certain. */
  readonly image: Buffer;
  readonly #options: ModelOptions;
  readonly #pending = new Map<number, Piece[]>();

  constructor(image: Buffer, options: ModelOptions = {}) {
    this.image = Buffer.from(image);
    this.#options = options;
  }

  apply(event: Event): void {
    if (event.e === 'store') this.#store(event);
    if (event.e === 'write-back')
      for (const piece of this.#pending.get(lineOf(event.at)) ?? []) piece.covered = true;
    if (event.e === 'fence' && this.settles(event)) this.#settle((piece) => piece.covered);
    if (event.e === 'durable')
      this.#settle(({ at, bytes }) => at >= event.at && at + bytes.length <= event.at + event.size);
  }

  /** Whether an event makes something durable that was not; a cut has to be looked at before it. */
  settles(event: Event): boolean {
    if (event.e === 'durable') return true;
    return event.e === 'fence' && (event.by !== 'locked' || this.#options.lockedFences === true);
  }

  /** Equal for two media of the same stores that allow the same states; with `covered`, also after any events to come. */
  signature(covered: boolean): string {
    const text = (piece: Piece) =>
      `${piece.at}=${piece.bytes.toString('hex')}${covered && piece.covered ? '+' : ''}`;
    return [...this.#pending]
      .sort(([a], [b]) => a - b)
      .map(([, pieces]) => pieces.map(text).join())
      .join();
  }

  /** Whether a write-back of this line would cover anything. */
  hasUncovered(at: number): boolean {
    return (this.#pending.get(lineOf(at)) ?? []).some(({ covered }) => !covered);
  }

  /** Whether a fence now would make anything durable. */
  hasCovered(): boolean {
    return [...this.#pending.values()].some((pieces) => pieces.some(({ covered }) => covered));
  }

  units(granularity: Granularity): Unit[] {
    return [...this.#pending].flatMap(([line, pieces]) =>
      granularity === 'lines' && pieces.every(({ ordered }) => ordered)
        ? [this.#unit(line, LINE, pieces)]
        : this.#words(pieces),
    );
  }

  #store({ at, bytes, kind }: StoreEvent): void {
    for (let from = at; from < at + bytes.length; ) {
      const end = Math.min(wordOf(from) + WORD, at + bytes.length);
      const line = lineOf(from);
      const pieces = this.#pending.get(line) ?? [];
      pieces.push({
        at: from,
        bytes: bytes.subarray(from - at, end - at),
        ordered: kind === 'store',
        covered: kind === 'nontemporal',
      });
      this.#pending.set(line, pieces);
      from = end;
    }
  }

  /** Makes pieces durable, and with each one those before it of the same word: a later one can't be there without them. */
  #settle(isDurable: (piece: Piece) => boolean): void {
    for (const [line, pieces] of this.#pending) {
      const last = new Map<number, number>();
      for (const [i, piece] of pieces.entries()) if (isDurable(piece)) last.set(wordOf(piece.at), i);
      if (last.size === 0) continue;
      const rest = pieces.filter((piece, i) => {
        const stays = i > (last.get(wordOf(piece.at)) ?? -1);
        if (!stays) piece.bytes.copy(this.image, piece.at);
        return stays;
      });
      if (rest.length > 0) this.#pending.set(line, rest);
      else this.#pending.delete(line);
    }
  }

  #words(pieces: readonly Piece[]): Unit[] {
    const words = new Map<number, Piece[]>();
    for (const piece of pieces) {
      const word = words.get(wordOf(piece.at)) ?? [];
      word.push(piece);
      words.set(wordOf(piece.at), word);
    }
    return [...words].map(([word, own]) => this.#unit(word, WORD, own));
  }

  /** The contents after none, one, two … of the pieces, each once. */
  #unit(at: number, size: number, pieces: readonly Piece[]): Unit {
    let content: Buffer = Buffer.from(this.image.subarray(at, at + size));
    const values = [content];
    for (const piece of pieces) {
      content = Buffer.from(content);
      piece.bytes.copy(content, piece.at - at);
      if (!values.some((value) => value.equals(content))) values.push(content);
    }
    return { at, values };
  }
}
