import { OpenFile } from '../../loader/backing.ts';
import { detect, type Family } from '../../loader/format.ts';
import { isReference } from '../../loader/store/reference.ts';
import { type Comparison, compare } from '../compare/index.ts';
import { parseArguments } from '../library/prototype.ts';
import { findProgram } from '../program/index.ts';
import { waysTable } from './evidence-table.ts';
import { parse, printJson } from './options.ts';
import { UsageError } from './outcome.ts';
import { bytes, progress, table, time } from './text.ts';

const help = `insitu compare: what a start in place costs against a copy-load, and against what you would use instead.

usage: insitu compare [--runs N] [--cold] [--json] FILE [--call 'PROTOTYPE' args… | -- program args…]
       insitu compare [--runs N] [--cold] [--json] [--imports FILE] MODULE.wasm [--call EXPORT args…]

  --runs N   samples a way, each a fresh process (default 20)
  --cold     drop the file from the page cache before each sample (not where the file is its own storage)
  --call     the first call, timed with the load: of a library, without it the first byte of text is touched; of a
             module, without it the measurement ends with the instance
  --imports  a JavaScript module whose default export is what MODULE.wasm imports
  --json     for programs

Ways: in-place, copy-load (the same bytes read into anonymous memory), dlopen or execve, and mmap-floor (open, map the
text, touch it: the least that can be). They take turns. "first" is the first load of a process. In the end, untimed, it
is looked up where the pages are: of a library with all of its text touched, of a program what it touched itself.

A WebAssembly module has to be installed (insitu install). Its ways: in-place, copy-load, v8 (as it starts, functions
compiled when they are called), v8-eager (all compiled at the start), dlopen (the image by the C library's loader, without
an instance), and wasmtime where INSITU_WASMTIME names a libwasmtime.so. Each goes from the file's path to the result of
the call. Imports of WASI preview 1 are node:wasi's, with no arguments, no files and output nowhere; memories and tables
have their least size, globals are 0, and a function that is imported otherwise, and called, is an error: --imports.

  insitu compare /usr/lib/x86_64-linux-gnu/libz.so.1 --call 'ulong crc32(ulong, str, uint)' 0 hello 5
  insitu compare --runs 50 /bin/true
  insitu compare fib.wasm --call fib 20
`;

export async function main(args: readonly string[]): Promise<number> {
  const callAt = args.indexOf('--call');
  const dashes = args.indexOf('--');
  const isCall = callAt >= 0 && (dashes < 0 || callAt < dashes);
  const cut = isCall ? callAt : dashes >= 0 ? dashes : args.length;
  const behind = args.slice(cut + 1);
  const { values, positionals } = parse(args.slice(0, cut), {
    runs: { type: 'string' },
    cold: { type: 'boolean' },
    json: { type: 'boolean' },
    imports: { type: 'string' },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [name] = positionals;
  if (name === undefined || positionals.length > 1) throw new UsageError('compare wants one FILE');
  if (isReference(name))
    throw new UsageError(`${name} lies within another file; want a FILE of its own, as dlopen and execve do`);
  const runs = Number(values.runs ?? 20);
  if (!Number.isInteger(runs) || runs < 1 || runs > 10000)
    throw new UsageError(`--runs ${values.runs}: want 1 to 10000`);
  const [prototype, ...callArguments] = isCall ? behind : [];
  if (isCall && prototype === undefined)
    throw new UsageError("--call wants a 'PROTOTYPE', or a module's export");
  const file = findProgram(name);
  const isModule = formatOf(file) === 'wasm-module';
  if (prototype !== undefined && !isModule) parseArguments(prototype, callArguments);
  if (values.imports !== undefined && !isModule) throw new UsageError('--imports wants a WebAssembly module');
  const comparison = await compare(file, {
    runs,
    cold: Boolean(values.cold),
    ...(values.imports !== undefined && { imports: values.imports }),
    ...(prototype !== undefined && { call: { prototype, args: callArguments } }),
    ...(!isCall && { args: behind }),
    onProgress: (done, total) => progress(done === total ? '' : `sample ${done} of ${total}`),
  });
  if (values.json) printJson(comparison);
  else process.stdout.write(describe(comparison));
  return 0;
}

function formatOf(path: string): Family {
  using file = new OpenFile(path);
  return detect(file.head);
}

function describe(comparison: Comparison): string {
  const head = ['way', 'median', 'min', 'p90', 'first', 'in place', 'copied', 'private', 'faults'];
  const rows = comparison.ways.map((way) => [
    way.name,
    time(way.medianNs),
    time(way.minNs),
    time(way.p90Ns),
    time(way.firstMedianNs),
    bytes(way.bytesInPlace),
    bytes(way.bytesCopied),
    bytes(way.privateBytes),
    `${way.minorFaults + way.majorFaults}`,
  ]);
  const ratios = comparison.ratios.map(({ name, value }) => `  ${name}: ${value}${verdict(name, value)}`);
  const pages = waysTable(comparison.ways);
  const { file, format, backing, runs, temperature } = comparison;
  return [
    `${file} (${format}) on ${backing.fileSystem}: ${runs} samples a way, ${temperature}`,
    '',
    table([head, ...rows]),
    '',
    ...(pages === '' ? [] : [pages, '']),
    ...ratios,
    ...comparison.notes.map((note) => `  note: ${note}`),
    '',
  ].join('\n');
}

/** Where insitu loses, it says so. */
function verdict(name: string, value: number): string {
  return name.endsWith('/ in-place') && value < 1 ? '  <- in place is slower' : '';
}
