// The changes to a region that are recorded, and what its catalog has to say after each.
import { createHash } from 'node:crypto';

export interface Step {
  placed: readonly { name: string; content: Buffer }[];
  removed?: string;
}

const content = (seed: number, size: number) =>
  Buffer.from(Array.from({ length: size }, (_, i) => 1 + ((seed * 37 + i * 11) % 255)));

/** A new entry; another; one replaced by a larger one and back by a smaller; two at once; one removed; two more replaced. */
export const steps: readonly Step[] = [
  { placed: [{ name: 'a', content: content(1, 100) }] },
  { placed: [{ name: 'b', content: content(2, 200) }] },
  { placed: [{ name: 'a', content: content(3, 600) }] },
  {
    placed: [
      { name: 'c', content: content(4, 64) },
      { name: 'd', content: content(5, 150) },
    ],
  },
  { placed: [], removed: 'b' },
  { placed: [{ name: 'a', content: content(6, 8) }] },
  { placed: [{ name: 'd', content: content(7, 250) }] },
];

/** By name: SHA-256 of the content, hexadecimal. */
export type State = ReadonlyMap<string, string>;

/** states[i]: after i of the steps, from an empty catalog. */
export const states: readonly State[] = steps.reduce<State[]>(
  (all, { placed, removed }) => {
    const next = new Map(all.at(-1));
    if (removed !== undefined) next.delete(removed);
    for (const { name, content } of placed)
      next.set(name, createHash('sha256').update(content).digest('hex'));
    all.push(next);
    return all;
  },
  [new Map()],
);

const same = (a: State, b: State) =>
  a.size === b.size && [...a].every(([name, hash]) => b.get(name) === hash);

/** What is wrong with a catalog when `committed` steps had returned and `begun` were begun; '' if nothing is. */
export function judgeCatalog(found: State, committed: number, begun: number): string {
  for (let i = committed; i <= begun; i++) if (same(found, states[i] as State)) return '';
  const at = states.findIndex((state) => same(found, state));
  const text = at === -1 ? `[${[...found.keys()]}]` : `that after commit ${at}`;
  return `the catalog is ${text}; want that after commit ${committed}${begun > committed ? ` or ${begun}` : ''}`;
}
