// The types of a module's exported functions, and the names of what it imports, read from its binary. The
// runner's own reading, so that nothing under test has a say in what is called how.
import { Cursor } from './bytes.ts';

/** A value type as it is encoded, in hexadecimal: '7f' is i32, '6470' is (ref func). */
export type EncodedType = string;
export const encoded = { i32: '7f', i64: '7e', f32: '7d', f64: '7c', v128: '7b' } as const;

export interface FunctionSignature {
  params: EncodedType[];
  results: EncodedType[];
}

export interface Surface {
  imports: { module: string; name: string }[];
  functions: Map<string, FunctionSignature>;
}

const kinds = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;

class SurfaceReader {
  readonly cursor: Cursor;
  readonly types: (FunctionSignature | undefined)[] = [];
  readonly functions: number[] = [];
  readonly surface: Surface = { imports: [], functions: new Map() };

  constructor(bytes: Uint8Array) {
    this.cursor = new Cursor(bytes);
    this.cursor.at = 8;
  }

  read(): Surface {
    const { cursor } = this;
    while (!cursor.done) {
      const id = cursor.u8();
      const size = cursor.u32();
      const end = cursor.at + size;
      this.section(id);
      cursor.at = end;
    }
    return this.surface;
  }

  private section(id: number): void {
    const { cursor } = this;
    if (id === 1) cursor.list(() => this.recursiveType());
    else if (id === 2) cursor.list(() => this.importEntry());
    else if (id === 3) this.functions.push(...cursor.list(() => cursor.u32()));
    else if (id === 7) cursor.list(() => this.exportEntry());
  }

  private valueType(): EncodedType {
    const { cursor } = this;
    const start = cursor.at;
    const byte = cursor.u8();
    if (byte === 0x63 || byte === 0x64) cursor.skipNumber();
    return Buffer.from(cursor.bytes.subarray(start, cursor.at)).toString('hex');
  }

  // Types of the GC proposal too: a group, a subtype with its supertypes, then what is declared.
  private recursiveType(): void {
    const { cursor } = this;
    if (cursor.bytes[cursor.at] === 0x4e) {
      cursor.u8();
      cursor.list(() => this.subType());
    } else this.subType();
  }

  private subType(): void {
    const { cursor } = this;
    const form = cursor.u8();
    if (form === 0x50 || form === 0x4f) {
      cursor.list(() => cursor.u32());
      this.subType();
      return;
    }
    if (form === 0x60) {
      const params = cursor.list(() => this.valueType());
      this.types.push({ params, results: cursor.list(() => this.valueType()) });
      return;
    }
    if (form === 0x5f) cursor.list(() => this.field());
    else if (form === 0x5e) this.field();
    else throw new RangeError(`a type of the form 0x${form.toString(16)}`);
    this.types.push(undefined);
  }

  private field(): void {
    this.valueType();
    this.cursor.u8();
  }

  private limits(): void {
    const flags = this.cursor.u8();
    this.cursor.skipNumber();
    if (flags & 1) this.cursor.skipNumber();
    if (flags & 8) this.cursor.skipNumber(); // custom page size
  }

  private importEntry(): void {
    const { cursor } = this;
    this.surface.imports.push({ module: cursor.name(), name: cursor.name() });
    const kind = cursor.u8();
    if (kind === kinds.function) this.functions.push(cursor.u32());
    else if (kind === kinds.global) this.field();
    else if (kind === kinds.memory) this.limits();
    else if (kind === kinds.tag) this.tag();
    else {
      this.valueType();
      this.limits();
    }
  }

  private tag(): void {
    this.cursor.u8();
    this.cursor.u32();
  }

  private exportEntry(): void {
    const { cursor, surface } = this;
    const name = cursor.name();
    const kind = cursor.u8();
    const index = cursor.u32();
    const signature = kind === kinds.function ? this.types[this.functions[index] ?? -1] : undefined;
    if (signature) surface.functions.set(name, signature);
  }
}

/** What a valid module imports and exports. Throws a RangeError where it meets an encoding that it does not know. */
export function readSurface(bytes: Uint8Array): Surface {
  return new SurfaceReader(bytes).read();
}
