// Command-line arguments as the values that a C prototype wants.
import { LoadError } from '../../loader/error.ts';

/** Parameters of a prototype, as written. */
function parameterTypes(prototype: string): string[] {
  const list = /\(([^()]*)\)\s*;?\s*$/.exec(prototype)?.[1];
  if (list === undefined)
    throw new LoadError('ERR_PROTOTYPE', prototype, "is no C prototype; want e.g. 'int add(int a, int b)'");
  const types = list.split(',').map((parameter) => parameter.trim());
  return types.length === 1 && (types[0] === 'void' || types[0] === '') ? [] : types;
}

const FLOATING = /\b(float|double|float32|float64)\b/;
const TEXT = /^(const\s+)?(char|str|string|str16)\b/;
const BOOLEAN = /\bbool\b/;

/** Range of C's integer types on LP64. A parameter may have a name behind its type: only type words count. */
function integerRange(parameter: string): [least: bigint, most: bigint] {
  const type = parameter
    .replace(/^const\s+/, '')
    .replace(/^((?:(?:const|unsigned|signed|short|long|int|char)\b\s*)+|\w+).*$/, '$1');
  const unsigned = /\bunsigned\b|\bu(int|char|short|long|llong)|\buint\d+|\bsize_t\b/.test(type);
  const bits = BigInt(
    /\d+/.exec(type)?.[0] ??
      (/char/.test(type) ? 8 : /short/.test(type) ? 16 : /long|size_t|ptr/.test(type) ? 64 : 32),
  );
  return unsigned ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
}

function value(type: string, text: string, prototype: string): unknown {
  if (type.includes('*') || /^(str|string)\b/.test(type)) {
    if (text === 'NULL' || text === 'null') return null;
    if (TEXT.test(type)) return text;
    if (/^0x[0-9a-f]+$/i.test(text)) return BigInt(text);
    return Buffer.from(text);
  }
  if (BOOLEAN.test(type)) {
    if (/^(true|1)$/.test(text)) return true;
    if (/^(false|0)$/.test(text)) return false;
    throw new LoadError('ERR_PROTOTYPE', prototype, `argument '${text}' is no ${type}; want true or false`);
  }
  if (FLOATING.test(type)) {
    const number = Number(text);
    if (text.trim() !== '' && !Number.isNaN(number)) return number;
  } else if (/^[+-]?(0x[0-9a-f]+|\d+)$/i.test(text)) {
    const integer = text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text.replace(/^\+/, ''));
    const [least, most] = integerRange(type);
    if (integer < least || integer > most)
      throw new LoadError(
        'ERR_PROTOTYPE',
        prototype,
        `argument ${text} is no ${type}; want ${least} to ${most}`,
      );
    const small = integer >= BigInt(Number.MIN_SAFE_INTEGER) && integer <= BigInt(Number.MAX_SAFE_INTEGER);
    return small ? Number(integer) : integer;
  }
  throw new LoadError('ERR_PROTOTYPE', prototype, `argument '${text}' is no ${type}; want a number`);
}

/**
 * @throws LoadError ERR_PROTOTYPE when number or form of the arguments does not fit
 */
export function parseArguments(prototype: string, args: readonly string[]): unknown[] {
  const types = parameterTypes(prototype);
  if (types.length !== args.length)
    throw new LoadError('ERR_PROTOTYPE', prototype, `takes ${types.length} arguments; found ${args.length}`);
  return types.map((type, i) => value(type, args[i] as string, prototype));
}
