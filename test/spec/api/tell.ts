// Differences in words for people: what is something else comes first, then errors of the same class with other words,
// those that are the same but for names and numbers together.
import type { Unlike } from './compare.ts';

const errorClass = (text: string): string | undefined => /^throws ([\w.]+) "/.exec(text)?.[1];

/** Whether both are errors of one class. */
export const isOfWords = ({ v8, found }: Unlike): boolean =>
  errorClass(v8) !== undefined && errorClass(v8) === errorClass(found);

function formatOne({ script, label, v8, found }: Unlike, count: number): string {
  const times = count > 1 ? ` (and ${count - 1} more)` : '';
  return `  ${script}, ${label}${times}\n    V8:    ${v8}\n    found: ${found}`;
}

const pattern = (text: string): string => text.replace(/\\"[^"]*\\"/g, "''").replace(/\d+/g, '0');

function formatAlike(unlike: Unlike[]): string[] {
  const groups = new Map<string, Unlike[]>();
  for (const one of unlike) {
    const key = `${pattern(one.v8)} ${pattern(one.found)}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].flatMap((group) => (group[0] ? [formatOne(group[0], group.length)] : []));
}

export function tell(unlike: Unlike[]): string {
  const words = unlike.filter(isOfWords);
  const others = unlike.filter((one) => !isOfWords(one));
  return [
    `${others.length} other than V8`,
    ...others.map((one) => formatOne(one, 1)),
    `${words.length} in other words than V8`,
    ...formatAlike(words),
  ].join('\n');
}
