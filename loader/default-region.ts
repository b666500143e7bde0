// Where insitu puts things when nobody says where: a DAX file system if there is one, else a RAM file system, else what
// the page cache serves; each candidate that was passed over with its reason.
import { accessSync, closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backing, type Mount, mounts, sense } from './backing.ts';

export interface RegionDirectory {
  directory: string;
  medium: Backing['medium'];
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

/** Tries a directory by making a file in it. */
function tryDirectory(directory: string): Backing | string {
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
  let fallback: { directory: string; medium: Backing['medium'] } | undefined;
  const ranked: { directory: string; backing: Backing }[] = [];
  for (const directory of candidates()) {
    const found = tryDirectory(directory);
    if (typeof found === 'string') passedOver.push({ directory, reason: found });
    else if (found.noexec)
      passedOver.push({
        directory,
        reason: `${found.fileSystem} is mounted noexec: nothing on it may be executed`,
      });
    else if (found.medium === 'dax') return { directory, medium: 'dax', passedOver };
    else ranked.push({ directory, backing: found });
  }
  const ram = ranked.find(({ backing }) => backing.medium === 'ram');
  if (ram) return { directory: ram.directory, medium: 'ram', passedOver };
  const cached = ranked[0];
  if (cached) fallback = { directory: cached.directory, medium: cached.backing.medium };
  if (!fallback) throw new Error('insitu: no directory for a region: none is writable and allows execution');
  return { ...fallback, passedOver };
}
