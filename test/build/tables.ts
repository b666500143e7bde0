// What linkers compute for the symbol tables of ELF: hashes and string offsets.

/** gABI chapter 5, "Hash Table". */
export function sysvHash(name: string): number {
  let h = 0n;
  for (const byte of Buffer.from(name)) {
    h = (h << 4n) + BigInt(byte);
    h = (h ^ ((h >> 24n) & 0xf0n)) & 0x0fffffffn;
  }
  return Number(h);
}

/** The hash of DT_GNU_HASH (Bernstein's, times 33). */
export function gnuHash(name: string): number {
  let h = 5381;
  for (const byte of Buffer.from(name)) h = (Math.imul(h, 33) + byte) >>> 0;
  return h;
}

/** Strings behind each other, each NUL terminated; equal ones are stored once. */
export class StringTable {
  #text = '\0';
  /** Offset of `text` in the table. */
  add(text: string): number {
    const at = this.#text.indexOf(`\0${text}\0`);
    if (at >= 0) return at + 1;
    this.#text += `${text}\0`;
    return this.#text.length - text.length - 1;
  }
  bytes(): Buffer {
    return Buffer.from(this.#text, 'latin1');
  }
}
