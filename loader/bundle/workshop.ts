// A directory for what is being made, beside what it will become, so that a rename makes it that.
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { native } from '../native.ts';

const PREFIX = '.insitu-bundle-';
const EXCLUSIVE = 2; // enum RangeLock of native/file_range.h

/** `using` removes it. Its maker holds a lock in it, so that the next one there can tell what a killed one has left. */
export class Workshop implements Disposable {
  readonly directory: string;
  readonly #lock: number;

  /** @throws Error of the system call */
  constructor(parent: string) {
    removeLeftBehind(parent);
    for (;;) {
      this.directory = mkdtempSync(join(parent, PREFIX));
      this.#lock = openSync(join(this.directory, 'lock'), 'w');
      tryLock(this.#lock);
      // Between its making and its lock somebody may have taken it for left behind.
      if (fstatSync(this.#lock).nlink > 0) return;
      closeSync(this.#lock);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
    closeSync(this.#lock);
  }
}

function removeLeftBehind(parent: string): void {
  for (const name of readdirSync(parent).filter((name) => name.startsWith(PREFIX))) {
    try {
      const lock = openSync(join(parent, name, 'lock'), 'r+');
      if (tryLock(lock)) rmSync(join(parent, name), { recursive: true, force: true });
      closeSync(lock);
    } catch {
      // gone meanwhile, somebody else's, or about to be locked
    }
  }
}

/** On file systems without locks nothing is ever taken for left behind. */
function tryLock(fd: number): boolean {
  try {
    return native.lockRange(fd, 0, 1, EXCLUSIVE, false);
  } catch {
    return false;
  }
}
