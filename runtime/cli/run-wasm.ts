// insitu run of WebAssembly: in this process, as node:wasi and compiled code both need it.
import type { LoadOptions } from '../../loader/index.ts';
import type { RunReport } from '../program/supervise.ts';
import { checkProgram, runPreview1, type Surroundings } from '../wasi/preview1.ts';
import { isTrap, linkProgram, openProgram } from '../wasi/program.ts';
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

/** @returns the program's exit code @throws UsageError, LoadError, as preview1.ts and command.ts say */
export async function runWasm(run: WasmRun): Promise<number> {
  const around = { args: run.args, env: process.env, preopens: preopensOf(run.directories) };
  return run.family === 'wasm-module' ? runModule(run, around) : runComponent(run, around);
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
  let program = openProgram(path, options);
  checkProgram(path, program.module);
  if (program.loaded === null) sayInV8(path, program.why);
  const instantiate = (imports: object) => {
    const linked = linkProgram(program, imports, options);
    if (linked.program !== program) sayInV8(path, linked.program.why);
    program = linked.program;
    return linked.exports;
  };
  const { imports, exports } = program.module;
  blockStandardStreams();
  const end = measure();
  const exitCode = await runPreview1(path, { imports, exports, instantiate }, around).catch((error) =>
    trapped(path, error),
  );
  deliver?.(reportOf(program, options.place ?? 'in-place', { exitCode, ...end() }));
  return exitCode;
}

async function runComponent({ path, options, deliver }: WasmRun, around: Surroundings): Promise<number> {
  const { loadComponent } = await import('../component/index.ts');
  const { runCommand } = await import('../component/command.ts');
  const { reportOfComponent } = await import('../component/report.ts');
  const component = await loadComponent(path, options);
  for (const { module, report, why } of component.modules) if (report === null) sayInV8(module, why);
  blockStandardStreams();
  const end = measure();
  // wasi:cli/exit ends this process: what is to be done in the end is done when it does.
  let measured: ReturnType<typeof end> | undefined;
  process.once('exit', (exitCode) =>
    deliver?.(reportOfComponent(component, { exitCode, ...(measured ?? end()) })),
  );
  const exitCode = await runCommand(component, around).catch((error) => trapped(path, error));
  measured = end();
  return exitCode;
}

const sayInV8 = (module: string, why: string): void => say(printable(`${module} runs in V8: ${why}`));

/** What passes until the answer is called. */
function measure(): () => { elapsedNs: number; faults: { minor: number; major: number } } {
  const before = process.resourceUsage();
  const began = process.hrtime.bigint();
  return () => {
    const after = process.resourceUsage();
    const minor = after.minorPageFault - before.minorPageFault;
    const major = after.majorPageFault - before.majorPageFault;
    return { elapsedNs: Number(process.hrtime.bigint() - began), faults: { minor, major } };
  };
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
