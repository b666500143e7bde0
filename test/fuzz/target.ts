// Builds native/fuzz with clang, libFuzzer and the sanitizers into build/fuzz.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Plant } from './plants.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const native = join(root, 'native');
export const output = join(root, 'build/fuzz');

const underTest = ['elf', 'dynamic', 'symbols', 'plan', 'segments', 'relocate'];
const harness = ['fuzz_elf', 'mutate', 'planned', 'stage'];
/** The smallest set on Debian 12: without compiler-rt there is neither libFuzzer nor a sanitizer. */
const install = 'apt-get install -y --no-install-recommends clang-14 libclang-rt-14-dev';

const flags = [
  ...['-std=c++20', '-O1', '-g', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all'],
  // Not -I: native/elf.h is not <elf.h>.
  ...['-iquote', native],
];

function links(compiler: string): boolean {
  const source = 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }';
  const args = ['-fsanitize=fuzzer,address,undefined', '-x', 'c++', '-', '-o', '/dev/null'];
  return spawnSync(compiler, args, { input: source }).status === 0;
}

function findCompiler(): string | undefined {
  return [process.env.CLANGXX, 'clang++-14', 'clang++', 'clang++-19', 'clang++-16'].find(
    (name) => name !== undefined && name !== '' && links(name),
  );
}

/** The compiler; installed first where that may be done. Undefined, and one line that says what to run, elsewhere. */
export function compiler(): string | undefined {
  const there = findCompiler();
  if (there !== undefined) return there;
  if (process.getuid?.() === 0) {
    const run = (command: string) => spawnSync('sh', ['-c', command], { stdio: 'ignore' }).status === 0;
    if (!run(install)) run(`apt-get update && ${install}`);
    const installed = findCompiler();
    if (installed !== undefined) return installed;
  }
  console.log(`clang with libFuzzer is missing; as root: apt-get update && ${install}`);
  return undefined;
}

/** Where the source of `name` is read from: with a defect planted, its patched copy. */
function sourceOf(name: string, plant: Plant | undefined, directory: string): string {
  const path = join(native, `${name}.cc`);
  if (plant?.file !== `${name}.cc`) return path;
  const text = readFileSync(path, 'utf8');
  if (text.split(plant.check).length !== 2)
    throw new Error(`${plant.file}: want "${plant.check}" once; plants.ts is older than the source`);
  const patched = join(directory, plant.file);
  writeFileSync(patched, text.replace(plant.check, plant.instead));
  return patched;
}

/** Builds the target in a directory of its own and answers the path of the executable. */
export function build(clang: string, plant?: Plant): string {
  const directory = plant === undefined ? join(output, 'target') : join(output, 'plant', plant.name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const compile = (source: string, name: string, sanitize: string) => {
    const object = join(directory, `${name}.o`);
    execFileSync(clang, [...flags, `-fsanitize=${sanitize}`, '-c', source, '-o', object]);
    return object;
  };
  const objects = [
    ...underTest.map((name) =>
      compile(sourceOf(name, plant, directory), name, 'fuzzer-no-link,address,undefined'),
    ),
    // Its own branches are no coverage.
    ...harness.map((name) => compile(join(native, 'fuzz', `${name}.cc`), name, 'address,undefined')),
  ];
  const executable = join(directory, 'fuzz_elf');
  execFileSync(clang, ['-fsanitize=fuzzer,address,undefined', ...objects, '-o', executable]);
  return executable;
}
