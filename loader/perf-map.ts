// perf(1) names the functions of a library mapped in place by its file. A copy lies in anonymous memory, where it looks
// into /tmp/perf-PID.map (tools/perf/Documentation/jit-interface.txt): "address size name" lines, hexadecimal.
import { appendFileSync } from 'node:fs';
import { type ImageHandle, native } from './native.ts';

/** Asked for by INSITU_PERF_MAP=1, as it was when the process started. */
export const perfMapWanted = process.env.INSITU_PERF_MAP === '1';

/** Appends the exported functions of a loaded library; each reaches to the next one. */
export function appendPerfMap(handle: ImageHandle): void {
  const functions = native
    .imageSymbols(handle)
    .map((name) => ({ name, address: native.imageSymbol(handle, name) }))
    .filter(({ address }) => address !== 0n)
    .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const lines = functions.map(({ name, address }, i) => {
    const size = (functions[i + 1]?.address ?? address + BigInt(native.pageSize)) - address;
    return `${address.toString(16)} ${size.toString(16)} ${name}\n`;
  });
  appendFileSync(`/tmp/perf-${process.pid}.map`, lines.join(''));
}
