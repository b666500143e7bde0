import { readReports } from '../hook/read.ts';
import { describeReports } from './hook-report.ts';
import { parse, printJson } from './options.ts';
import { UsageError } from './outcome.ts';

const help = `insitu report: what became of the WebAssembly modules of a run under the hook.

usage: insitu report [--json] FILE

FILE is what INSITU_REPORT named: each process and thread adds a line of JSON when it ends. Of each module: whether it ran
in place or in V8, and why; how long it took to be ready; of each image its bytes, faults, and where its pages were.

  --json  as one array, for programs

  INSITU_REPORT=run.json node --require insitu/register app.js; insitu report run.json
`;

export function main(args: readonly string[]): number {
  const { values, positionals } = parse(args, { json: { type: 'boolean' } });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [file] = positionals;
  if (file === undefined || positionals.length > 1) throw new UsageError('report wants one FILE');
  const reports = readReports(file);
  if (values.json) printJson(reports);
  else process.stdout.write(`${describeReports(reports)}\n`);
  return 0;
}
