// The reports that INSITU_REPORT collected.
import { readFileSync } from 'node:fs';
import { LoadError } from '../../loader/error.ts';
import type { HookReport } from './report.ts';

/** As JSON gives them back: addresses are strings. @throws LoadError ERR_FORMAT; Error of the system call */
export function readReports(path: string): HookReport[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    if (line === '') return [];
    try {
      const report = JSON.parse(line) as HookReport;
      if (Array.isArray(report.modules) && Array.isArray(report.images)) return [report];
    } catch {}
    throw new LoadError('ERR_FORMAT', path, `line ${index + 1} is no report; want what INSITU_REPORT wrote`);
  });
}
