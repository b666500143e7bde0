// Command lines, by node:util's parseArgs.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './outcome.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/** @throws UsageError on an unknown option or a value that is missing */
export function parse<T extends Options>(
  args: readonly string[],
  options: T,
): { values: { [K in keyof T | 'help']?: ValueOf<T, K> }; positionals: string[] } {
  try {
    const config = { ...options, help: { type: 'boolean', short: 'h' } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options: config, allowPositionals: true });
    return { values: values as { [K in keyof T | 'help']?: ValueOf<T, K> }, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0] ?? 'bad option');
  }
}

type ValueOf<T extends Options, K> = K extends keyof T
  ? T[K] extends { type: 'string'; multiple: true }
    ? string[]
    : T[K]['type'] extends 'string'
      ? string
      : boolean
  : boolean;

/**
 * Splits at the first argument that is no option: what follows belongs to somebody else. `valued` = options that
 * take their value as the next argument.
 */
export function untilFile(
  args: readonly string[],
  valued: readonly string[],
): [own: string[], rest: string[]] {
  let i = 0;
  while (i < args.length && args[i]?.startsWith('-') && args[i] !== '--')
    i += valued.includes(args[i] as string) ? 2 : 1;
  const rest = args.slice(args[i] === '--' ? i + 1 : i);
  return [args.slice(0, i), rest];
}

/** JSON on stdout: addresses as hexadecimal strings. */
export function printJson(value: unknown): void {
  process.stdout.write(`${toJson(value)}\n`);
}

export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `0x${v.toString(16)}` : v), 2);
}
