// insitu call of a WebAssembly module's export.
import type { LoadOptions } from '../../loader/index.ts';
import { type LoadedModule, loadModule } from '../library/module.ts';
import { instantiateWithWasi } from '../wasi/preview1.ts';
import { isTrap } from '../wasi/program.ts';
import { UsageError } from './outcome.ts';
import { say, TRAPPED } from './say.ts';
import { printable } from './text.ts';

interface Call {
  options: LoadOptions;
  report: ((report: unknown) => void) | undefined;
}

/**
 * Prints its results one a line.
 * @returns the exit code: 0, or that of a trap
 * @throws UsageError of an export or arguments that do not fit; LoadError of a module that is not installed
 */
export async function callExport(
  file: string,
  name: string,
  texts: readonly string[],
  { options, report }: Call,
): Promise<number> {
  using module = loadModule(file, options);
  const values = argumentsFor(module, name, texts);
  const around = { args: [file, ...texts], env: process.env, preopens: {} };
  try {
    const exports = await instantiateWithWasi(file, module, around);
    const result = (exports[name] as (...values: unknown[]) => unknown)(...values);
    for (const value of Array.isArray(result) ? result : result === undefined ? [] : [result])
      process.stdout.write(`${textOf(value)}\n`);
  } catch (error) {
    if (!isTrap(error)) throw error;
    say(printable(`${file}: ${name}: trap: ${error.message}`));
    return TRAPPED;
  } finally {
    report?.(module.report);
  }
  return 0;
}

function argumentsFor(module: LoadedModule, name: string, texts: readonly string[]): unknown[] {
  const type = module.functionType(name);
  if (type === undefined) {
    const functions = module.exports.filter(({ kind }) => kind === 'function').map((entry) => entry.name);
    const known = functions.length > 12 ? [...functions.slice(0, 12), '…'] : functions;
    throw new UsageError(`${module.path} exports no function ${name}; want one of ${known.join(', ')}`);
  }
  const { params } = type;
  if (params.length !== texts.length)
    throw new UsageError(
      `${name}(${params.join(', ')}) takes ${params.length} arguments; found ${texts.length}`,
    );
  return params.map((param, i) => argumentOf(param, texts[i] as string));
}

const BITS: Record<string, bigint> = { i32: 32n, i64: 64n };

/** Integers signed or unsigned, in decimal or hexadecimal. */
function argumentOf(type: string, text: string): unknown {
  const bits = BITS[type];
  if (bits !== undefined) return integer(type, bits, text);
  if (type === 'f32' || type === 'f64') {
    const number = /^[+-]?nan$/i.test(text) ? Number.NaN : Number(text.replace(/inf(inity)?$/i, 'Infinity'));
    if (text.trim() !== '' && (!Number.isNaN(number) || /nan/i.test(text))) return number;
    throw new UsageError(`argument '${text}' is no ${type}; want a number, inf or nan`);
  }
  if (type === 'externref') return text;
  if (type === 'funcref' && text === 'null') return null;
  throw new UsageError(`argument '${text}' can't be made a ${type}; want a function of numbers`);
}

function integer(type: string, bits: bigint, text: string): number | bigint {
  if (!/^[+-]?(0x[0-9a-f]+|\d+)$/i.test(text))
    throw new UsageError(`argument '${text}' is no ${type}; want an integer`);
  const value = text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text.replace(/^\+/, ''));
  const [least, most] = [-(1n << (bits - 1n)), (1n << bits) - 1n];
  if (value < least || value > most)
    throw new UsageError(`argument ${text} is no ${type}; want ${least} to ${most}`);
  return bits === 64n ? value : Number(value);
}

const textOf = (value: unknown): string => (Object.is(value, -0) ? '-0' : String(value));
