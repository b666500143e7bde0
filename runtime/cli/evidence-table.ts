// Evidence as tables: of each kind of range, and of each file, how many pages were resident, and where.
import type { Counts, Evidence, FileEvidence, Totals } from '../../loader/evidence.ts';
import { table } from './text.ts';

/** Dashes where frame numbers are hidden: nothing is claimed. */
const count = (value: number | null | undefined): string => (value == null ? '–' : `${value}`);

/** `elsewhere` and `swapped out` only where there are any. */
export function evidenceTable(totals: Totals): string {
  const columns: [string, keyof Counts][] = [
    ['pages', 'pages'],
    ['resident', 'resident'],
    ['in NVM', 'nvm'],
    ['in RAM', 'ram'],
    ['private', 'private'],
  ];
  const all = Object.entries(totals);
  if (all.some(([, counts]) => counts.elsewhere)) columns.push(['elsewhere', 'elsewhere']);
  if (all.some(([, counts]) => counts.swapped)) columns.push(['swapped out', 'swapped']);
  const head = ['', ...columns.map(([title]) => title)];
  return table([
    head,
    ...all.map(([name, counts]) => [name, ...columns.map(([, key]) => count(counts[key]))]),
  ]);
}

/** A row a file: its text, and what of it the process holds for itself. */
function fileTable(files: readonly FileEvidence[]): string {
  const head = ['file', 'stored on', 'text resident', 'in NVM', 'in RAM', 'all private'];
  const rows = files.map(({ path, medium, totals }) => {
    const all = Object.values(totals);
    const own = all.some((counts) => counts.private === null)
      ? null
      : all.reduce((n, counts) => n + (counts.private ?? 0), 0);
    const { text } = totals;
    const counts = [text?.resident, text?.nvm, text?.ram, own].map(count);
    return [path, medium ?? 'unknown', ...(all.length === 0 ? ['replaced meanwhile'] : counts)];
  });
  return table([head, ...rows]);
}

/** The first file by ranges; then, where there are more, all of them by their text. */
export function evidenceTables({ totals, files = [] }: Evidence): string {
  const tables = Object.keys(totals).length === 0 ? [] : [evidenceTable(totals)];
  if (files.length > 1) tables.push(fileTable(files));
  return tables.join('\n\n');
}
