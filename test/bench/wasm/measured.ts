// A process from its start to its end, with all that it starts: time, CPU time, and memory as far as looking often tells.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICK_MS = 10; // USER_HZ is 100 on every Linux of x86-64 and aarch64
const LOOK_MS = 50;

/** What is behind the name in /proc/PID/stat, from the state on (proc(5)); the name may have spaces. */
const statOf = (pid: string): string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');

/** Of the children that have ended, and theirs (proc(5): cutime, cstime). */
export function childrenCpuMs(): number {
  const fields = statOf('self');
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

interface Resident {
  pid: number;
  parent: number;
  bytes: number;
}

function residents(): Resident[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const bytes = Number(
        /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1] ?? 0,
      );
      return [{ pid: Number(name), parent: Number(statOf(name)[1]), bytes: bytes * 1024 }];
    } catch {
      return []; // it has ended
    }
  });
}

/** Of a process and all that descend from it; pages that they share count for each. */
function residentBytes(root: number): number {
  const all = residents();
  const within = new Set([root]);
  for (let size = 0; size !== within.size; ) {
    size = within.size;
    for (const { pid, parent } of all) if (within.has(parent)) within.add(pid);
  }
  return all.reduce((sum, { pid, bytes }) => sum + (within.has(pid) ? bytes : 0), 0);
}

export interface Measured {
  wallMs: number;
  cpuMs: number;
  peakBytes: number;
  stdout: string;
}

/** Nothing else may be started meanwhile. @throws Error when it fails, with what it said */
export function measured(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Measured> {
  const [cpuBefore, began] = [childrenCpuMs(), performance.now()];
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  let peakBytes = 0;
  const look = setInterval(() => {
    peakBytes = Math.max(peakBytes, residentBytes(child.pid ?? 0));
  }, LOOK_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => {
      clearInterval(look);
      const wallMs = performance.now() - began;
      const said = `${Buffer.concat(err)}`.trim();
      if (status !== 0) reject(new Error(said.split('\n').at(-1) || `ended with ${signal ?? status}`));
      else
        resolve({ wallMs, cpuMs: childrenCpuMs() - cpuBefore, peakBytes, stdout: `${Buffer.concat(out)}` });
    });
  });
}
