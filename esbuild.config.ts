// Builds dist/: what runs, as CommonJS in a few files, since importing sixty modules costs more than starting anything that
// they map. `import` gets a twin (.mjs) of each public entry, which hands on what `require` of it gives: one copy of every
// state in a process, however it was asked for. Declarations are tsc's.
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { type BuildOptions, build } from 'esbuild';

const out = 'dist';
/** Entries of the package, and of child processes; and what is required in the middle of a synchronous call. */
const entries = [
  'runtime/index',
  'runtime/wasm/index',
  'runtime/cli/main',
  'runtime/compare/sample',
  'runtime/compare/wasm/sample',
  'loader/store/entry',
  'runtime/wasm/engine',
  'runtime/bundle/import-main',
  'runtime/hook/learn',
  'runtime/hook/make-code',
  'runtime/hook/namespace',
  'runtime/hook/report',
  'runtime/library/module-report',
  'runtime/library/opened-report',
];
const withTwin = [
  'runtime/index',
  'runtime/wasm/index',
  'runtime/hook/register',
  'runtime/bundle/esm-thread',
];
/** Chunks that are put together: each goes to the first of these whose entries all want it. */
const packs: Record<string, string[]> = {
  base: ['runtime/index', 'runtime/wasm/engine'],
  namespace: ['runtime/hook/namespace'],
  engine: ['runtime/wasm/engine'],
  wasm: ['runtime/wasm/index'],
  library: ['runtime/index'],
};

const options = {
  outbase: '.',
  outdir: out,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  metafile: true,
  write: false,
  define: { 'import.meta.filename': '__filename', BUNDLE: '__BUNDLE__' },
} as const satisfies BuildOptions;
const { outputFiles, metafile } = await build({
  ...options,
  entryPoints: entries.map((entry) => `${entry}.ts`),
  splitting: true,
});

// ---- ES modules, as esbuild writes them, to CommonJS

const renamed = (names: string, word: ':' | 'as'): string =>
  names
    .split(',')
    .map((name) => name.trim().split(' as '))
    .filter(([name]) => name !== '')
    .map(([from, to = from]) => (word === ':' ? `${from}: ${to}` : `${to}: ${from}`))
    .join(', ');

/** esbuild declares what is exported with `var`, `function` or `class`; an assignment beside that would be missed. */
function forbidAssignment(text: string, name: string): void {
  const assigned = new RegExp(
    `(?<!(?:var|const|let) )(?<![.\\w$])${name.replaceAll('$', '\\$')} (?:[-+*/%&|^?]{1,2})?=(?![=>])`,
  );
  const [found] = assigned.exec(text) ?? [];
  if (found) throw new Error(`bundle: ${name} is exported and assigned to: ${found}`);
}

/** The expression that gives, at run time, what an import of `from` names. */
type Place = (from: string) => string;

/**
 * A file of esbuild's, whose imports stand at its head and whose exports are one list at its end. Names are taken from
 * what is required at once and not looked up at each use: nothing of ours is exported and then assigned.
 */
function toCommonJs(text: string, place: Place): string {
  const body = text
    .replace(/^import \{([^}]*)\} from "([^"]+)";$/gm, (_, names, from) => {
      return `const { ${renamed(names, ':')} } = ${place(from)};`;
    })
    .replace(/^import \* as (\S+) from "([^"]+)";$/gm, (_, name, from) => `const ${name} = ${place(from)};`)
    .replace(/^import (\w+)(?:, \{([^}]*)\})? from "([^"]+)";$/gm, (_, name, names, from) => {
      const more = names === undefined ? '' : ` const { ${renamed(names, ':')} } = ${name};`;
      return `const ${name} = ${place(from)};${more}`;
    })
    .replace(/^import "([^"]+)";$/gm, (_, from) => `${place(from)};`)
    .replace(/^export \{([^}]*)\};$/gm, (_, names) => `module.exports = { ${renamed(names, 'as')} };`)
    .replace('createRequire(__filename)', 'require')
    .replace(/\bimport\("(\.[^"]+)"\)/g, (_, from) => `Promise.resolve().then(() => ${place(from)})`);
  for (const [, list = ''] of text.matchAll(/^export \{([^}]*)\};$/gm))
    for (const name of list.matchAll(/^\s*([\w$]+)/gm)) forbidAssignment(text, name[1] as string);
  const taken = /^(?:var|let|const|function|class) (?:module|exports|require)\b/m.exec(body);
  if (taken) throw new Error(`bundle: a name that CommonJS has for itself: ${taken[0]}`);
  const left = /^(?:import|export)\b.*/m.exec(body);
  if (left) throw new Error(`bundle: a line of a form that is not known: ${left[0]}`);
  return body;
}

// ---- packs: chunks that are wanted together, in one file, each evaluated when it is first asked for

/** All that `file` imports, and they in turn, before it runs itself. */
function importedBy(file: string, seen = new Set<string>()): Set<string> {
  for (const { path, kind } of metafile.outputs[file]?.imports ?? []) {
    if (kind !== 'import-statement' || seen.has(path) || !(path in metafile.outputs)) continue;
    seen.add(path);
    importedBy(path, seen);
  }
  return seen;
}

const wants = Object.entries(packs).map(
  ([name, of]) => [name, of.map((entry) => importedBy(`${out}/${entry}.js`))] as const,
);
const isChunk = (file: string): boolean => basename(dirname(file)) === 'chunks';
const packOf = (chunk: string): string | undefined =>
  wants.find(([, wanted]) => wanted.every((chunks) => chunks.has(chunk)))?.[0];

/** A name for what is at `path`, wherever it is required from. */
const nameOf = (path: string): string => basename(path, '.js').replaceAll('-', '_');

const required = (file: string, target: string): string => {
  const way = relative(dirname(file), target);
  return `require("${way.startsWith('.') ? way : `./${way}`}")`;
};
const packFile = (pack: string): string => `${out}/chunks/${pack}.cjs`;

const placeFrom =
  (file: string): Place =>
  (from) => {
    if (!from.startsWith('.')) return `require("${from}")`;
    const path = join(dirname(file), from);
    const pack = isChunk(path) ? packOf(path) : undefined;
    if (pack === undefined) return required(file, path.replace(/\.js$/, '.cjs'));
    const isOwn = isChunk(file) && packOf(file) === pack;
    return `${isOwn ? '' : `pack_${pack}.`}${nameOf(path)}()`;
  };

/** Each pack is required once in a file. */
function withPacks(file: string, body: string): string {
  const used = new Set([...body.matchAll(/\bpack_(\w+)\./g)].map(([, pack]) => pack as string));
  const lines = [...used].map((pack) => `const pack_${pack} = ${required(file, packFile(pack))};\n`);
  const [, first = '', rest = ''] = /^(#![^\n]*\n)?(.*)$/s.exec(body) ?? [];
  return `${first}"use strict";\n${lines.join('')}${rest}`;
}

/** In parentheses: V8 compiles such a function with the file, and need not read it twice. */
const inPack = (path: string, body: string): string =>
  [
    `let of_${nameOf(path)};`,
    `const ${nameOf(path)} = exports.${nameOf(path)} = (function() {`,
    `if (of_${nameOf(path)} !== undefined) return of_${nameOf(path)};`,
    body.replace('module.exports =', `return of_${nameOf(path)} =`),
    '});',
    '',
  ].join('\n');

// ---- dist/

function twinOf(entry: string): string {
  const names = [...(files.get(`${out}/${entry}.cjs`) ?? '').matchAll(/^module\.exports = \{ (.*) \};$/gm)]
    .flatMap(([, list = '']) => list.split(', '))
    .map((name) => name.split(':')[0] as string);
  const named = names.filter((name) => name !== 'default');
  return [
    `import { createRequire } from 'node:module';`,
    `const all = createRequire(import.meta.url)('./${basename(entry)}.cjs');`,
    `export const { ${named.join(', ')} } = all;`,
    ...(names.includes('default') ? ['export default all.default;'] : []),
    '',
  ].join('\n');
}

const files = new Map<string, string>();
function add(path: string, text: string): void {
  const file = relative('.', path);
  const body = toCommonJs(text, placeFrom(file));
  const pack = isChunk(file) ? packOf(file) : undefined;
  if (pack === undefined) files.set(file.replace(/\.js$/, '.cjs'), body);
  else {
    const whole = packFile(pack);
    files.set(whole, (files.get(whole) ?? '') + inPack(file, body));
  }
}
for (const { path, text } of outputFiles) add(path, text);

// ---- the preload, what opens addons, and what runs an app from a region, each by itself: every start under the hook pays for
// the first, a start that needs it for another one. What they share with others is shared at run time (loader/once.ts). The preload knows which files to find
// in the code cache (runtime/hook/code.ts).

const cached = {
  namespace: ['chunks/base', 'chunks/namespace', 'runtime/hook/namespace'],
  engine: ['chunks/engine', 'runtime/wasm/engine'],
  bundle: ['runtime/bundle/attach'],
};
const alone = ['hook/register', 'hook/libraries', 'bundle/attach', 'bundle/esm-thread'];
const { outputFiles: filesAlone } = await build({
  ...options,
  entryPoints: alone.map((entry) => `runtime/${entry}.ts`),
});
for (const { path, text } of filesAlone) add(path, text);
const hash = createHash('sha256');
for (const name of new Set(Object.values(cached).flat()))
  hash.update(files.get(`${out}/${name}.cjs`) as string);
const known = JSON.stringify({ id: hash.digest('hex').slice(0, 16), files: cached });
for (const [file, text] of files) files.set(file, text.replaceAll('__BUNDLE__', `(${known})`));

// ---- written

mkdirSync(join(out, 'chunks'), { recursive: true });
for (const [file, body] of files) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, withPacks(file, body));
}
for (const entry of withTwin) writeFileSync(join(out, `${entry}.mjs`), twinOf(entry));
for (const name of readdirSync(join(out, 'chunks')))
  if (!files.has(`${out}/chunks/${name}`)) rmSync(join(out, 'chunks', name));
chmodSync(join(out, 'runtime/cli/main.cjs'), 0o755);

const { makeCode } = createRequire(import.meta.url)('./dist/runtime/hook/make-code.cjs');
if (!(await makeCode())) console.error('bundle: no code cache could be made; the hook starts without one');
