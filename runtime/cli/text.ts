// Numbers and tables for people.
import type { Backing } from '../../loader/backing.ts';
import { whyNoDax } from '../../loader/no-dax.ts';

type Output = NodeJS.WriteStream;

/** For a terminal that wants it (no-color.org). */
export function bold(text: string, output: Output = process.stdout): string {
  const wanted = output.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  return wanted ? `\x1b[1m${text}\x1b[22m` : text;
}

/** Names come out of files that may be hostile: no control sequence of theirs reaches a terminal, nor turns text round. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '?');

export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** 1234567 ns -> '1.23 ms'. */
export function time(ns: number): string {
  if (ns < 1e3) return `${ns.toFixed(0)} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toPrecision(3)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toPrecision(3)} ms`;
  return `${(ns / 1e9).toPrecision(3)} s`;
}

/** 1536 -> '1.5 KiB'. */
export function bytes(count: number): string {
  let value = count;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024 || unit === 'GiB')
      return unit === 'B' ? `${value} B` : `${Number(value.toFixed(1))} ${unit}`;
    value /= 1024;
  }
  return `${count} B`;
}

/** 'ext4 at /mnt: dax (DAX, MAP_SYNC)'. */
export function describeBacking(backing: Backing): string {
  const { fileSystem, mountPoint, medium } = backing;
  const traits = (['dax', 'mapSync', 'volatile', 'noexec'] as const)
    .filter((trait) => backing[trait])
    .map((trait) => ({ dax: 'DAX', mapSync: 'MAP_SYNC', volatile: 'volatile', noexec: 'noexec' })[trait]);
  const where = mountPoint === null ? '' : ` at ${mountPoint}`;
  const missing = whyNoDax(backing);
  return `${fileSystem}${where}: ${medium}${traits.length ? ` (${traits.join(', ')})` : ''}${missing ? `: ${missing}` : ''}`;
}

/** Columns as wide as their widest cell; a column of numbers is set flush right. */
export function table(cells: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  const rows = cells.map((row) => row.map(printable));
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  const right = widths.map((_, i) => rows.slice(1).every((row) => /^(-?[\d.]|0x|–|$)/.test(row[i] ?? '')));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (right[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

/** 'name   value' lines. */
export function facts(rows: readonly (readonly [string, string])[], output?: Output): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${bold(name.padEnd(width), output)}  ${printable(value)}`).join('\n');
}

/** One line that is written over on a terminal, and nothing elsewhere. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
