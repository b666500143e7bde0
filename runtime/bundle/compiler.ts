// V8's code cache of an app's scripts: what V8 made of them in a warm run (insitu run --warm) is in the app's region at the next
// start. A script without, or with a piece that V8 refuses, as it is of another version or other flags, is compiled as ever.
import { compileFunction, constants, Script } from 'node:vm';
import { type Piece, pieceOf } from '../../loader/bundle/code.ts';

export interface Compiled {
  script: Script;
  mayImport: boolean;
}

/** Makes a script of its text; undefined where it is to be compiled as ever. `record`: its number in the app. */
export type Compile = (record: number, text: string, filename: string) => Compiled | undefined;

const [BEFORE, BEHIND] = ['(function (exports, require, module, __filename, __dirname) { ', '\n});'];

/** import() in such a script is the main loader's. The V8 of Node 20 forgets that of a script that comes from its cache. */
const isKept = Number(process.versions.node.split('.')[0]) >= 22;
const LOADER: unknown = isKept ? constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER : undefined;

/** Traces tell columns of the text itself. */
function scriptOf(text: string, filename: string, mayImport: boolean, cachedData?: Buffer): Script {
  if (mayImport) withoutRemark();
  return new Script(BEFORE + text.replace(/^#!/, '//') + BEHIND, {
    filename,
    columnOffset: -BEFORE.length,
    ...(mayImport && { importModuleDynamically: LOADER as never }),
    ...(cachedData && { cachedData }),
  });
}

let isLeftOut = false;

/** Node remarks at the first import() of a script that was compiled so that this is experimental: the program has no part in it. */
function withoutRemark(): void {
  if (isLeftOut) return;
  isLeftOut = true;
  const { emitWarning } = process;
  process.emitWarning = (...args: [string | Error, ...unknown[]]) => {
    if (!`${args[0]}`.startsWith('vm.USE_MAIN_CONTEXT_DEFAULT_LOADER'))
      return Reflect.apply(emitWarning, process, args);
    process.emitWarning = emitWarning; // it comes once
  };
}

/** Also what it makes of a text of its own, as TypeScript's `new Function('x', 'return import(x)')`. */
export function mayImport(text: string): boolean {
  if (!IMPORT.test(text)) return false;
  for (const [, before = ''] of text.matchAll(/^(.*)\bimport\s*(?:\/\*[\s\S]*?\*\/\s*)*\(/gm))
    if (!OF_A_TYPE.test(before)) return true;
  return false;
}

/** In a comment, as `* @param {import('x').Y} name`. */
const OF_A_TYPE = /^\s*(?:\*\s|\/\/|\/\*(?!.*\*\/))(?!.*\*\/).*[{<|,(]\s*(?:typeof\s+)?$/;
const IMPORT = /\bimport\s*(?:\/\*[\s\S]*?\*\/\s*)*\(/;

/** @param code the entry's bytes, mapped */
export const fromCode =
  (code: Buffer): Compile =>
  (record, text, filename) => {
    const piece = pieceOf(code, record);
    if (piece === undefined) return undefined;
    const script = scriptOf(text, filename, piece.mayImport, piece.data);
    return script.cachedDataRejected ? undefined : { script, mayImport: piece.mayImport };
  };

export interface Collector {
  compile: Compile;
  /** Of each script what V8 has by now, functions that have run among it. */
  pieces(): Map<number, Piece>;
}

export function collector(): Collector {
  const scripts = new Map<number, Compiled>();
  return {
    compile(record, text, filename) {
      const imports = mayImport(text);
      if (imports && LOADER === undefined) return undefined;
      compileFunction(text.replace(/^#!/, '//')); // a text may not close what it is wrapped in
      const compiled = { script: scriptOf(text, filename, imports), mayImport: imports };
      scripts.set(record, compiled);
      return compiled;
    },
    pieces: () =>
      new Map(
        [...scripts].map(([record, { script, mayImport }]) => [
          record,
          { data: script.createCachedData(), mayImport },
        ]),
      ),
  };
}
