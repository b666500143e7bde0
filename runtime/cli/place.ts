import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { describeFaults, describeHugePages } from '../../loader/huge-pages.ts';
import { type CreateOptions, createRegion } from '../../loader/store/create.ts';
import { type Placed, placeInDirectory } from '../../loader/store/directory.ts';
import { regionPath } from '../../loader/store/locate.ts';
import { placeInRegion, type ToPlace } from '../../loader/store/place.ts';
import type { Entry } from '../../loader/store/slot.ts';
import { type TextPlacement, textOf } from '../../loader/store/verify.ts';
import { parse, printJson } from './options.ts';
import { UsageError } from './outcome.ts';
import { bytes, describeBacking, facts, hex, table } from './text.ts';

const help = `insitu place: put programs, libraries and data where they can be run from in place.

usage: insitu place [--name NAME] [--create[=SIZE] [--force]] [--json] FILE… REGION|DIRECTORY

REGION is a device-dax node (/dev/dax0.0; devdax: for the only one) or an ordinary file that holds a region. All files are
placed or none, whatever happens meanwhile; what had the same name is replaced, and goes on where it runs.

Into a DIRECTORY, of a DAX file system above all, each file goes by itself, replacing what had its name: stored so that
2 MiB pages can map it, if that can be had, and shown by counting page faults. Interrupted, it leaves one .insitu-place-*
there, which the next one removes.

  --name NAME      of the entry, instead of the file's own (one FILE)
  --create[=SIZE]  make the region first if it is not there: of the whole device, or in a new file of SIZE (64M, 2G)
  --force          overwrite what a device holds that is no region
  --json           for programs

  insitu place --create ./server libz.so.1 /dev/dax0.0 && insitu run devdax:server
  insitu place ./server libserver.so /mnt/pmem/app && insitu run /mnt/pmem/app/server
  insitu place --create=64M /bin/busybox /dev/shm/region && insitu run region:/dev/shm/region/busybox
`;

export function main(args: readonly string[]): number {
  const { values, positionals } = parse(withCreate(args), {
    name: { type: 'string' },
    create: { type: 'string' },
    force: { type: 'boolean' },
    json: { type: 'boolean' },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const target = positionals.at(-1);
  const paths = positionals.slice(0, -1);
  if (target === undefined || paths.length === 0)
    throw new UsageError('place wants FILE… and a REGION or DIRECTORY');
  if (values.name !== undefined && paths.length > 1)
    throw new UsageError('--name is for one FILE; each of several has its own');
  if (isDirectory(target)) return intoDirectory(paths, target, values);
  const region = regionPath(target);
  const files = paths.map((path): ToPlace => ({ path, name: values.name ?? basename(path) }));
  const onWait = waiting(region);
  if (values.create !== undefined)
    createRegion(region, { ...sizeOf(values.create), force: Boolean(values.force), keep: true, onWait });
  else if (values.force) throw new UsageError('--force goes with --create');
  report(region, placeInRegion(files, region, { onWait }), Boolean(values.json));
  return 0;
}

/** `--create` may stand alone, which parseArgs does not know of strings. */
export const withCreate = (args: readonly string[]): string[] =>
  args.map((arg) => (arg === '--create' ? '--create=' : arg));

const UNITS: Record<string, number> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** '64M' -> bytes; nothing for an empty text. @throws UsageError */
export function sizeOf(text: string): CreateOptions {
  if (text === '') return {};
  const match = /^(\d+)([KMGT]?)(?:i?B)?$/i.exec(text);
  const size = Number(match?.[1]) * (UNITS[match?.[2]?.toUpperCase() ?? ''] ?? 1);
  if (match && Number.isSafeInteger(size) && size > 0) return { size };
  throw new UsageError(`size ${text}: want a number of bytes, or such as 64M or 2G`);
}

export const waiting = (region: string) => () =>
  process.stderr.write(`insitu: waiting for another process that has ${region} locked\n`);

function isDirectory(path: string): boolean {
  return Boolean(statSync(path, { throwIfNoEntry: false })?.isDirectory());
}

/** @throws UsageError for options of regions, LoadError for the first file that fails; those before it are placed */
function intoDirectory(
  paths: readonly string[],
  directory: string,
  { name, create, force, json }: { name?: string; create?: string; force?: boolean; json?: boolean },
): number {
  if (create !== undefined || force)
    throw new UsageError(`${directory} is a directory; --create and --force are for regions`);
  const placed: Placed[] = [];
  try {
    for (const path of paths) {
      placed.push(placeInDirectory(path, directory, name));
      const between = placed.length > 1 ? '\n' : '';
      if (!json) process.stdout.write(`${between}${describe(placed.at(-1) as Placed)}\n`);
    }
  } finally {
    if (json) printJson({ directory, files: placed });
  }
  return 0;
}

function describe({ path, backing, hugePages, faults, removed }: Placed): string {
  const rows: [string, string][] = [
    ['placed', `${path} (${bytes(backing.size)})`],
    ['stored on', describeBacking(backing)],
    ['huge pages', describeHugePages(hugePages)],
  ];
  if (faults) rows.push(['measured', describeFaults(faults)]);
  if (removed.length > 0) rows.push(['removed', `left behind by others: ${removed.join(' ')}`]);
  return facts(rows);
}

/** Of an entry's text, in a table's cell. */
export function placementOf(text: TextPlacement | null): string {
  if (text === null) return '';
  if (text.inPlace) return 'in place';
  return text.copied > 0 ? `${bytes(text.copied)} copied` : 'refused';
}

function report(region: string, entries: readonly Entry[], json: boolean): void {
  const placed = entries.map((entry) => ({ ...entry, text: textOf(region, entry) }));
  if (json) {
    printJson({ region, entries: placed });
    return;
  }
  const rows = placed.map(({ name, kind, size, offset, text }) => [
    name,
    kind,
    bytes(size),
    hex(offset),
    placementOf(text),
  ]);
  process.stdout.write(`${table([['name', 'kind', 'size', 'offset', 'text'], ...rows])}\n`);
  for (const { name, text } of placed)
    if (text && !text.inPlace)
      process.stderr.write(
        `insitu: ${name}: ${text.copied > 0 ? `${bytes(text.copied)} of its text will be copied: ` : ''}${text.reason}\n`,
      );
}
