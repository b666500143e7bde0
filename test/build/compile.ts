// Compiles a test's inline source. The same source and flags are compiled once: later runs copy from a cache.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process, { env, pid } from 'node:process';
import { fileURLToPath } from 'node:url';

export type Kind = 'shared' | 'static' | 'static-pie' | 'pie' | 'no-pie';
export type Language = 'c' | 'c++' | 'asm';

export interface CompileOptions {
  /** File name of the output, such as `libx.so`; the SONAME stays unset unless `flags` sets it. */
  name: string;
  kind: Kind;
  /** Further compiler and linker flags, after those of `kind`; libraries such as `-lm` too. */
  flags?: string[];
  /**
   * ELF shared objects to link with, by path: DT_NEEDED holds their SONAME, or their base name if they have none.
   * Finding them again is up to the caller (`-Wl,-rpath,$ORIGIN`).
   */
  libraries?: string[];
  /** Default `c`; `asm` is GNU assembler that goes through the C preprocessor. */
  language?: Language;
  /** Existing directory for the output; default: one temporary directory of this process, gone at its exit. */
  dir?: string;
}

const cacheDirectory = fileURLToPath(new URL('../../build/test-cache', import.meta.url));

const kindFlags: Record<Kind, string[]> = {
  shared: ['-shared', '-fPIC'],
  static: ['-static', '-no-pie', '-fno-pie'],
  'static-pie': ['-static-pie', '-fPIE'],
  pie: ['-pie', '-fPIE'],
  'no-pie': ['-no-pie', '-fno-pie'],
};

const languageName: Record<Language, string> = { c: 'c', 'c++': 'c++', asm: 'assembler-with-cpp' };

let temporary: string | undefined;

/** The temporary directory of this process: made at the first call, removed with its contents at exit. */
export function temporaryDirectory(): string {
  if (temporary !== undefined) return temporary;
  const made = mkdtempSync(join(tmpdir(), 'insitu-test-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  temporary = made;
  return made;
}

function compilerFor(language: Language): [string, ...string[]] {
  const [command, ...first] = (language === 'c++' ? env.CXX : env.CC)?.trim().split(/\s+/) ?? [];
  if (command) return [command, ...first];
  return [language === 'c++' ? 'c++' : 'cc'];
}

const versions = new Map<string, string>();

/** The compiler's `--version`: another compiler is another output. Asked once per process. */
function versionOf([command, ...first]: [string, ...string[]]): string {
  const key = [command, ...first].join(' ');
  const known = versions.get(key);
  if (known !== undefined) return known;
  const version = execFileSync(command, [...first, '--version'], { encoding: 'utf8' });
  versions.set(key, version);
  return version;
}

function digest(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 32);
}

function contentDigest(path: string): string {
  return digest(readFileSync(path));
}

function runCompiler(compiler: [string, ...string[]], args: string[], source: string, name: string): void {
  const [command, ...first] = compiler;
  try {
    execFileSync(command, [...first, ...args], {
      input: source,
      stdio: ['pipe', 'ignore', 'pipe'],
      encoding: 'utf8',
    });
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(`${name}: ${command} ${args.join(' ')} failed:\n${stderr || message}`, { cause: error });
  }
}

/**
 * Compiles and links `source` (which the compiler reads from its standard input) into an ELF file.
 *
 * @returns the path of the ELF file. It is a copy of its own: it may be patched or removed.
 * @throws Error with the compiler's standard error when it refuses the source or cannot be run. CC and CXX choose other
 * compilers than cc and c++.
 */
export function compileC(source: string, options: CompileOptions): string {
  const { name, kind, flags = [], libraries = [], language = 'c' } = options;
  const compiler = compilerFor(language);
  const names = libraries.map((path) => basename(path));
  const args = [
    '-O1',
    '-g0',
    '-Wl,--build-id=none',
    ...kindFlags[kind],
    '-x',
    languageName[language],
    '-',
    '-x',
    'none',
  ];
  args.push(...flags, ...names.map((library) => `-l:${library}`));
  const key = digest(
    JSON.stringify([versionOf(compiler), compiler, args, source, libraries.map(contentDigest)]),
  );
  const cached = join(cacheDirectory, key);
  if (!existsSync(cached)) {
    mkdirSync(cacheDirectory, { recursive: true });
    const unfinished = `${cached}.${pid}`;
    try {
      const search = libraries.map((path) => `-L${dirname(path)}`);
      runCompiler(compiler, [...search, ...args, '-o', unfinished], source, name);
      renameSync(unfinished, cached); // whole or not at all, whoever else compiles the same
    } finally {
      rmSync(unfinished, { force: true });
    }
  }
  const output = join(options.dir ?? temporaryDirectory(), name);
  mkdirSync(dirname(output), { recursive: true });
  rmSync(output, { force: true }); // a new inode: whoever has the old one mapped or running keeps it
  copyFileSync(cached, output, constants.COPYFILE_FICLONE);
  return output;
}
