// The packages: what each runs, and which of its modules have an image.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { here, inPackage } from './places.ts';

export interface Module {
  name: string;
  bytes: () => Uint8Array;
}

export interface Row {
  name: string;
  /** Of Node: a script and its arguments. */
  command: string[];
  /** All of them run in place; 'met': whatever the job compiles, as it is learnt from a run of it. */
  modules: Module[] | 'met';
  /** Modules with no image are V8's: those that a package makes for a function each, and Node's own of fetch. */
  others?: boolean;
}

const file = (name: string): Module => ({ name, bytes: () => readFileSync(inPackage(name)) });
const job = (name: string): string[] => [here(`jobs/${name}.mjs`)];

/** What a package keeps as text. */
const inScript = (name: string): Module => ({
  name,
  bytes: () => createRequire(import.meta.url)(name) as Uint8Array,
});

const parser = 'web-tree-sitter/web-tree-sitter.wasm';
const grammars = ['json', 'javascript'].map((name) => `tree-sitter-${name}/tree-sitter-${name}.wasm`);

/** Rust, C with libc and without, C++ with exceptions and embind, AssemblyScript, by hand; from files, base64, packed. */
const met: Row[] = [
  ...['source-map', 'oniguruma', 'hashes', 'tiktoken', 'yoga', 'graphviz', 'brotli', 'sodium', 'lexers'],
].map((name) => ({ name, command: job(name), modules: 'met', others: true }));

export const rows: Row[] = [
  {
    name: 'quickjs-emscripten',
    command: job('quickjs'),
    modules: [file('@jitl/quickjs-wasmfile-release-sync/wasm')],
  },
  { name: 'sql.js', command: job('sqljs'), modules: [file('sql.js/dist/sql-wasm.wasm')], others: true },
  {
    name: '@sqlite.org/sqlite-wasm',
    command: job('sqlite-wasm'),
    modules: [file('@sqlite.org/sqlite-wasm/sqlite3.wasm')],
    others: true,
  },
  {
    name: '@resvg/resvg-wasm',
    command: job('resvg'),
    modules: [file('@resvg/resvg-wasm/index_bg.wasm')],
    others: true,
  },
  {
    name: 'fairy-stockfish-nnue.wasm', // threads and vectors
    command: job('stockfish'),
    modules: [file('fairy-stockfish-nnue.wasm/stockfish.wasm')],
  },
  { name: 'web-tree-sitter', command: job('tree-sitter'), modules: [parser, ...grammars].map(file) },
  {
    name: 'undici',
    command: job('undici'),
    modules: [inScript('undici/lib/llhttp/llhttp_simd-wasm.js')],
    others: true,
  },
  {
    name: 'esbuild-wasm',
    command: [
      inPackage('esbuild-wasm/bin/esbuild'),
      ...[
        inPackage('undici'),
        '--bundle',
        '--minify',
        '--platform=node',
        '--target=es2020',
        '--sourcemap=inline',
      ],
    ],
    modules: [file('esbuild-wasm/esbuild.wasm')],
  },
  ...met,
];
