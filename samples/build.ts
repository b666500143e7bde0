// Compiles the samples from their sources beside this file, with the system's compilers.
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { argv, env, pid } from 'node:process';
import { fileURLToPath } from 'node:url';

export type SampleName =
  | 'hello-static'
  | 'hello-dynamic'
  | 'counter'
  | 'throws'
  | 'addon'
  | 'textrel'
  | 'hash';

interface Recipe {
  source: string;
  output: string;
  flags: string[];
}

const root = fileURLToPath(new URL('..', import.meta.url));
const shared = ['-shared', '-fPIC'];

const recipes: Record<SampleName, Recipe> = {
  'hello-static': { source: 'hello-static.c', output: 'hello-static', flags: ['-static', '-no-pie'] },
  'hello-dynamic': { source: 'hello-dynamic.c', output: 'hello-dynamic', flags: ['-fPIE', '-pie'] },
  counter: { source: 'counter.c', output: 'libcounter.so', flags: shared },
  throws: { source: 'throws.cc', output: 'libthrows.so', flags: shared },
  addon: {
    source: 'addon.c',
    output: 'addon.node',
    flags: [...shared, `-I${join(root, 'node_modules/node-api-headers/include')}`],
  },
  textrel: { source: 'textrel.s', output: 'libtextrel.so', flags: ['-shared', '-nostdlib', '-Wl,-z,notext'] },
  hash: { source: 'hash.c', output: 'libhash.so', flags: [...shared, '-nostdlib'] },
};

const common = ['-O2', '-g0', '-Wall', '-Wextra', '-Wl,-z,relro,-z,now,-z,separate-code,--build-id=none'];

/** A compiler's command and first arguments: CC='ccache gcc' is two words. */
function compilerFor(source: string): [string, ...string[]] {
  const words = (source.endsWith('.cc') ? env.CXX : env.CC)?.trim().split(/\s+/) ?? [];
  const [command, ...rest] = words;
  return command ? [command, ...rest] : [source.endsWith('.cc') ? 'c++' : 'cc'];
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function compile(recipe: Recipe, outDir: string): string {
  const source = join(root, 'samples', recipe.source);
  const output = join(outDir, recipe.output);
  if (changedAt(output) > Math.max(changedAt(source), changedAt(fileURLToPath(import.meta.url))))
    return output;

  const [command, ...first] = compilerFor(recipe.source);
  const unfinished = `${output}.${pid}`;
  try {
    execFileSync(command, [...first, ...common, ...recipe.flags, '-o', unfinished, source], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    });
    renameSync(unfinished, output); // a process that has the old one mapped keeps it whole
  } finally {
    rmSync(unfinished, { force: true });
  }
  return output;
}

/**
 * Compiles every sample whose source (or this file) is newer than its output; does nothing else.
 *
 * @param outDir directory for the outputs, created if missing; default `build/samples` under the project root.
 * @returns the absolute path of each sample's ELF file.
 * @throws Error of child_process.execFileSync when a compiler is missing or refuses (its `stderr` says why); CC and
 * CXX choose other compilers than cc and c++.
 */
export function buildSamples(outDir: string = join(root, 'build/samples')): Record<SampleName, string> {
  const directory = resolve(outDir);
  mkdirSync(directory, { recursive: true });
  const built = Object.entries(recipes).map(([name, recipe]) => [name, compile(recipe, directory)]);
  return Object.fromEntries(built) as Record<SampleName, string>;
}

if (argv[1] !== undefined && resolve(argv[1]) === fileURLToPath(import.meta.url)) {
  for (const path of Object.values(buildSamples(argv[2]))) console.log(path);
}
