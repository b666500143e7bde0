// Evidence as tables: of each kind of range, and of each file, how many pages were resident, and where.
import {
  type Counts,
  type Evidence,
  type FileEvidence,
  rangeNames,
  type Totals,
} from '../../loader/evidence.ts';
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

/** '4096 NVM', '3 RAM', '2 NVM + 1 RAM'; without frame numbers how many are resident, and nothing of where. */
function whereabouts(counts: Counts | undefined): string {
  if (counts === undefined) return '';
  if (counts.nvm === null) return counts.resident === null ? '–' : `${counts.resident} resident`;
  const { nvm, ram, elsewhere } = counts;
  const parts = [nvm ? `${nvm} NVM` : '', ram ? `${ram} RAM` : '', elsewhere ? `${elsewhere} elsewhere` : ''];
  return parts.filter(Boolean).join(' + ') || '0';
}

/** A row a way, a column a kind of range: how many pages, and where. */
export function waysTable(ways: readonly { name: string; evidence: Totals | null }[]): string {
  const seen = ways.flatMap(({ name, evidence }) => (evidence === null ? [] : [{ name, evidence }]));
  const kinds = rangeNames.filter((kind) => seen.some(({ evidence }) => evidence[kind]));
  if (kinds.length === 0) return '';
  const rows = seen.map(({ name, evidence }) => [name, ...kinds.map((kind) => whereabouts(evidence[kind]))]);
  return table([['pages in the end', ...kinds], ...rows]);
}
