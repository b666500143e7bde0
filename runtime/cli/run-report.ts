import { describeHugePages } from '../../loader/huge-pages.ts';
import type { RunReport } from '../program/supervise.ts';
import { evidenceTables } from './evidence-table.ts';
import { bytes, facts, time } from './text.ts';

/** What `run --report` prints for people. */
export function describe(report: RunReport): string {
  const end = report.signal === null ? `exit code ${report.exitCode}` : `signal ${report.signal}`;
  const ns = report.phases.reduce((n, phase) => n + phase.ns, 0);
  const rows: [string, string][] = [
    ['program', `${report.file} (${[report.format, report.kind].filter(Boolean).join(', ')})`],
    ['started by', `${report.way}: ${report.why}`],
    ['ended with', `${end} after ${time(ns)}`],
    ['planned', `${bytes(report.bytesInPlace)} in place, ${bytes(report.bytesCopied)} copied`],
    ['faults', `${report.faults.minor} minor, ${report.faults.major} major`],
    ['private', report.privateBytes === null ? 'not measured' : `${bytes(report.privateBytes)} at the end`],
    ...(report.hugePages ? [['huge pages', describeHugePages(report.hugePages)] as [string, string]] : []),
    ['measured', report.evidence.summary],
  ];
  const tables = evidenceTables(report.evidence);
  return `${facts(rows, process.stderr)}${tables && `\n\n${tables}`}`;
}
