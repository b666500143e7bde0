// What there is to know of a module before its starts are timed: what it imports, the call, its image.
import { readFileSync } from 'node:fs';
import { type Backing, OpenFile } from '../../../loader/backing.ts';
import { decode } from '../../../loader/compile/decode.ts';
import type { FunctionType, Module, ValueType } from '../../../loader/compile/module.ts';
import { LoadError } from '../../../loader/error.ts';
import { type Image, read } from '../../../loader/image.ts';
import type { Found } from '../../../loader/images/find.ts';
import { imageOfFile } from '../../../loader/images/find-file.ts';
import { type Record, readRecord } from '../../../loader/images/record.ts';
import type { CompareOptions } from '../comparison.ts';
import type { CallRequest, NumberType, Wanted } from './request.ts';

export interface Subject {
  found: Found;
  record: Record;
  image: Image;
  /** Of the image. */
  backing: Backing;
  imports: Wanted[];
  call: CallRequest | undefined;
}

/** @throws LoadError when it has no image, or no such export, or the arguments are not those of the export */
export function examine(path: string, { call }: CompareOptions): Subject {
  const found = imageOfFile(path);
  if (found === undefined)
    throw new LoadError('ERR_NO_ENTRY', path, 'is in no store; want it installed (insitu install FILE)');
  const module = decode(readFileSync(path));
  const wanted = call === undefined ? undefined : callOf(path, module, call.prototype, call.args);
  using file = new OpenFile(found.image);
  return {
    found,
    record: readRecord(found.image),
    image: read(file),
    backing: file.backing,
    imports: module.imports.map((entry) => wantedOf(module, entry)),
    call: wanted,
  };
}

function wantedOf(module: Module, entry: Module['imports'][number]): Wanted {
  const { kind, name } = entry;
  const at = { module: entry.module, name };
  if (kind === 'function') return { ...at, kind };
  if (kind === 'tag') return { ...at, kind, type: module.types[entry.typeIndex] as FunctionType };
  return { ...at, kind, type: entry.type } as Wanted;
}

const numberTypes: Partial<globalThis.Record<ValueType, NumberType>> = {
  127: 'i32',
  126: 'i64',
  125: 'f32',
  124: 'f64',
};

function callOf(path: string, module: Module, name: string, texts: readonly string[]): CallRequest {
  const refuse = (text: string) => new LoadError('ERR_PROTOTYPE', path, text);
  const functions = module.exports.filter(({ kind }) => kind === 'function');
  const index = functions.find((entry) => entry.name === name)?.index;
  if (index === undefined) throw refuse(`exports no function ${name}; want one of ${someOf(functions)}`);
  const { params, results } = module.types[module.functions[index]?.typeIndex ?? -1] as FunctionType;
  if (params.length !== texts.length)
    throw refuse(`${name} takes ${params.length} arguments; found ${texts.length}`);
  const args = params.map((param, i) => {
    const type = numberTypes[param];
    const text = texts[i] as string;
    if (type === undefined) throw refuse(`${name} takes what is no number; want i32, i64, f32 and f64 only`);
    if (!isNumber(text, type)) throw refuse(`${name}: argument ${i + 1} is '${text}'; want ${type}`);
    return { type, text };
  });
  return { name, args, results: results.length };
}

function isNumber(text: string, type: NumberType): boolean {
  if (type.startsWith('i')) return /^(-?\d+|0x[\da-f]+)$/i.test(text);
  return text.trim() !== '' && !Number.isNaN(Number(text));
}

function someOf(exports: Module['exports']): string {
  const names = exports.slice(0, 8).map(({ name }) => name);
  return `${names.join(', ') || 'none: it exports no function'}${exports.length > 8 ? ', …' : ''}`;
}
