// Which NVM a machine has, and what to do where it has none. Looks; changes nothing but a probe file that it removes.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mount, mounts, sense } from '../../loader/backing.ts';
import { defaultRegion, type RegionDirectory, tryDirectory } from '../../loader/default-region.ts';
import { daxOption, deviceHasDax, whyNoDax } from '../../loader/no-dax.ts';
import { writeBackInstruction } from '../../loader/nvm.ts';

export interface Diagnosis {
  /** Mounts with a dax option on a device that has DAX, each with what was found of files on it. */
  daxMounts: DaxMount[];
  deviceDax: { path: string; size: number }[];
  pmemDevices: string[];
  ramMounts: { mountPoint: string; noexec: boolean }[];
  region: RegionDirectory;
  /** Whether frame numbers can be read. */
  evidence: string;
  writeBack: string;
  machine: string;
  node: string;
  advice: { why: string; command: string }[];
}

export interface DaxMount extends Mount {
  /** What a new file there gets, or of a read-only one what a file there has. */
  files: string;
}

const hasOption = (mount: Mount, pattern: RegExp) =>
  mount.options.split(',').some((option) => pattern.test(option));

export function examine(): Diagnosis {
  // One mount may lie over another: the last is the one to be seen.
  const all = [...new Map([...mounts().values()].map((mount) => [mount.mountPoint, mount])).values()];
  const daxMounts = all
    .filter((mount) => /^dax(=always|=inode)?$/.test(daxOption(mount) ?? '') && deviceHasDax(mount) !== false)
    .map((mount) => ({ ...mount, files: filesOf(mount) }));
  const deviceDax = namesIn('/sys/bus/dax/devices').map((name) => ({
    path: `/dev/${name}`,
    size: Number(textOf(`/sys/bus/dax/devices/${name}/size`) || 0),
  }));
  const pmemDevices = namesIn('/sys/block')
    .filter((name) => name.startsWith('pmem'))
    .map((name) => `/dev/${name}`);
  const ramMounts = all
    .filter((mount) => mount.fileSystem === 'tmpfs' || mount.fileSystem === 'ramfs')
    .map((mount) => ({ mountPoint: mount.mountPoint, noexec: hasOption(mount, /^noexec$/) }));
  const found: Omit<Diagnosis, 'advice'> = {
    daxMounts,
    deviceDax,
    pmemDevices,
    ramMounts,
    region: defaultRegion(),
    evidence: evidenceHere(),
    writeBack: writeBackInstruction(),
    machine: process.arch,
    node: `${process.version}${olderThan(22, 15) ? ' (works; 22.15 or later recommended)' : ''}`,
  };
  return { ...found, advice: advise(found) };
}

/** By a file, as the mount only says what was wished for: a new one, or where none can be made, one that is there. */
function filesOf({ mountPoint }: Mount): string {
  const tried = tryDirectory(mountPoint);
  if (typeof tried !== 'string')
    return tried.dax ? 'new files have DAX' : `new files have none: ${whyNoDax(tried)}`;
  const [file] = regularFilesIn(mountPoint);
  if (file === undefined) return tried;
  const { dax } = sense(join(mountPoint, file));
  return `${tried}; ${file} has ${dax ? 'DAX' : 'no DAX'}`;
}

function regularFilesIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  } catch {
    return []; // not for us to see
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // the kernel has no such subsystem
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

/** CAP_SYS_ADMIN is bit 21 of CapEff (capabilities(7)); without it pagemap gives frame numbers as 0. */
function evidenceHere(): string {
  const capabilities = /CapEff:\s*([0-9a-f]+)/.exec(textOf('/proc/self/status'))?.[1] ?? '0';
  const admin = ((BigInt(`0x${capabilities}`) >> 21n) & 1n) === 1n;
  if (!admin) return 'page types only: frame numbers need CAP_SYS_ADMIN';
  return textOf('/proc/iomem').includes('Persistent Memory')
    ? 'frame numbers, against the Persistent Memory of /proc/iomem'
    : 'frame numbers; /proc/iomem has no Persistent Memory';
}

function olderThan(major: number, minor: number): boolean {
  const [a = 0, b = 0] = process.versions.node.split('.').map(Number);
  return a < major || (a === major && b < minor);
}

function advise(found: Omit<Diagnosis, 'advice'>): Diagnosis['advice'] {
  const advice: Diagnosis['advice'] = [];
  const add = (why: string, command: string) => advice.push({ why, command });
  const [pmem] = found.pmemDevices;
  const used = [...mounts().values()].find((mount) => found.pmemDevices.includes(mount.source));
  if (found.daxMounts.length === 0 && used !== undefined) {
    const how = daxOption(used) ?? 'no dax option';
    const remount = `umount ${used.mountPoint} && mount -o dax=always ${used.source} ${used.mountPoint}`;
    add(`${used.source} is NVM, mounted at ${used.mountPoint} with ${how}`, remount);
  } else if (found.daxMounts.length === 0 && pmem !== undefined)
    add(
      `${pmem} is NVM without a DAX file system (this erases it)`,
      `mkfs.ext4 ${pmem} && mount -o dax=always ${pmem} /mnt`,
    );
  if (pmem === undefined && found.deviceDax.length === 0) {
    if (
      existsSync('/sys/bus/nd/devices') &&
      namesIn('/sys/bus/nd/devices').some((name) => name.startsWith('region'))
    )
      add('there is an NVDIMM region without a namespace', 'ndctl create-namespace --mode=fsdax --map=mem');
    add(
      'no NVM on this machine. To set 4 GiB of its RAM aside as some, boot with this kernel parameter',
      'memmap=4G!8G   # 4 GiB from physical address 8 GiB; then mkfs.ext4 /dev/pmem0',
    );
    add(
      'or start a virtual machine with an emulated NVDIMM',
      'qemu-system-x86_64 -machine q35,nvdimm=on … -device nvdimm,…',
    );
  }
  if (found.region.medium === 'page-cache')
    add(
      'no RAM file system allows execution, so nothing can stand in for NVM',
      'mount -t tmpfs -o exec tmpfs /mnt',
    );
  const shm = found.ramMounts.find((mount) => mount.mountPoint === '/dev/shm');
  if (shm?.noexec) add('/dev/shm is mounted noexec, as containers do', 'mount -o remount,exec /dev/shm');
  if (found.evidence.startsWith('page types'))
    add('to see where pages are by frame, be root', 'sudo insitu inspect --evidence FILE');
  return advice;
}
