import { writeFileSync } from 'node:fs';
import { LoadError } from '../../loader/error.ts';
import { readyFor } from '../../loader/store/locate.ts';
import type { HookReport } from '../hook/report.ts';
import { familyOf } from '../library/family.ts';
import { findProgram, prepare, type RunOptions, replaceProcess } from '../program/index.ts';
import type { RunReport } from '../program/supervise.ts';
import { parse, toJson, untilFile } from './options.ts';
import { UsageError } from './outcome.ts';

const help = `insitu run: start a program where it is stored.

usage: insitu run [--copy] [--require-in-place] [--report[=json]] [--report-file=PATH] [--dir=HOST[::GUEST]]… [--warm] FILE args…

  --copy               read it into anonymous memory first, to compare with
  --require-in-place   refuse unless all but its data is mapped from NVM, saying why
  --report[=json]      afterwards, on stderr: how it was started, bytes, faults, where its pages were
  --report-file=PATH   the report there instead, as JSON
  --warm               of an app in a region: keeps V8's code cache of its scripts there, for later starts on this Node
  --dir=HOST[::GUEST]  lets a WebAssembly program into a directory, under another name if one is said

A JavaScript program (.js, .mjs, .cjs) runs in Node with the hook: its WebAssembly modules and addons start in place. So does
an app that insitu bundle has put into a region, from that one file.
Without a report nothing of insitu stays behind: the program takes the place of this process. On a DAX or RAM file
system the kernel itself starts it in place; elsewhere, and from any OFFSET of any file or device-dax, insitu-exec does.
A WebAssembly program (WASI preview 1, or a component that exports wasi:cli/run) runs in this process, from its image where
it is installed (insitu install), else by V8, which a line on stderr says. It has the environment, of the file system what
--dir says, and no network. Status 134 when it traps.

  insitu run /bin/echo hello
  insitu run --report ./server --port 8080
  insitu run --copy ./server
  insitu run --dir=. tool.wasm input.txt
  insitu run /dev/dax0.0@0x200000 args         # FILE@OFFSET[+SIZE]: a part of a file
  insitu run app.region args                   # what insitu bundle made of a Node app
  insitu run devdax:server --port 8080         # an entry of a region: devdax:NAME, devdax:dax0.1/NAME, region:PATH/NAME
`;

const isScript = (path: string): boolean => /\.[cm]?js$/.test(path);

export async function main(args: readonly string[]): Promise<number> {
  const [own, [file, ...programArguments]] = untilFile(args, ['--report-file', '--dir']);
  const { values } = parse(
    own.map((arg) => (arg === '--report' ? '--report=text' : arg)),
    {
      copy: { type: 'boolean' },
      'require-in-place': { type: 'boolean' },
      report: { type: 'string' },
      'report-file': { type: 'string' },
      warm: { type: 'boolean' },
      dir: { type: 'string', multiple: true },
    },
  );
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (file === undefined) throw new UsageError('run wants a FILE');
  const format = values.report;
  if (format !== undefined && format !== 'text' && format !== 'json')
    throw new UsageError(`--report=${format} is unknown; want --report or --report=json`);
  const place = values.copy ? 'copy' : 'in-place';
  const options = {
    place,
    requireInPlace: Boolean(values['require-in-place']),
    warm: Boolean(values.warm),
  } as const;
  const deliver = await delivery(format, values['report-file']);
  if (isScript(file)) {
    const { runScript } = await import('./run-script.ts');
    return runScript([file, ...programArguments], options, deliver);
  }
  await readyFor(file);
  return runAs(file, programArguments, { options, deliver, directories: values.dir ?? [] });
}

/** Gives the report where it is wanted; undefined where none is. */
export type Deliver = ((report: RunReport | { processes: readonly HookReport[] }) => void) | undefined;

interface Wanted {
  options: RunOptions & { warm: boolean };
  deliver: Deliver;
  /** What --dir says. */
  directories: readonly string[];
}

/** @returns the exit code, of a program that did not take this process's place */
async function runAs(file: string, args: readonly string[], wanted: Wanted): Promise<number> {
  const { options, deliver, directories } = wanted;
  let start: ReturnType<typeof prepare>;
  try {
    start = prepare(file, args, options);
  } catch (error) {
    const path = findProgram(file);
    const family = error instanceof LoadError && error.code === 'ERR_FORMAT' ? familyOf(path) : undefined;
    if (family === 'region') {
      const { runApp } = await import('./run-script.ts');
      return runApp(path, args, options, deliver);
    }
    if (family !== 'wasm-module' && family !== 'wasm-component') throw error;
    const { runWasm } = await import('./run-wasm.ts');
    return runWasm({ path, family, options, args: [file, ...args], directories, deliver });
  }
  if (options.warm) throw new UsageError(`--warm is for apps of insitu bundle; ${file} is none`);
  if (directories.length > 0) throw new UsageError(`--dir is for WebAssembly programs; ${file} is none`);
  if (deliver === undefined) replaceProcess(start);
  const { supervise } = await import('../program/supervise.ts');
  const report = supervise(start);
  deliver(report);
  return report.signal === null ? (report.exitCode ?? 1) : 128 + report.signal;
}

async function delivery(format: string | undefined, path: string | undefined): Promise<Deliver> {
  if (path !== undefined) {
    writeReport(path, ''); // before the program runs in vain
    return (report) => writeReport(path, `${toJson(report)}\n`);
  }
  if (format === undefined) return undefined;
  if (format === 'json') return (report) => void process.stderr.write(`${toJson(report)}\n`);
  const { describe } = await import('./run-report.ts');
  const { describeReports } = await import('./hook-report.ts');
  return (report) =>
    void process.stderr.write(
      `${'processes' in report ? describeReports(report.processes) : describe(report)}\n`,
    );
}

function writeReport(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`--report-file: ${(error as Error).message}`);
  }
}
