// Runs in the guest: goes on with every stream from what it finds, and tells of each record once its sync has returned.
// usage: writer.js WHERE NAME=DIRECTORY|DEVICE…   WHERE is said with what was found, before anything is written.
import { writeSync } from 'node:fs';
import process from 'node:process';
import { encode } from '../record.ts';
import { format, scan } from '../scan.ts';
import { geometryOf, isSynced, type Stream, streams } from '../streams.ts';
import { Storage } from './storage.ts';

/** The line has left the guest when this returns: the port's driver waits for the machine to take it. */
const tell = (line: string) => writeSync(1, `${line}\n`);

class Writer {
  readonly #stream: Stream;
  readonly #storage: Storage;
  readonly #keeps: boolean;
  #next: number;

  constructor(stream: Stream, at: string, where: string) {
    this.#stream = stream;
    this.#storage = new Storage(stream, at);
    const found = scan(stream, this.#storage.parts());
    tell(`found ${where} ${stream.name} ${format(found)}`);
    this.#next = 1 + (found.whole.findLast(isSynced) ?? -1);
    const { survives, reason } = this.#storage.promise(this.#next);
    tell(`promise ${stream.name} ${survives} ${reason}`);
    this.#keeps = survives === 'power-cut';
  }

  write(): void {
    const { name, id, lie } = this.#stream;
    const seq = this.#next++;
    const bytes = encode(id, seq, geometryOf(this.#stream).room);
    // Told with all that the other streams do before the record itself is stored.
    if (lie === 'early' && isSynced(seq + 1)) tell(`synced ${name} ${seq + 1}`);
    this.#storage.store(seq, bytes);
    if (!isSynced(seq)) return;
    const error = lie === 'unsynced' ? 0 : this.#storage.sync(seq, bytes.length);
    if (error !== 0) tell(`failed ${name} ${seq} errno ${-error}`);
    else if (lie !== 'early') tell(`${this.#keeps ? 'synced' : 'stored'} ${name} ${seq}`);
    this.#storage.prune(seq);
  }
}

const [where = '', ...given] = process.argv.slice(2);
const places = new Map(given.map((place) => place.split('=') as [string, string]));
const writers = streams.flatMap((stream) => {
  const at = places.get(stream.medium);
  return at === undefined ? [] : [{ stream, writer: new Writer(stream, at, where) }];
});
tell(`writing ${where}`);
if (process.env.ONLY_LOOK) process.exit();
for (;;)
  for (let turn = 0; turn < 8; turn++)
    for (const { stream, writer } of writers) if (turn % (8 / stream.weight) === 0) writer.write();
