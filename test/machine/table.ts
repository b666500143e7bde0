// The README's table of media, made of what the suite found.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Check } from './checks.ts';
import type { Count } from './guest/children.ts';
import type { Row } from './guest/media.guest.ts';

const readme = fileURLToPath(new URL('../../README.md', import.meta.url));
const begin = '<!-- made by npm run test:dax -- --update -->';
const end = '<!-- end of what was made -->';

const heads = [
  'medium',
  'sensed as',
  '`MAP_SYNC`',
  'library',
  'static program',
  'dynamic program',
  'its libraries',
  'Node itself',
  'page cache grows by',
  'faults for 64 MiB',
];

/** Where the text pages were: the numbers themselves depend on compiler and Node, and are in the suite's output. */
function where({ present, nvm, ram }: Count): string {
  if (present === 0) return 'not resident';
  if (nvm === present) return 'NVM';
  return ram === present ? 'RAM' : `${nvm} of ${present} pages in NVM`;
}

/** A few are of whatever else the process touches; the page cache's go by what lies around them in it. */
function faults({ faults, inNvm }: Row): string {
  if (!inNvm) return `about ${Number(faults.toPrecision(2))}`;
  return faults < 48 ? '32' : '16384';
}

/** What is to be the same each time. */
const comparable = (table: string) => table.replace(/about \d+ */g, 'about …');

const bytes = (count: number) => (count < 4 << 20 ? '0' : `${Math.round(count / 2 ** 26) * 64} MiB`);

function cells(row: Row): string[] {
  return [
    row.medium,
    row.sensed,
    row.mapSync ? 'yes' : 'no',
    where(row.library),
    where(row.staticProgram),
    where(row.dynamicProgram),
    row.libraries.present === 0 ? 'on the host' : where(row.libraries),
    where(row.node),
    bytes(row.cacheGrowth),
    faults(row),
  ];
}

/** Columns as wide as their widest cell, as the project's formatter has them. */
export function render(rows: readonly Row[]): string {
  const body = rows.map(cells);
  const widths = heads.map((head, i) => Math.max(head.length, ...body.map((row) => row[i]?.length ?? 0)));
  const line = (columns: readonly string[]) =>
    `| ${columns.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

/** Compares README's table with what was found, or with `update` writes it there. */
export function checkReadme(rows: readonly Row[], update: boolean): Check[] {
  const text = readFileSync(readme, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  const name = "README's table of media is what was found";
  if (from < 0 || to < from) return [{ name, ok: false, detail: `README.md has no ${begin} … ${end}` }];
  const found = render(rows);
  const written = text.slice(from + begin.length, to).trim();
  const same = comparable(written) === comparable(found);
  if (update && !same)
    writeFileSync(readme, `${text.slice(0, from + begin.length)}\n${found}\n${text.slice(to)}`);
  const ok = update || same;
  return [{ name, ok, detail: ok ? '' : `found:\n${found}\nREADME.md says:\n${written}` }];
}
