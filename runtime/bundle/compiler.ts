// V8's code cache of an app's scripts: what V8 made of them in a warm run (insitu run --warm) is in the app's region at the next
// start. A script without, or with a piece that V8 refuses, as it is of another version or other flags, is compiled as ever.
import { Script } from 'node:vm';
import { pieceOf } from '../../loader/bundle/code.ts';

/** Makes a script of its text; undefined where it is to be compiled as ever. `record`: its number in the app. */
export type Compile = (record: number, text: string, filename: string) => Script | undefined;

const [BEFORE, BEHIND] = ['(function (exports, require, module, __filename, __dirname) { ', '\n});'];

/** Traces tell columns of the text itself. */
function scriptOf(text: string, filename: string, cachedData?: Buffer): Script {
  return new Script(BEFORE + text.replace(/^#!/, '//') + BEHIND, {
    filename,
    columnOffset: -BEFORE.length,
    ...(cachedData && { cachedData }),
  });
}

/** Also what it makes of a text of its own, as TypeScript's `new Function('x', 'return import(x)')`. */
export function mayImport(text: string): boolean {
  if (!/\bimport\s*\(/.test(text)) return false;
  for (const [, before = ''] of text.matchAll(/^(.*)\bimport\s*\(/gm))
    if (!OF_A_TYPE.test(before)) return true;
  return false;
}

/** In a comment, as `* @param {import('x').Y} name`. */
const OF_A_TYPE = /^\s*(?:\*\s|\/\/|\/\*).*[{<|,(]\s*(?:typeof\s+)?$/;

/** @param code the entry's bytes, mapped */
export const fromCode =
  (code: Buffer): Compile =>
  (record, text, filename) => {
    const data = pieceOf(code, record);
    const script = data && scriptOf(text, filename, data);
    return script?.cachedDataRejected ? undefined : script;
  };

export interface Collector {
  compile: Compile;
  /** Of each script what V8 has by now, functions that have run among it. */
  data(): Map<number, Buffer>;
}

export function collector(): Collector {
  const scripts = new Map<number, Script>();
  return {
    compile(record, text, filename) {
      if (mayImport(text)) return undefined; // what vm compiles cannot, without a warning
      const script = scriptOf(text, filename);
      scripts.set(record, script);
      return script;
    },
    data: () => new Map([...scripts].map(([record, script]) => [record, script.createCachedData()])),
  };
}
