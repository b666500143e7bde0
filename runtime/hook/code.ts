// V8's code cache for insitu's own JavaScript under the hook. What V8 once compiled of it, on this machine and by this Node,
// is there at a start in a third of the time, and so is what runs when a module is instantiated. It lies beside the code
// (make-code.ts writes it), under a name that says of which code, V8 and processor it is; V8 checks it against its flags.
// Where there is none, or anything is wrong with it, files are required as ever.
import { readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';
import { once } from '../../loader/once.ts';
import { moduleFile } from '../../loader/root.ts';

export type Part = 'namespace' | 'engine' | 'bundle';

/** Told before the part's entry is required. */
export interface Loading {
  ready(part: Part): void;
}

/** Set in the bundle (esbuild.config.ts): a hash of the files, and they themselves, each behind those that it requires. */
declare const BUNDLE: { readonly id: string; readonly files: Record<Part, readonly string[]> } | undefined;
const bundle = typeof BUNDLE === 'undefined' ? undefined : BUNDLE;

export const codeFile = (): string | undefined =>
  bundle && moduleFile(`code/${bundle.id}-${process.versions.v8}-${process.arch}`).replace(/cjs$/, 'bin');

export const filesOf = (part: Part): string[] => (bundle?.files[part] ?? []).map((name) => moduleFile(name));

/** Of all parts: the order of the cached data. */
export const allFiles = (): string[] =>
  Object.keys(bundle?.files ?? {}).flatMap((part) => filesOf(part as Part));

/** The cached data of each file: its length in 4 bytes, then itself. */
export function parse(code: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < code.length; ) {
    const length = code.readUInt32LE(at);
    found.push(code.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

/** What `require` of the file makes of it from then on, which must not import(). @returns undefined where the cached data is of no use */
export function evaluate(file: string, cachedData: Buffer | undefined): Script | undefined {
  const source = Module.wrap(readFileSync(file, 'utf8'));
  const script = new Script(source, { filename: file, ...(cachedData && { cachedData }) });
  if (script.cachedDataRejected) return undefined;
  const require = createRequire(file);
  const module = new Module(file) as NodeJS.Module;
  Object.assign(module, { filename: file, paths: [] });
  require.cache[file] = module;
  try {
    script.runInThisContext().call(module.exports, module.exports, require, module, file, dirname(file));
  } catch (error) {
    delete require.cache[file];
    throw error;
  }
  module.loaded = true;
  return script;
}

function fromCache(): Loading {
  let cached: Buffer[] | undefined;
  return {
    ready(part) {
      try {
        cached ??= parse(readFileSync(codeFile() as string));
        const all = allFiles();
        for (const file of filesOf(part)) {
          const data = cached[all.indexOf(file)];
          if (data === undefined || evaluate(file, data) === undefined) break;
        }
      } catch {
        cached = []; // required as ever; what is wrong shows then, if anything is
      }
    },
  };
}

/** Of this thread. */
export const loading = (make: () => Loading = fromCache): Loading => once('loading', make);
