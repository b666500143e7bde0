// insitu run of WebAssembly: in this process, as node:wasi and compiled code both need it.
import type { LoadOptions } from '../../loader/index.ts';
import type { RunReport } from '../program/supervise.ts';
import { runPreview1, type Surroundings } from '../wasi/preview1.ts';
import { isTrap, openProgram } from '../wasi/program.ts';
import { reportOf } from '../wasi/report.ts';
import { UsageError } from './outcome.ts';
import { say, TRAPPED } from './say.ts';
import { printable } from './text.ts';

export interface WasmRun {
  path: string;
  family: 'wasm-module' | 'wasm-component';
  options: LoadOptions;
  /** argv[0] first. */
  args: readonly string[];
  /** As --dir has them. */
  directories: readonly string[];
  deliver: ((report: RunReport) => void) | undefined;
}

/** @returns the program's exit code @throws UsageError, LoadError, as preview1.ts says */
export async function runWasm(run: WasmRun): Promise<number> {
  const around = { args: run.args, env: process.env, preopens: preopensOf(run.directories) };
  return runModule(run, around);
}

/** 'HOST::GUEST', or a directory under its own name, by the guest's name. @throws UsageError */
function preopensOf(directories: readonly string[]): Record<string, string> {
  const preopens: Record<string, string> = {};
  for (const text of directories) {
    const [host = '', guest = host, ...more] = text.split('::');
    if (host === '' || guest === '' || more.length > 0)
      throw new UsageError(`--dir ${text}: want HOST or HOST::GUEST, two directories`);
    preopens[guest] = host;
  }
  return preopens;
}

async function runModule({ path, options, deliver }: WasmRun, around: Surroundings): Promise<number> {
  const program = openProgram(path, options);
  if (program.loaded === null)
    say(`${path} runs in V8: ${program.why}; want it installed (insitu install ${path})`);
  blockStandardStreams();
  const before = process.resourceUsage();
  const began = process.hrtime.bigint();
  const exitCode = await runPreview1(path, program.module, around).catch((error) => trapped(path, error));
  const elapsedNs = Number(process.hrtime.bigint() - began);
  const after = process.resourceUsage();
  const faults = {
    minor: after.minorPageFault - before.minorPageFault,
    major: after.majorPageFault - before.majorPageFault,
  };
  deliver?.(reportOf(program, options.place ?? 'in-place', { exitCode, elapsedNs, faults }));
  return exitCode;
}

function trapped(path: string, error: unknown): number {
  if (!isTrap(error)) throw error;
  const frames = (error.stack ?? '').split('\n').filter((line) => /wasm-function\[/.test(line));
  say([`${path}: trap: ${error.message}`, ...frames].map(printable).join('\n'));
  return TRAPPED;
}

/** Streams of Node make pipes non-blocking; a program that fills one would be told EAGAIN. */
function blockStandardStreams(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const { _handle: handle } = stream as { _handle?: { setBlocking?(blocking: boolean): void } };
    handle?.setBlocking?.(true);
  }
}
