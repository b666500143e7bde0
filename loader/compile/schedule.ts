// Work in parallel over the cores, as far as memory goes.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

export interface Work {
  /** What it will take at its most, in bytes of memory. */
  readonly memory: number;
  run(): Promise<void>;
}

/** Of what is free now, this much may be taken. */
const SHARE = 0.75;

/**
 * Runs all of it, in order, at most `jobs` at once and no more than fits into memory; what fits into none runs alone.
 * @throws what the first one to fail throws, once all that had begun have ended
 */
export async function schedule(
  work: readonly Work[],
  jobs: number = availableParallelism(),
  memory: number = availableMemory() * SHARE,
): Promise<void> {
  const waiting = [...work];
  const running = new Map<Work, Promise<void>>();
  const failures: unknown[] = [];
  let taken = 0;
  const begin = (next: Work) => {
    taken += next.memory;
    const run = next.run().catch((failure: unknown) => void failures.push(failure));
    running.set(
      next,
      run.then(() => {
        running.delete(next);
        taken -= next.memory;
      }),
    );
  };
  while (failures.length === 0 && (waiting.length > 0 || running.size > 0)) {
    for (let next = waiting[0]; next !== undefined && running.size < jobs; next = waiting[0]) {
      if (running.size > 0 && taken + next.memory > memory) break;
      waiting.shift();
      begin(next);
    }
    await Promise.race(running.values());
  }
  await Promise.all(running.values());
  if (failures.length > 0) throw failures[0];
}

/** Bytes: what the machine has left, or what the control group (cgroup v2) has, whichever is less. */
export function availableMemory(): number {
  const machine = Number(/^MemAvailable:\s*(\d+) kB/m.exec(read('/proc/meminfo'))?.[1] ?? 1 << 20) * 1024;
  const group = /^0::(.*)$/m.exec(read('/proc/self/cgroup'))?.[1];
  const directory = `/sys/fs/cgroup${group ?? ''}`;
  const limit = Number(read(`${directory}/memory.max`) || Number.NaN); // 'max' is none
  const used = Number(read(`${directory}/memory.current`));
  return Number.isNaN(limit) ? machine : Math.min(machine, Math.max(0, limit - used));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
