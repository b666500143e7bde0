// Rewrites a module's export section: everything that it has is exported, or only some of its exports are.
import { decode } from '../../../loader/compile/decode.ts';
import type { Export, ExternalKind } from '../../../loader/compile/module.ts';

const EXPORT_SECTION = 7;
const KINDS: Record<ExternalKind, number> = { function: 0, table: 1, memory: 2, global: 3, tag: 4 };
/** Sections that come after it: start, element, data count, code, data. */
const AFTER = [8, 9, 12, 10, 11];

/** With what it exports now and the rest under names that begin with '+'. */
export function exposeAll(bytes: Uint8Array): Uint8Array {
  const module = decode(bytes);
  const spaces: [ExternalKind, number][] = [
    ['function', module.functions.length],
    ['table', module.tables.length],
    ['memory', module.memories.length],
    ['global', module.globals.length],
    ['tag', module.tags.length],
  ];
  const known = new Set(module.exports.map(({ kind, index }) => `${kind} ${index}`));
  const more = spaces.flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, index): Export => ({ name: `+${kind}${index}`, kind, index })),
  );
  return withExports(bytes, [
    ...module.exports,
    ...more.filter(({ kind, index }) => !known.has(`${kind} ${index}`)),
  ]);
}

/** With just these exports. */
export function withExports(bytes: Uint8Array, exports: readonly Export[]): Uint8Array {
  const section = exportSection(exports);
  const parts: Uint8Array[] = [bytes.subarray(0, 8)];
  let placed = false;
  for (const { id, start, end } of sectionsOf(bytes)) {
    if (!placed && (id === EXPORT_SECTION || AFTER.includes(id))) {
      parts.push(section);
      placed = true;
    }
    if (id !== EXPORT_SECTION) parts.push(bytes.subarray(start, end));
  }
  if (!placed) parts.push(section);
  return Buffer.concat(parts);
}

function exportSection(exports: readonly Export[]): Uint8Array {
  const entries = exports.flatMap(({ name, kind, index }) => {
    const text = Buffer.from(name);
    return [...leb(text.length), ...text, KINDS[kind], ...leb(index)];
  });
  const content = [...leb(exports.length), ...entries];
  return Uint8Array.from([EXPORT_SECTION, ...leb(content.length), ...content]);
}

function sectionsOf(bytes: Uint8Array): { id: number; start: number; end: number }[] {
  const sections: { id: number; start: number; end: number }[] = [];
  for (let at = 8; at < bytes.length; ) {
    const start = at;
    const id = bytes[at++] as number;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number;
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    at += size;
    sections.push({ id, start, end: at });
  }
  return sections;
}

/** Unsigned LEB128 of a number below 2 ** 32. */
export function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return [...bytes, rest];
}
