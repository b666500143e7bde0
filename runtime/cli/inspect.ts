import { describeFaults, describeHugePages } from '../../loader/huge-pages.ts';
import { countFaults, type Listing, list } from '../../loader/listing.ts';
import { readyFor } from '../../loader/store/locate.ts';
import { isReference } from '../../loader/store/reference.ts';
import type { WasmListing } from '../../loader/wasm-listing.ts';
import { evidenceTables } from './evidence-table.ts';
import { parse, printJson } from './options.ts';
import { UsageError } from './outcome.ts';
import { bytes, describeBacking, facts, hex, printable, table } from './text.ts';

const help = `insitu inspect: what a file is, what it is stored on, and what would be mapped how. Nothing of it runs.

usage: insitu inspect [--json] [--symbols] [--headers] [--evidence] FILE

  --json      everything, for programs
  --symbols   the dynamic symbols that it defines
  --headers   the program header table as stored
  --evidence  load the library (its constructors run) and show by frame where its pages are

Of a WebAssembly module or component also what it imports and exports, which store has its image, and how that would be
mapped.

  insitu inspect /bin/ls
  insitu inspect --symbols /usr/lib/x86_64-linux-gnu/libz.so.1
  insitu inspect --json module.wasm | jq .format
`;

export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    json: { type: 'boolean' },
    symbols: { type: 'boolean' },
    headers: { type: 'boolean' },
    evidence: { type: 'boolean' },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [name] = positionals;
  if (name === undefined || positionals.length > 1) throw new UsageError('inspect wants one FILE');
  const file = name;
  await readyFor(file);
  const listing = list(file, Boolean(values.symbols));
  const more = mayBeWasm(listing) ? await import('./inspect-wasm.ts') : undefined;
  const wasm = more?.listWasm(listing);
  const evidence = values.evidence ? await evidenceOf(file, listing, wasm) : undefined;
  if (values.json) printJson({ ...listing, ...(wasm && { wasm }), ...evidence });
  else {
    const parts = [describe(listing, Boolean(values.headers))];
    if (wasm) parts.push(`\n${more?.describeWasm(wasm, file)}\n`);
    if (wasm?.image && listing.segments.length === 0) parts.push(`\n${segmentTable(wasm.image)}\n`);
    if (evidence) parts.push(describeEvidence(evidence));
    process.stdout.write(parts.join(''));
  }
  return 0;
}

/** Images are shared objects that define no symbol and need nothing. */
function mayBeWasm({ format, file, needed, soname }: Listing): boolean {
  if (isReference(file)) return false;
  return format.startsWith('wasm-') || (format === 'elf-shared' && needed.length === 0 && soname === null);
}

function describeEvidence({ evidence, textFaults }: Awaited<ReturnType<typeof evidenceOf>>): string {
  return `\n${evidenceTables(evidence)}\n\n${evidence.summary}\n${textFaults ? `${describeFaults(textFaults)}\n` : ''}`;
}

async function evidenceOf(file: string, listing: Listing, wasm: WasmListing | undefined) {
  if (wasm?.image) {
    const { evidenceOfImage } = await import('./inspect-wasm.ts');
    return { evidence: evidenceOfImage(wasm.image.file), textFaults: countFaults(wasm.image.file) };
  }
  if (listing.format !== 'elf-shared' && listing.format !== 'node-addon')
    throw new UsageError(
      '--evidence wants a library or a module that is installed; insitu run --report tells the same of a program',
    );
  const { loadSync } = await import('../library/index.ts');
  using library = loadSync(file, { prefault: true }); // only resident pages can be shown to be anywhere
  return { evidence: library.report.evidence, textFaults: countFaults(file) };
}

function describe(listing: Listing, headers: boolean): string {
  const { backing, relocations: r } = listing;
  const rows: [string, string][] = [
    ['file', `${listing.file} (${bytes(listing.size)})`],
    ['format', [listing.format, listing.kind, listing.machine].filter(Boolean).join(', ')],
    ['stored on', describeBacking(backing)],
    ['huge pages', describeHugePages(listing.hugePages)],
  ];
  if (listing.interpreter) rows.push(['interpreter', listing.interpreter]);
  if (listing.soname) rows.push(['soname', listing.soname]);
  if (listing.runpath) rows.push(['run path', listing.runpath]);
  if (listing.needed.length) rows.push(['needs', listing.needed.join(' ')]);
  if (listing.segments.length)
    rows.push([
      'relocations',
      `${r.relative} relative, ${r.symbol} symbol, ${r.irelative} irelative, ${r.tls} tls, ${r.text} in text`,
    ]);
  const parts = [facts(rows)];
  if (listing.segments.length) parts.push(segmentTable(listing));
  if (headers)
    parts.push(
      listing.programHeaders
        ? headerTable(listing.programHeaders)
        : 'program headers: elfy lists none of this file',
    );
  if (listing.symbols) parts.push(listing.symbols.map(printable).join('\n'));
  return `${parts.join('\n\n')}\n`;
}

function segmentTable({ segments }: Listing): string {
  const head = ['segment', 'offset', 'file size', 'vaddr', 'mem size', 'prot', 'placement', 'reason'];
  return table([
    head,
    ...segments.map((s) => [
      `${s.type}[${s.index}]`,
      hex(s.fileOffset),
      hex(s.fileSize),
      hex(s.vaddr),
      hex(s.memSize),
      s.prot,
      s.placement,
      s.reason,
    ]),
  ]);
}

function headerTable(headers: NonNullable<Listing['programHeaders']>): string {
  const rows = headers.map((h) => [
    h.type,
    hex(h.offset),
    hex(h.vaddr),
    hex(h.fileSize),
    hex(h.memSize),
    h.flags,
  ]);
  return table([['header', 'offset', 'vaddr', 'file size', 'mem size', 'flags'], ...rows]);
}
