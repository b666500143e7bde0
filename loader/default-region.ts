// Where insitu puts things when nobody says where: a DAX file system if there is one, else a RAM file system, else what
// the page cache serves; each candidate that was passed over with its reason.
import { accessSync, closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backing, type Mount, mounts, sense } from './backing.ts';
import { type Promised, promiseOf } from './promise.ts';

export interface RegionDirectory {
  directory: string;
  medium: Backing['medium'];
  /** What nvm.sync promises of files in it. */
  sync: Promised;
  /** Candidates in order that would have come first. */
  passedOver: { directory: string; reason: string }[];
}

const RAM = new Set(['tmpfs', 'ramfs']);
const DAX_CAPABLE = new Set(['ext4', 'ext2', 'xfs', 'erofs', 'fuse', 'virtiofs', 'famfs']);

/** Trees of the kernel's own; /dev/shm is the one place in them for other people's files. */
const KERNEL = /^\/(dev|proc|sys)(\/|$)/;

/** Mounted DAX candidates first, then /dev/shm, other RAM file systems, the temporary directory. */
function candidates(): string[] {
  let all: Mount[] = [];
  try {
    all = [...mounts().values()].filter((mount) => !KERNEL.test(mount.mountPoint));
  } catch {
    // No /proc: only the fixed places below.
  }
  const dax = all
    .filter((mount) => DAX_CAPABLE.has(mount.fileSystem) && mount.mountPoint !== '/')
    .map((m) => m.mountPoint);
  const ram = all.filter((mount) => RAM.has(mount.fileSystem)).map((mount) => mount.mountPoint);
  const first = ['/dev/shm', process.env.XDG_RUNTIME_DIR ?? '/run/user/0', '/run', tmpdir()];
  return [...dax, ...first, ...ram, tmpdir()].filter((path, i, list) => list.indexOf(path) === i);
}

/** Tries a directory by making a file in it: what new files there are stored on, or why there can be none. */
export function tryDirectory(directory: string): Backing | string {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    const probeDirectory = mkdtempSync(join(directory, '.insitu-'));
    try {
      const probe = join(probeDirectory, 'probe');
      const fd = openSync(probe, 'wx', 0o600);
      writeSync(fd, 'probe');
      closeSync(fd);
      return sense(probe);
    } finally {
      rmSync(probeDirectory, { recursive: true, force: true });
    }
  } catch (error) {
    return `cannot be written (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`;
  }
}

/** @throws Error when not even the temporary directory can be written. */
export function defaultRegion(): RegionDirectory {
  const passedOver: RegionDirectory['passedOver'] = [];
  const found: RegionDirectory[] = [];
  for (const directory of candidates()) {
    const backing = tryDirectory(directory);
    if (typeof backing === 'string') passedOver.push({ directory, reason: backing });
    else if (backing.noexec) {
      const reason = `${backing.fileSystem} is mounted noexec: nothing on it may be executed`;
      passedOver.push({ directory, reason });
    } else
      found.push({
        directory,
        medium: backing.medium,
        sync: promiseOf(backing),
        passedOver: [...passedOver],
      });
  }
  for (const medium of ['dax', 'ram', 'page-cache'] as const) {
    const first = found.find((candidate) => candidate.medium === medium);
    if (first) return first;
  }
  throw new Error('insitu: no directory for a region: none is writable and allows execution');
}
