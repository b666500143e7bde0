// INSITU_REPORT: a line of JSON for each process and thread, when it ends.
import { appendFileSync, closeSync, constants, openSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { moduleFile, requireHere } from '../../loader/root.ts';
import type { ModuleReport } from '../library/module-report.ts';
import type { OpenedReport, openedReports } from '../library/opened-report.ts';
import type { CompiledImage } from '../wasm/image.ts';
import { engineNow } from '../wasm/late.ts';
import { type Explanation, explain } from '../wasm/policy.ts';
import { type OpenedLibrary, opened } from './opened.ts';

export interface HookReport {
  pid: number;
  /** 0 is the main thread. */
  thread: number;
  node: string;
  argv: readonly string[];
  modules: readonly Explanation[];
  /** Of each image that was mapped. */
  images: readonly ReturnType<ModuleReport['toJSON']>[];
  /** Node addons and shared objects that were opened; `mapped` is of those that are mapped by then. */
  libraries: readonly (OpenedLibrary & { mapped: readonly OpenedReport[] })[];
}

/** Loaded here: it wants the addon, which is there when an image is. */
function reportOf({ sourcePath, path, place, handle }: CompiledImage) {
  const report = requireHere(moduleFile('runtime/library/module-report')) as {
    ModuleReport: typeof ModuleReport;
  };
  return new report.ModuleReport(sourcePath ?? path, path, place, handle, null).toJSON();
}

function librariesOf(): HookReport['libraries'] {
  if (opened.length === 0) return [];
  const report = requireHere(moduleFile('runtime/library/opened-report')) as {
    openedReports: typeof openedReports;
  };
  return opened.map(({ mapped, ...one }) => ({
    ...one,
    mapped: mapped?.() ?? report.openedReports(one.stored ?? one.path),
  }));
}

/** @throws Error of the system call */
export function write(path: string): void {
  const engine = engineNow();
  const report: HookReport = {
    pid: process.pid,
    thread: threadId,
    node: process.version,
    argv: process.argv,
    modules: explain(),
    images: engine === undefined ? [] : engine.openImages().map(reportOf),
    libraries: librariesOf(),
  };
  const text = JSON.stringify(report, (_, value) =>
    typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
  );
  // A FIFO that nobody reads is not waited for.
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o644);
  try {
    appendFileSync(fd, `${text}\n`);
  } finally {
    closeSync(fd);
  }
}
