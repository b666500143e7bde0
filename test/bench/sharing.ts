// How much memory the same library's text takes in several processes at once: the sum of their proportional set sizes
// (Pss: a page shared by n processes counts 1/n in each; proc(5), smaps).
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const holder = fileURLToPath(new URL('./holder.ts', import.meta.url));

/** @returns MiB of text in all `processes` together */
export async function measureSharing(
  file: string,
  place: 'in-place' | 'copy',
  processes: number,
): Promise<number> {
  const children: { child: ChildProcess; begin: number; end: number }[] = [];
  try {
    for (let i = 0; i < processes; i++) {
      const child = spawn(process.execPath, [...process.execArgv, holder, file, place], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
      const { begin, end } = JSON.parse(String(line)) as { begin: number; end: number };
      children.push({ child, begin, end });
    }
    return (
      children.reduce((kib, { child, begin, end }) => kib + pssOf(child.pid as number, begin, end), 0) / 1024
    );
  } finally {
    for (const { child } of children) child.stdin?.end();
    await Promise.all(children.map(({ child }) => child.exitCode ?? once(child, 'exit')));
  }
}

/** KiB of Pss of the mappings inside [begin, end). */
function pssOf(pid: number, begin: number, end: number): number {
  let inside = false;
  let kib = 0;
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'latin1').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (range)
      inside =
        Number.parseInt(range[1] as string, 16) >= begin && Number.parseInt(range[2] as string, 16) <= end;
    else if (inside && line.startsWith('Pss:')) kib += Number(/\d+/.exec(line)?.[0] ?? 0);
  }
  return kib;
}
