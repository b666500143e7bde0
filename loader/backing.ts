// What is under a mapping: where a file is stored, and what that allows.
import { readFileSync, readlinkSync } from 'node:fs';
import { inFile, LoadError } from './error.ts';
import { native, slots } from './native.ts';

/**
 * dax: file on a DAX file system; devdax: device-dax node; ram: file on a RAM file system, which is its own storage;
 * page-cache: anything else: what gets mapped is the kernel's copy in DRAM of what is stored on a block device.
 */
export type Medium = 'dax' | 'devdax' | 'ram' | 'page-cache';

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFCHR = 0o020000;
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
const RAM_FILE_SYSTEMS = new Set([16914836, 2240043254, 2508478710]);

const fileTypes: Record<number, string> = {
  [0o040000]: 'a directory',
  [0o010000]: 'a FIFO',
  [0o140000]: 'a socket',
  [0o060000]: 'a block device',
  [S_IFCHR]: 'a character device',
};

/** An open file and what it is stored on. Facts that cost a file read are looked up when they are asked for. */
export class Backing implements Disposable {
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
  /** First eight bytes as two little-endian words; zeros where there are none. */
  readonly head: readonly [number, number];
  /** This thread's minor and major faults before the file was opened. */
  readonly faultsBefore: readonly [number, number];
  readonly #mountId: number;
  #fd: number;

  /** @param fd and @param slots are what native.open left. */
  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
    this.mode = slots[0] as number;
    this.inode = slots[2] as number;
    this.#mountId = slots[3] as number;
    const type = slots[10] as number;
    const character = (this.mode & S_IFMT) === S_IFCHR;
    const special = `${slots[6]}:${slots[7]}`;
    this.noexec = ((slots[11] as number) & ST_NOEXEC) !== 0;
    this.dax = character || ((slots[8] as number) & STATX_ATTR_DAX) !== 0;
    this.head = [slots[16] as number, slots[17] as number];
    this.faultsBefore = [slots[14] as number, slots[15] as number];
    let size = slots[1] as number;
    let granule = native.pageSize;
    if (character) {
      ({ size, granule } = deviceDax(path, special));
      this.medium = 'devdax';
    } else {
      requireRegular(path, this.mode);
      this.medium = this.dax ? 'dax' : RAM_FILE_SYSTEMS.has(type) ? 'ram' : 'page-cache';
    }
    this.size = size;
    this.granule = granule;
    this.fileSystem = character ? 'devdax' : (fileSystems[type] ?? `0x${type.toString(16)}`);
    this.volatile = this.medium === 'ram';
    this.mapSync = this.dax && native.mapSyncGranted(fd, granule);
  }

  /** The descriptor, while open. @throws LoadError ERR_CLOSED */
  get fd(): number {
    if (this.#fd < 0) throw new LoadError('ERR_CLOSED', this.path, 'backing is closed; want it open');
    return this.#fd;
  }

  /** Where its file system is mounted; null where /proc/self/mountinfo does not tell. */
  get mountPoint(): string | null {
    return mountOf(this.#mountId)?.mountPoint ?? null;
  }

  /** Whether 2 MiB pages can map this file, and why not. Needs the file open. */
  hugePages(): { possible: boolean; reason: string } {
    if (this.medium === 'devdax') {
      const possible = this.granule >= 2 << 20;
      return { possible, reason: `device-dax maps multiples of ${this.granule} bytes` };
    }
    if (this.medium === 'dax') return daxHugePages(native.extentOffset(this.fd), this.size);
    if (this.fileSystem === 'tmpfs') return tmpfsHugePages(mountOf(this.#mountId)?.options ?? '');
    return { possible: false, reason: 'the page cache maps pages of 4 KiB' };
  }

  close(): void {
    if (this.#fd >= 0) native.close(this.#fd);
    this.#fd = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The shape that inspect and compare print. */
  toJSON() {
    const { medium, fileSystem, mountPoint, dax, mapSync, noexec, size } = this;
    return { medium, fileSystem, mountPoint, dax, mapSync, volatile: this.volatile, noexec, size };
  }
}

/**
 * Opens a file for reading and senses what it is stored on.
 * @throws LoadError ENOENT, EACCES … as open(2); ERR_NOT_MAPPABLE for a directory, FIFO, socket or other device.
 */
export function open(path: string): Backing {
  let fd: number;
  try {
    fd = native.open(path, slots);
  } catch (error) {
    throw inFile(path, error);
  }
  try {
    return new Backing(path, fd);
  } catch (error) {
    native.close(fd);
    throw inFile(path, error);
  }
}

function requireRegular(path: string, mode: number): void {
  if ((mode & S_IFMT) === S_IFREG) return;
  const found = fileTypes[mode & S_IFMT] ?? 'no regular file';
  throw new LoadError('ERR_NOT_MAPPABLE', path, `is ${found}; want a regular file or a device-dax node`);
}

/** /sys/dev/char/M:m of a device-dax node: size and unit of mapping in bytes. */
function deviceDax(path: string, special: string): { size: number; granule: number } {
  const directory = `/sys/dev/char/${special}`;
  try {
    if (!readlinkSync(`${directory}/subsystem`).endsWith('/dax')) throw new Error('another subsystem');
    const size = Number(readFileSync(`${directory}/size`, 'latin1'));
    const granule = Number(readFileSync(`${directory}/align`, 'latin1'));
    if (Number.isSafeInteger(size) && granule >= native.pageSize) return { size, granule };
  } catch {
    // Told below: whatever is missing there, it is not a device-dax node.
  }
  const text = 'is a character device; want a regular file or a device-dax node';
  throw new LoadError('ERR_NOT_MAPPABLE', path, text);
}

export interface Mount {
  mountPoint: string;
  fileSystem: string;
  source: string;
  /** Of the mount and of the file system, comma separated. */
  options: string;
}

/** /proc/self/mountinfo (proc(5)), by mount id. */
export function mounts(): Map<number, Mount> {
  const found = new Map<number, Mount>();
  const unescape = (field: string) =>
    field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-');
    if (dash < 6) continue;
    found.set(Number(fields[0]), {
      mountPoint: unescape(fields[4] as string),
      fileSystem: fields[dash + 1] ?? '',
      source: unescape(fields[dash + 2] ?? ''),
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

function daxHugePages(offset: number | null, size: number): { possible: boolean; reason: string } {
  if (size < 2 << 20) return { possible: false, reason: 'the file is smaller than 2 MiB' };
  if (offset === null) return { possible: false, reason: 'the file system does not tell where the file lies' };
  if (offset !== 0) {
    const reason = `the first extent lies 0x${offset.toString(16)} bytes off a 2 MiB boundary of the medium`;
    return { possible: false, reason };
  }
  return { possible: true, reason: 'the first extent lies on a 2 MiB boundary of its partition' };
}

function tmpfsHugePages(options: string): { possible: boolean; reason: string } {
  const huge = /(?:^|,)huge=(\w+)/.exec(options)?.[1] ?? 'never';
  let forced = '';
  try {
    const setting = readFileSync('/sys/kernel/mm/transparent_hugepage/shmem_enabled', 'latin1');
    forced = /\[(\w+)\]/.exec(setting)?.[1] ?? '';
  } catch {
    return { possible: false, reason: 'the kernel has no transparent huge pages' };
  }
  if (forced === 'deny') return { possible: false, reason: 'shmem_enabled is deny' };
  if (forced === 'force') return { possible: true, reason: 'shmem_enabled is force' };
  const possible = huge !== 'never';
  return { possible, reason: `tmpfs is mounted huge=${huge}` };
}
