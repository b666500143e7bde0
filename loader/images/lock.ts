// One at a time, over all processes: a lock on a file, which the kernel lets go of when its owner ends, however it does.
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { native } from '../native.ts';

export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** Told once, when another one has it. */
  onWait?: (() => void) | undefined;
}

const EXCLUSIVE = 2; // enum RangeLock of native/file_range.h
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/**
 * Does something while nobody else does the same; the file is there only as long as somebody has it or waits. On a file
 * system without locks nobody waits, and the same may be done twice.
 * @throws what `act` throws; the signal's reason; Error of the system call
 */
export async function locked<T>(path: string, options: LockOptions, act: () => Promise<T>): Promise<T> {
  const fd = await acquire(path, options);
  try {
    return await act();
  } finally {
    rmSync(path, { force: true });
    closeSync(fd);
  }
}

async function acquire(path: string, { signal, onWait }: LockOptions): Promise<number> {
  let wait = FIRST_PAUSE_MS;
  for (let waited = false; ; waited = true) {
    signal?.throwIfAborted();
    mkdirSync(dirname(path), { recursive: true });
    const fd = openSync(path, 'a', 0o600);
    if (tryLock(fd)) {
      // Its last owner may have removed it between the two.
      if (fstatSync(fd).ino === statSync(path, { throwIfNoEntry: false })?.ino) return fd;
      closeSync(fd);
      continue;
    }
    closeSync(fd);
    if (!waited) onWait?.();
    await pause(wait, undefined, signal ? { signal } : {});
    wait = Math.min(2 * wait, LONGEST_PAUSE_MS);
  }
}

function tryLock(fd: number): boolean {
  try {
    return native.lockRange(fd, 0, 1, EXCLUSIVE, false);
  } catch {
    return true;
  }
}

/** Removes what owners that were killed have left, unless somebody has it now. */
export function removeFreeLocks(directory: string): void {
  for (const name of readdirSync(directory)) {
    const fd = openSync(join(directory, name), 'a');
    if (tryLock(fd)) rmSync(join(directory, name), { force: true });
    closeSync(fd);
  }
}
