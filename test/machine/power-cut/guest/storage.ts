// A stream's storage as the writer has it: through insitu's NVM interface and nothing else, but for the names of files.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as nvm from '../../../../loader/nvm.ts';
import type { Read } from '../scan.ts';
import { extentOf, fileOf, geometryOf, offsetOf, passOf, type Stream, slotOf } from '../streams.ts';

const RW = nvm.PROT_READ | nvm.PROT_WRITE;

const wholePages = (length: number) => Math.ceil(length / 4096) * 4096;

const loadingFrom =
  (address: bigint, size: number): Read =>
  (offset, length) =>
    nvm.load(address + BigInt(Math.min(offset, size)), Math.max(0, Math.min(length, size - offset)));

/** The part that is being written: the ring, or the file of one pass. */
interface Open {
  pass: number;
  region: nvm.Region;
  address: bigint;
}

export class Storage {
  readonly stream: Stream;
  /** A directory, or a device-dax node. */
  readonly at: string;
  #open: Open | undefined;

  constructor(stream: Stream, at: string) {
    this.stream = stream;
    this.at = at;
    if (!at.startsWith('/dev/dax')) mkdirSync(at, { recursive: true });
  }

  /** What is there now, through mappings of it. */
  *parts(): Iterable<[pass: number, read: Read]> {
    if (this.stream.kind === 'ring') {
      yield [-1, loadingFrom(this.#part(0).address, extentOf(this.stream))];
      return;
    }
    for (const pass of this.passes()) {
      using region = nvm.open(join(this.at, fileOf(this.stream, pass)));
      const { size } = region.backing;
      if (size === 0) continue;
      const address = nvm.map(region, 0, wholePages(size), nvm.PROT_READ);
      yield [pass, loadingFrom(address, size)];
      nvm.unmap(address);
    }
  }

  passes(): number[] {
    const prefix = fileOf(this.stream, 0).slice(0, -1);
    return readdirSync(this.at)
      .filter((name) => name.startsWith(prefix))
      .map((name) => Number(name.slice(prefix.length)))
      .sort((a, b) => a - b);
  }

  /** What the interface promises of a sync of this record. */
  promise(seq: number): nvm.Promised {
    return nvm.promise(this.#part(passOf(this.stream, seq)).region);
  }

  store(seq: number, bytes: Buffer): void {
    const { region, address } = this.#part(passOf(this.stream, seq));
    const offset = offsetOf(this.stream, slotOf(this.stream, seq));
    if (this.stream.kind === 'growing') nvm.truncate(region, offset + geometryOf(this.stream).stride);
    nvm.store(address + BigInt(offset), bytes);
  }

  /** @returns 0 or -errno */
  sync(seq: number, length: number): number {
    const { region, address } = this.#part(passOf(this.stream, seq));
    return nvm.sync(region, address + BigInt(offsetOf(this.stream, slotOf(this.stream, seq))), length);
  }

  /** Removes the files before the last but one; a record of the last one is synced. */
  prune(seq: number): void {
    if (this.stream.kind === 'ring' || slotOf(this.stream, seq) > 4) return;
    const last = passOf(this.stream, seq);
    for (const pass of this.passes()) if (pass < last - 1) rmSync(join(this.at, fileOf(this.stream, pass)));
  }

  #part(wanted: number): Open {
    const pass = this.stream.kind === 'ring' ? 0 : wanted;
    if (this.#open?.pass === pass) return this.#open;
    if (this.#open) {
      nvm.unmap(this.#open.address);
      this.#open.region.close();
    }
    const region = this.at.startsWith('/dev/dax') ? nvm.open(this.at, { write: true }) : this.#file(pass);
    const length = wholePages(extentOf(this.stream));
    // A ring is mapped for reading at first: that sync keeps its promise does not hang on how a mapping began.
    const address = nvm.map(region, 0, length, this.stream.kind === 'ring' ? nvm.PROT_READ : RW);
    if (this.stream.kind === 'ring') nvm.protect(address, length, RW);
    this.#open = { pass, region, address };
    return this.#open;
  }

  #file(pass: number): nvm.Region {
    const region = nvm.open(join(this.at, fileOf(this.stream, pass)), { write: true, create: true });
    if (this.stream.kind !== 'growing') nvm.truncate(region, extentOf(this.stream));
    return region;
  }
}
