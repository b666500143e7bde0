import { basename } from 'node:path';
import type { HookReport } from '../hook/report.ts';
import { bytes, printable, table, time } from './text.ts';

/** What became of each module, process by process; then of each image where its pages were. */
export function describeReports(reports: readonly HookReport[]): string {
  const parts = reports.filter(({ modules }) => modules.length > 0).map(describeOne);
  return parts.length === 0 ? 'no WebAssembly was compiled' : parts.join('\n\n');
}

function describeOne({ pid, thread, argv, node, modules, images }: HookReport): string {
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
  const lines = images.map(({ sha256, place, bytesInPlace, bytesCopied, faults, evidence }) => {
    const counts = `${bytes(bytesInPlace)} mapped as stored, ${bytes(bytesCopied)} copied, ${faults.minor} faults`;
    return `${sha256.slice(0, 12)}  ${place}: ${counts}; ${evidence.summary}`;
  });
  const heads = ['runs', 'size', 'ready in', 'image, or why not'];
  return [printable(head), table([heads, ...rows]), ...lines.map(printable)].join('\n');
}
