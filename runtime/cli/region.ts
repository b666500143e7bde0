import { createRegion } from '../../loader/store/create.ts';
import { regionPath } from '../../loader/store/locate.ts';
import { removeEntry } from '../../loader/store/place.ts';
import { listRegion, type RegionListing, verifyRegion } from '../../loader/store/verify.ts';
import { parse, printJson } from './options.ts';
import { UsageError } from './outcome.ts';
import { placementOf, sizeOf, waiting } from './place.ts';
import { bytes, facts, hex, table } from './text.ts';

const help = `insitu region: what a region holds, and whether it is whole.

usage: insitu region ls [--json] REGION
       insitu region rm REGION NAME
       insitu region verify [--json] REGION [NAME]
       insitu region create [--size=SIZE] [--force] REGION

REGION is a device-dax node (/dev/dax0.0; devdax: for the only one) or an ordinary file.

  ls      entries: kind, size, place, and whether their text can be mapped in place there
  rm      takes an entry out; what runs from it goes on, and its space is used again after that
  verify  reads everything, or one entry, and compares it with what was placed (SHA-256); status 1 where it is not
  create  makes an empty region of a device, or in a new file of SIZE (64M, 2G)
  --force overwrite what a device holds, or empty a region that is there

  insitu region create --size=64M /dev/shm/region
  insitu region ls devdax:
`;

export function main(args: readonly string[]): number {
  const { values, positionals } = parse(args, {
    json: { type: 'boolean' },
    size: { type: 'string' },
    force: { type: 'boolean' },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [verb, target, name, ...more] = positionals;
  if (verb === undefined || target === undefined || more.length > 0)
    throw new UsageError('region wants ls, rm, verify or create, and REGION');
  const region = regionPath(target);
  switch (verb) {
    case 'ls':
      if (name !== undefined) throw new UsageError('ls wants a REGION alone');
      return list(region, Boolean(values.json));
    case 'rm':
      if (name === undefined) throw new UsageError('rm wants REGION and NAME');
      removeEntry(region, name, { onWait: waiting(region) });
      return 0;
    case 'verify':
      return verify(region, name, Boolean(values.json));
    case 'create':
      if (name !== undefined) throw new UsageError('create wants a REGION alone');
      createRegion(region, {
        ...sizeOf(values.size ?? ''),
        force: Boolean(values.force),
        onWait: waiting(region),
      });
      return 0;
    default:
      throw new UsageError(`'${verb}' is nothing to do with a region; want ls, rm, verify or create`);
  }
}

function list(region: string, json: boolean): number {
  const listing = listRegion(region);
  if (json) printJson(listing);
  else process.stdout.write(describe(listing));
  return 0;
}

function describe(listing: RegionListing): string {
  const { path, medium, size, granule, generation, committed, free, entries } = listing;
  const head = facts([
    ['region', `${path} (${medium}), ${bytes(size)}, mapped in units of ${bytes(granule)}`],
    ['catalog', `generation ${generation}, committed ${committed.toISOString()}`],
    ['free', `${bytes(free.bytes)}, the largest piece ${bytes(free.largest)}`],
  ]);
  if (entries.length === 0) return `${head}\n`;
  const rows = entries.map((entry) => [
    entry.name,
    entry.kind,
    bytes(entry.size),
    hex(entry.offset),
    bytes(entry.alignment),
    entry.placed.toISOString(),
    [placementOf(entry.text), entry.text?.reason].filter(Boolean).join(': '),
  ]);
  return `${head}\n\n${table([['name', 'kind', 'size', 'offset', 'aligned to', 'placed', 'text'], ...rows])}\n`;
}

function verify(region: string, name: string | undefined, json: boolean): number {
  const entries = verifyRegion(region, name);
  if (json) printJson({ region, entries });
  else
    for (const entry of entries)
      process.stdout.write(`${entry.intact ? 'intact ' : 'DAMAGED'}  ${entry.name}  ${entry.sha256}\n`);
  const damaged = entries.filter(({ intact }) => !intact);
  for (const entry of damaged)
    process.stderr.write(
      `insitu: ${region}: ${entry.name} is not what was placed; place it again, or insitu region rm\n`,
    );
  return damaged.length > 0 ? 1 : 0;
}
