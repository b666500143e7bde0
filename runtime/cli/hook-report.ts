import { basename } from 'node:path';
import type { HookReport } from '../hook/report.ts';
import { bytes, printable, table, time } from './text.ts';

/** What became of each module, process by process; then of each image where its pages were. */
export function describeReports(reports: readonly HookReport[]): string {
  const parts = reports
    .filter(({ modules, libraries }) => modules.length + libraries.length > 0)
    .map(describeOne);
  return parts.length === 0 ? 'no WebAssembly was compiled, and no addon opened' : parts.join('\n\n');
}

function describeOne({ pid, thread, argv, node, modules, images, libraries }: HookReport): string {
  const head = `${argv
    .slice(0, 2)
    .map((arg) => basename(arg))
    .join(' ')} (${pid}${thread ? `, thread ${thread}` : ''}, ${node})`;
  const rows = modules.map(({ image, reason, size, readyMs }) => [
    image === null ? 'V8' : 'in place',
    bytes(size),
    readyMs === null ? '–' : time(readyMs * 1e6),
    image === null ? reason : (image.split('/').at(-2) ?? '').slice(0, 12),
  ]);
  const ofModules = [
    ...(rows.length === 0 ? [] : [table([['runs', 'size', 'ready in', 'image, or why not'], ...rows])]),
    ...images.map(({ sha256, place, bytesInPlace, bytesCopied, faults, dramSaved, evidence }) => {
      const counts = `${bytes(bytesInPlace)} mapped as stored, ${bytes(bytesCopied)} copied, ${faults.minor} faults`;
      const saved = describeSaved(dramSaved);
      return printable(`${sha256.slice(0, 12)}  ${place}: ${counts}${saved}; ${evidence.summary}`);
    }),
  ];
  return [printable(head), ...ofModules, ...describeLibraries(libraries)].join('\n');
}

function describeLibraries(libraries: HookReport['libraries']): string[] {
  if (libraries.length === 0) return [];
  const rows = libraries.map(({ path, stored, reason, size, readyMs, faults }) => [
    basename(path),
    stored === null ? 'itself' : 'its copy',
    bytes(size),
    time(readyMs * 1e6),
    `${faults}`,
    stored === null ? reason : setOf(stored),
  ]);
  return [
    table([['addon', 'opened', 'size', 'ready in', 'faults', 'where, or why not'], ...rows]),
    ...libraries.flatMap(({ mapped }) =>
      mapped.map(({ path, evidence, dramSaved }) =>
        printable(`${basename(path)}  ${evidence.summary}${describeSaved(dramSaved)}`),
      ),
    ),
  ];
}

/** The hash that `insitu ls` shows, of what the store has as libraries/SHA256/files/… */
const setOf = (stored: string): string => /([0-9a-f]{12})[0-9a-f]{52}\/files\//.exec(stored)?.[1] ?? stored;

const describeSaved = (dramSaved: number | null): string =>
  dramSaved ? `, ${bytes(dramSaved)} of DRAM saved` : '';
