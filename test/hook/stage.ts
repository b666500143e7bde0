// Programs in Node with the hook preloaded, each in a process of its own, and what the hook reports of it.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { HookReport } from '../../runtime/hook/report.ts';
import { directory, env } from '../wasm/stage.ts';

export const hook = fileURLToPath(new URL('../../dist/runtime/hook/register.cjs', import.meta.url));

export interface Run extends SpawnSyncReturns<string> {
  reports: HookReport[];
  /** What its modules ran in, in order, of all processes and threads. */
  where: string[];
}

export interface Setting {
  /** In the place of `--require hook`. */
  preload?: string[];
  env?: NodeJS.ProcessEnv;
  args?: string[];
}

let runs = 0;

/** A program of this text. */
export function script(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

export function reportsAt(path: string): HookReport[] {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
  return lines.map((line) => JSON.parse(line) as HookReport);
}

const placeOf = ({ image, reason }: HookReport['modules'][number]): string =>
  image === null ? `V8: ${reason}` : reason;

/** @param command the program, and options of Node before it */
export function run(command: string[], { preload = ['--require', hook], ...setting }: Setting = {}): Run {
  const report = join(directory, `report-${runs++}`);
  const done = spawnSync(process.execPath, [...preload, ...command, ...(setting.args ?? [])], {
    cwd: directory,
    env: { ...env, INSITU_REPORT: report, ...setting.env },
    encoding: 'utf8',
    timeout: 30_000,
  });
  const reports = reportsAt(report);
  return { ...done, reports, where: reports.flatMap(({ modules }) => modules.map(placeOf)) };
}
