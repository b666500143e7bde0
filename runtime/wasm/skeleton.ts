// What V8 can be asked about a module without its code: a module with the same types, imports, definitions and segments,
// whose functions trap. V8 then words what is wrong as this Node does.
import { leb, section } from './encode.ts';
import type { CompiledImage } from './image.ts';
import { sectionsOf } from './sections.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const FUNCTIONS = 3;
const START = 8;
const CODE = 10;
const SEGMENTS = new Set([9, 11, 12]);
/** No locals, unreachable, end. */
const BODY = [3, 0, 0, 0x0b];

function codeFor(functionSection: Uint8Array): Uint8Array {
  let [count, shift, at] = [0, 0, 0];
  for (let byte = 0x80; byte >= 0x80; shift += 7) {
    byte = functionSection[at++] as number;
    count += (byte & 0x7f) * 2 ** shift;
  }
  const bodies = new Uint8Array(BODY.length * count);
  for (let i = 0; i < count; i++) bodies.set(BODY, BODY.length * i);
  return Buffer.concat([Uint8Array.from(leb(count)), bodies]);
}

/** Null where this V8 does not know such modules, or the module's bytes are not kept. */
export function skeletonOf(image: CompiledImage, segments: boolean): V8Type.Module | null {
  const parts: Uint8Array[] = [Uint8Array.from(HEADER)];
  const put = (id: number, content: Uint8Array): void => {
    parts.push(Uint8Array.from([id, ...leb(content.length)]), content);
  };
  try {
    let code: Uint8Array | undefined;
    for (const { id, content } of sectionsOf(image.source())) {
      if (id === FUNCTIONS) code = codeFor(content);
      if (id === CODE && code !== undefined) put(CODE, code);
      else if (id !== 0 && id !== START && (segments || !SEGMENTS.has(id))) put(id, content);
    }
    return new V8.Module(Buffer.concat(parts));
  } catch {
    return null;
  }
}

/** A global of a type that JavaScript cannot read, for V8 to say so. */
export function unreadableGlobal(): object {
  const vector = [0x7b, 0, 0xfd, 0x0c, ...new Array<number>(16).fill(0), 0x0b];
  const bytes = Uint8Array.from([...HEADER, ...section(6, [1, ...vector]), ...section(7, [1, 0, 3, 0])]);
  return new V8.Instance(new V8.Module(bytes)).exports[''] as object;
}
