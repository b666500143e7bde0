// Hooks of the ES module loader (Node's module.registerHooks and module.register take the same) for the files of an app.
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { FileRecord } from '../../loader/bundle/app.ts';
import type { Mount } from './mount.ts';
import { BuiltinTarget, isBuiltin, type Resolver } from './resolve.ts';

interface Resolved {
  url: string;
  format?: string | null | undefined;
  shortCircuit?: boolean;
}
interface ResolveContext {
  parentURL?: string | undefined;
  conditions: string[];
}
interface Source {
  format: string;
  source?: string | Buffer | null;
  shortCircuit?: boolean;
}
type Next<Context, Result> = (what: string, context: Context) => Result;

/**
 * Node reads from the text of a CommonJS module which names it exports, and before 24 runs it with a `require` that has hardly
 * anything. So the text is there to be read, and what runs is what `require` gives. No name is used that it may have for itself.
 */
const BY_REQUIRE = 'arguments[2].exports = arguments[2].constructor.insituLoad(arguments[3]); return; ';
const isWhole = Number(process.versions.node.split('.')[0]) >= 24;

const URL_START = /^[a-z][a-z0-9+.-]*:/i;

export function esmHooks(mount: Mount, resolver: Resolver) {
  const insideOf = (url: string | undefined): string | undefined =>
    url?.startsWith('file:') ? mount.inside(fileURLToPath(url.replace(/[?#].*$/, ''))) : undefined;
  const find = (specifier: string, { parentURL, conditions }: ResolveContext): FileRecord | undefined => {
    if (isBuiltin(specifier)) return undefined;
    if (specifier.startsWith('file:')) {
      const inner = insideOf(specifier);
      return inner === undefined
        ? undefined
        : resolver.import(`${mount.path}/${inner}`, '', new Set(conditions));
    }
    const from = insideOf(parentURL);
    if (from === undefined || URL_START.test(specifier)) return undefined;
    const isRelative = /^\.{0,2}\//.test(specifier);
    const path = isRelative ? decodeURIComponent(specifier.replace(/[?#].*$/, '')) : specifier;
    return resolver.import(path, from.slice(0, Math.max(0, from.lastIndexOf('/'))), new Set(conditions));
  };
  return {
    /** What `require` asks is answered by Module._resolveFilename (modules.ts). */
    resolve<R extends Resolved | Promise<Resolved>>(
      specifier: string,
      context: ResolveContext,
      next: Next<ResolveContext, R>,
    ): R | Resolved {
      let record: FileRecord | undefined;
      try {
        record = context.conditions.includes('require') ? undefined : find(specifier, context);
      } catch (error) {
        if (error instanceof BuiltinTarget) return next(error.request, context);
        throw error;
      }
      if (record === undefined) return next(specifier, context);
      const [, rest = ''] = (/^(?:\.{0,2}\/|file:)[^?#]*([?#].*)$/.exec(specifier) ?? []) as string[];
      return {
        url: pathToFileURL(mount.pathOf(record)).href + rest,
        format: formatOf(record),
        shortCircuit: true,
      };
    },
    load<R extends Source | Promise<Source>>(
      url: string,
      context: { format?: string | null | undefined },
      next: Next<{ format?: string | null | undefined }, R>,
    ): R | Source {
      const inner = insideOf(url);
      const record = inner === undefined ? undefined : mount.app.resolve(inner);
      if (record?.kind !== 'file') return next(url, context);
      const format = formatOf(record) ?? context.format ?? 'commonjs';
      if (format === 'addon') return { format, shortCircuit: true };
      if (format === 'wasm') return { format, source: mount.bytesOf(record), shortCircuit: true };
      const text = mount.textOf(record);
      const source = format === 'commonjs' && !isWhole ? BY_REQUIRE + text.replace(/^#!/, '//') : text;
      return { format, source, shortCircuit: true };
    },
  };
}

const formatOf = ({ format }: FileRecord): string | undefined =>
  format === 'none' || format === 'shared' ? undefined : format;
