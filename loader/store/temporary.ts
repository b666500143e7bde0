// A file on its way into a directory: under a name of its own until it is whole, then renamed. Its maker holds a lock on
// it for as long as it lives, so that the next one there can tell what a killed one has left behind.
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { native } from '../native.ts';

const PREFIX = '.insitu-place-';
const EXCLUSIVE = 2; // enum RangeLock of native/file_range.h
const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** Open for writing; `using` removes it unless it was published. */
export class Temporary implements Disposable {
  readonly path: string;
  readonly fd: number;
  readonly #directory: string;
  #published = false;

  /** @throws Error of the system call */
  constructor(directory: string) {
    this.#directory = directory;
    for (let i = 0; ; i++) {
      this.path = join(directory, `${PREFIX}${process.pid}-${process.hrtime.bigint().toString(36)}-${i}`);
      this.fd = openSync(this.path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      tryLock(this.fd, true);
      // Between its making and its lock somebody may have taken it for left behind.
      if (fstatSync(this.fd).nlink > 0) return;
      closeSync(this.fd);
    }
  }

  /** Gives it its name, instead of what had that before; durable when it returns. */
  publish(target: string): void {
    fsyncSync(this.fd);
    renameSync(this.path, target);
    this.#published = true;
    const directory = openSync(this.#directory, O_RDONLY);
    try {
      fsyncSync(directory);
    } catch (error) {
      // Some file systems do not sync directories; the rename itself stands.
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
    } finally {
      closeSync(directory);
    }
  }

  [Symbol.dispose](): void {
    if (!this.#published) rmSync(this.path, { force: true });
    closeSync(this.fd);
  }
}

/** Removes what makers that are gone have left in a directory. @returns their names */
export function removeLeftBehind(directory: string): string[] {
  return readdirSync(directory).filter((name) => {
    if (!name.startsWith(PREFIX)) return false;
    try {
      return removeIfLeft(join(directory, name));
    } catch {
      return false; // gone meanwhile, or somebody else's
    }
  });
}

function removeIfLeft(path: string): boolean {
  const fd = openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  try {
    const left = fstatSync(fd).isFile() && tryLock(fd, false);
    if (left) rmSync(path, { force: true });
    return left;
  } finally {
    closeSync(fd);
  }
}

/** On file systems without locks nothing is ever taken for left behind. */
function tryLock(fd: number, wait: boolean): boolean {
  try {
    return native.lockRange(fd, 0, 1, EXCLUSIVE, wait);
  } catch {
    return false;
  }
}
