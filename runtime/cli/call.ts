import { basename } from 'node:path';
import { parseImageName } from '../../loader/images/layout.ts';
import type { LoadOptions } from '../../loader/index.ts';
import { isReference } from '../../loader/store/reference.ts';
import { familyOf } from '../library/family.ts';
import { load, type NativeFunction } from '../library/index.ts';
import { parseArguments } from '../library/prototype.ts';
import { parse, toJson, untilFile } from './options.ts';
import { UsageError } from './outcome.ts';

const help = `insitu call: load a library in place, call one of its functions, print what it returns.

usage: insitu call [--copy] [--require-in-place] [--report] FILE 'PROTOTYPE' args…
       insitu call [--copy] [--require-in-place] [--report] MODULE EXPORT args…

  --copy              load it by copying instead
  --require-in-place  refuse unless it lies on NVM and nothing but its data has to be copied
  --report            the load's report, as JSON on stderr

The prototype is C's, in koffi's types (int, uint, long, ulong, int64_t, double, str, void * …). Of a WebAssembly module
that is installed an export's name is enough; its results are printed one a line. It gets WASI, if it imports that.

  insitu call /usr/lib/x86_64-linux-gnu/libz.so.1 'ulong crc32(ulong, str, uint)' 0 hello 5
  insitu call math.wasm gcd 12 18
`;

export async function main(args: readonly string[]): Promise<number> {
  const [own, rest] = untilFile(args, []);
  const { values } = parse(own, {
    copy: { type: 'boolean' },
    'require-in-place': { type: 'boolean' },
    report: { type: 'boolean' },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [file, prototype, ...texts] = rest;
  if (file === undefined || prototype === undefined) throw new UsageError("call wants FILE and 'PROTOTYPE'");
  const place = values.copy ? 'copy' : 'in-place';
  const options: LoadOptions = { place, requireInPlace: Boolean(values['require-in-place']) };
  const report = values.report
    ? (loaded: unknown) => void process.stderr.write(`${toJson(loaded)}\n`)
    : undefined;
  if (isWasm(file))
    return (await import('./call-wasm.ts')).callExport(file, prototype, texts, { options, report });
  const parameters = parseArguments(prototype, texts);
  using library = await load(file, options);
  const result = resultOf(library.func(prototype), parameters);
  if (result !== undefined) process.stdout.write(`${String(result)}\n`);
  report?.(library.report);
  return 0;
}

function isWasm(file: string): boolean {
  if (parseImageName(basename(file))) return true;
  const family = isReference(file) ? undefined : familyOf(file);
  return family === 'wasm-module' || family === 'wasm-component';
}

function resultOf(call: NativeFunction, parameters: unknown[]): unknown {
  try {
    return call(...parameters);
  } catch (error) {
    throw new UsageError((error as Error).message); // koffi's, of a value that does not fit its type
  }
}
