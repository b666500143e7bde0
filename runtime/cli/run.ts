import { writeFileSync } from 'node:fs';
import { readyFor } from '../../loader/store/locate.ts';
import { prepare, replaceProcess } from '../program/index.ts';
import { parse, toJson, untilFile } from './options.ts';
import { UsageError } from './outcome.ts';

const help = `insitu run: start a program where it is stored.

usage: insitu run [--copy] [--require-in-place] [--report[=json]] [--report-file=PATH] FILE args…

  --copy               read it into anonymous memory first, to compare with
  --require-in-place   refuse unless all but its data is mapped from NVM, saying why
  --report[=json]      afterwards, on stderr: how it was started, bytes, faults, where its pages were
  --report-file=PATH   the report there instead, as JSON

Without a report nothing of insitu stays behind: the program takes the place of this process. On a DAX or RAM file
system the kernel itself starts it in place; elsewhere, and from any OFFSET of any file or device-dax, insitu-exec does.

  insitu run /bin/echo hello
  insitu run --report ./server --port 8080
  insitu run --copy ./server
  insitu run /dev/dax0.0@0x200000 args         # FILE@OFFSET[+SIZE]: a part of a file
  insitu run devdax:server --port 8080         # an entry of a region: devdax:NAME, devdax:dax0.1/NAME, region:PATH/NAME
`;

export async function main(args: readonly string[]): Promise<number> {
  const [own, [file, ...programArguments]] = untilFile(args, ['--report-file']);
  const { values } = parse(
    own.map((arg) => (arg === '--report' ? '--report=text' : arg)),
    {
      copy: { type: 'boolean' },
      'require-in-place': { type: 'boolean' },
      report: { type: 'string' },
      'report-file': { type: 'string' },
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
  await readyFor(file);
  const start = prepare(file, programArguments, {
    place,
    requireInPlace: Boolean(values['require-in-place']),
  });
  const reportFile = values['report-file'];
  if (format === undefined && reportFile === undefined) replaceProcess(start);
  if (reportFile !== undefined) writeReport(reportFile, ''); // before the program runs in vain
  const { supervise } = await import('../program/supervise.ts');
  const report = supervise(start);
  if (reportFile !== undefined) writeReport(reportFile, `${toJson(report)}\n`);
  else
    process.stderr.write(
      `${format === 'text' ? (await import('./run-report.ts')).describe(report) : toJson(report)}\n`,
    );
  return report.signal === null ? (report.exitCode ?? 1) : 128 + report.signal;
}

function writeReport(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`--report-file: ${(error as Error).message}`);
  }
}
