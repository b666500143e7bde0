// The sections of a valid module's bytes.

class Cursor {
  at = 8;
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
}

/** In order; `content` is a view. */
export function* sectionsOf(bytes: Uint8Array): Generator<{ id: number; content: Uint8Array }> {
  const cursor = new Cursor(bytes);
  while (cursor.at < bytes.length) {
    const id = bytes[cursor.at++] as number;
    const size = cursor.u32();
    yield { id, content: bytes.subarray(cursor.at, cursor.at + size) };
    cursor.at += size;
  }
}
