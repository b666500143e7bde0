// An app in a directory, and what a bundle of it does: the same as from there.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { HookReport } from '../../runtime/hook/report.ts';
import { environment } from '../cli/insitu.ts';
import { reportsAt } from '../hook/stage.ts';

export const directory = mkdtempSync(join(tmpdir(), 'insitu-bundle-'));
writeFileSync(join(directory, 'package.json'), '{}'); // whatever there is above is not asked
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

export const env: NodeJS.ProcessEnv = { ...environment, INSITU_STORE: join(directory, 'store') };
export const cli = fileURLToPath(new URL('../../dist/runtime/cli/main.cjs', import.meta.url));

export function write(files: Record<string, string | Buffer>, at: string): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(at, name)), { recursive: true });
    writeFileSync(join(at, name), content);
  }
  return at;
}

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  reports: HookReport[];
}

let runs = 0;

export function node(
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
  executable = process.execPath,
): Ended {
  const report = join(directory, `report-${runs++}`);
  const { status, signal, stdout, stderr } = spawnSync(executable, args, {
    ...{ cwd: directory, encoding: 'utf8', timeout: 60_000 },
    env: { ...env, INSITU_REPORT: report, ...more },
  });
  return { status, signal, stdout, stderr, reports: reportsAt(report) };
}

export const insitu = (
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
  executable = process.execPath,
) => node([cli, ...args], more, executable);

/** @returns the region */
export function bundled(app: string, ...options: string[]): string {
  const region = `${app}.region`;
  const { status, stderr } = insitu(['bundle', app, '-o', region, '--tier=quick', ...options]);
  if (status !== 0) throw new Error(`insitu bundle: status ${status}: ${stderr}`);
  return region;
}
