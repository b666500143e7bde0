// What is under a mapping: where a file is stored, and what that allows.
import { existsSync, readFileSync } from 'node:fs';
import { checkName, inFile, LoadError } from './error.ts';
import { native, slot, slots } from './native.ts';

/**
 * dax: file on a DAX file system; devdax: device-dax node; ram: file on a RAM file system, which is its own storage;
 * page-cache: anything else: what gets mapped is the kernel's copy in DRAM of what is stored on a block device.
 */
export type Medium = 'dax' | 'devdax' | 'ram' | 'page-cache';

const media: readonly Medium[] = ['page-cache', 'ram', 'dax', 'devdax']; // enum Medium of native/stored.h
const STATX_ATTR_DAX = 0x00200000; // statx(2)
const ST_NOEXEC = 8; // statvfs(3)

/** statfs(2) f_type values, by name. */
const fileSystems: Record<number, string> = {
  61267: 'ext4', // ext2, ext3 and ext4 share it
  1481003842: 'xfs',
  3774210530: 'erofs',
  2435016766: 'btrfs',
  4076150800: 'f2fs',
  16914836: 'tmpfs',
  2240043254: 'ramfs',
  2508478710: 'hugetlbfs',
  2035054128: 'overlayfs',
  26985: 'nfs',
  1702057286: 'fuse',
  16914839: '9p',
  1936814952: 'squashfs',
  801189825: 'zfs',
  40864: 'proc',
  1650812274: 'sysfs',
};
const RAM_FILE_SYSTEMS = new Set(['tmpfs', 'ramfs', 'hugetlbfs', 'devtmpfs']);

/** What a file is stored on, as sensed when it was opened. Costlier facts are looked up when they are asked for. */
export class Backing {
  readonly path: string;
  readonly medium: Medium;
  /** Bytes. */
  readonly size: number;
  /** Name of the file system, 'devdax' for a device-dax node. */
  readonly fileSystem: string;
  /** The kernel says of this very file that its pages are mapped without a copy (statx STATX_ATTR_DAX). */
  readonly dax: boolean;
  /** MAP_SYNC is granted: a flushed cache line is durable. */
  readonly mapSync: boolean;
  /** The stored bytes are lost when the power is. */
  readonly volatile: boolean;
  /** The mount forbids execution: nothing on it can be mapped executable. */
  readonly noexec: boolean;
  /** Mappings start and end at multiples of this, in bytes. */
  readonly granule: number;
  readonly mode: number;
  readonly inode: number;
  readonly #mountId: number;

  /** Takes the facts from the slots, where native.open, sense or loadRecord have just put them. */
  constructor(path: string) {
    this.path = path;
    this.mode = slot(0);
    this.size = slot(1);
    this.inode = slot(2);
    this.#mountId = slot(3);
    const medium = media[slot(12)] as Medium;
    this.granule = slot(13);
    this.mapSync = slot(14) !== 0;
    this.dax = medium === 'devdax' || (slot(8) & STATX_ATTR_DAX) !== 0;
    const type = slot(10);
    if (type !== 0 || medium === 'devdax') {
      this.medium = medium;
      this.fileSystem = medium === 'devdax' ? 'devdax' : (fileSystems[type] ?? `0x${type.toString(16)}`);
      this.noexec = (slot(11) & ST_NOEXEC) !== 0;
    } else {
      // A load in place has not asked statfs(2). Its mount cannot have gone while the library is mapped.
      const mount = mountOf(this.#mountId);
      this.fileSystem = mount?.fileSystem ?? 'unknown';
      this.medium = medium === 'page-cache' && RAM_FILE_SYSTEMS.has(this.fileSystem) ? 'ram' : medium;
      this.noexec = (mount?.options.split(',') ?? []).includes('noexec');
    }
    this.volatile = this.medium === 'ram';
  }

  /** Undefined where /proc/self/mountinfo does not tell. */
  get mount(): Mount | undefined {
    return mountOf(this.#mountId);
  }

  /** Where its file system is mounted; null where that is not known. */
  get mountPoint(): string | null {
    return this.mount?.mountPoint ?? null;
  }

  /** The shape that inspect and compare print. */
  toJSON() {
    const { medium, fileSystem, mountPoint, dax, mapSync, noexec, size } = this;
    return { medium, fileSystem, mountPoint, dax, mapSync, volatile: this.volatile, noexec, size };
  }
}

/** An open file with its backing, and an image in it: all of the file, or `size` bytes from `start` on. */
export class OpenFile implements Disposable {
  readonly path: string;
  readonly backing: Backing;
  /** Of the image in the file, in bytes. */
  readonly start: number;
  /** Of the image, in bytes. */
  readonly size: number;
  /** First eight bytes of the image as two little-endian words; zeros where there are none. */
  readonly head: readonly [number, number];
  #fd: number;

  /**
   * @throws LoadError ENOENT, EACCES … as open(2); ERR_NOT_MAPPABLE for a directory, FIFO, socket, other device;
   *   ERR_REFERENCE for a start that is not page aligned; ERR_TRUNCATED for an image beyond the end
   */
  constructor(path: string, start = 0, size?: number) {
    this.path = path;
    this.start = start;
    try {
      this.#fd = native.open(checkName(path), slots, start, size);
    } catch (error) {
      throw inFile(path, error);
    }
    this.backing = new Backing(path);
    this.head = [slot(16), slot(17)];
    this.size = slot(18);
  }

  /** @throws LoadError ERR_CLOSED */
  get fd(): number {
    if (this.#fd < 0) throw new LoadError('ERR_CLOSED', this.path, 'file is closed; want it open');
    return this.#fd;
  }

  close(): void {
    if (this.#fd >= 0) native.close(this.#fd);
    this.#fd = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What a file is stored on. @throws LoadError as OpenFile */
export function sense(path: string): Backing {
  using file = new OpenFile(path);
  return file.backing;
}

export interface Mount {
  mountPoint: string;
  fileSystem: string;
  source: string;
  /** 'major:minor' of the file system. */
  device: string;
  /** Of the mount and of the file system, comma separated. */
  options: string;
}

/** /proc/self/mountinfo (proc(5)), by mount id. */
export function mounts(): Map<number, Mount> {
  if (!existsSync('/proc/self/mountinfo')) return new Map(); // no /proc: nothing is known of mounts
  const found = new Map<number, Mount>();
  const decode = (field: string) =>
    field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-');
    if (dash < 6) continue;
    found.set(Number(fields[0]), {
      mountPoint: decode(fields[4] as string),
      fileSystem: fields[dash + 1] ?? '',
      source: decode(fields[dash + 2] ?? ''),
      device: fields[2] ?? '',
      options: `${fields[5]},${fields[dash + 3] ?? ''}`,
    });
  }
  return found;
}

function mountOf(id: number): Mount | undefined {
  try {
    return mounts().get(id);
  } catch {
    return undefined; // no /proc: nothing is claimed
  }
}
