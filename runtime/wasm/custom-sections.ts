// Custom sections are not in an image: they are read from the source that the store keeps, when asked for.
import type { CompiledImage } from './image.ts';
import { sectionsOf } from './sections.ts';

function nameLength(content: Uint8Array): { at: number; end: number } {
  let [at, length, shift] = [0, 0, 0];
  for (let byte = 0x80; byte >= 0x80; shift += 7) {
    byte = content[at++] as number;
    length += (byte & 0x7f) * 2 ** shift;
  }
  return { at, end: at + length };
}

/** Copies, in order. */
export function customSections(image: CompiledImage, name: string): ArrayBuffer[] {
  const found: ArrayBuffer[] = [];
  for (const { id, content } of sectionsOf(image.source())) {
    if (id !== 0) continue;
    const { at, end } = nameLength(content);
    if (new TextDecoder().decode(content.subarray(at, end)) === name)
      found.push(new Uint8Array(content.subarray(end)).buffer);
  }
  return found;
}
