// The media of the suite: how each is made, and what is true of it.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import process from 'node:process';

export interface Medium {
  name: string;
  /** Where its files are: a directory, or the device-dax node that insitu places them in. */
  at: string;
  kind: 'dax' | 'devdax' | 'ram' | 'page-cache';
  fileSystem: string;
  mapSync: boolean;
  /** Minor faults that 64 MiB of text cost when each page is run, where a huge page each is what it is made for. */
  faults: number | 'small pages';
  /** Through the command line too. */
  inspected?: boolean;
  /** Files are there already. */
  readOnly?: boolean;
  prepare?: () => void;
}

function shell(script: string): void {
  execFileSync('bash', ['-c', script], { stdio: ['ignore', 'inherit', 'inherit'] });
}

const { DAX2M = '', DAX4K = '', EXT4_DEVICE = '' } = process.env;

export const media: readonly Medium[] = [
  {
    name: 'ext4, 2 MiB stripes',
    at: '/mnt/ext4',
    kind: 'dax',
    fileSystem: 'ext4',
    mapSync: true,
    faults: 32,
  },
  {
    name: 'ext4 as made by default',
    at: '/mnt/ext4-default',
    kind: 'dax',
    fileSystem: 'ext4',
    mapSync: true,
    faults: 'small pages',
  },
  {
    name: 'xfs, 2 MiB stripes',
    at: '/mnt/xfs',
    kind: 'dax',
    fileSystem: 'xfs',
    mapSync: true,
    faults: 32,
    inspected: true,
  },
  {
    name: 'erofs',
    at: '/mnt/erofs',
    kind: 'dax',
    fileSystem: 'erofs',
    mapSync: false,
    faults: 32,
    readOnly: true,
  },
  {
    name: 'device-dax, 2 MiB units',
    at: DAX2M,
    kind: 'devdax',
    fileSystem: 'devdax',
    mapSync: true,
    faults: 32,
    inspected: true,
  },
  {
    name: 'device-dax, 4 KiB units',
    at: DAX4K,
    kind: 'devdax',
    fileSystem: 'devdax',
    mapSync: true,
    faults: 'small pages',
  },
  {
    name: 'ext4 dax=inode, directory with +x',
    at: '/mnt/ext4/inherits',
    kind: 'dax',
    fileSystem: 'ext4',
    mapSync: true,
    faults: 32,
    prepare: () => {
      shell(`umount /mnt/ext4 && mount -o dax=inode ${EXT4_DEVICE} /mnt/ext4`);
      mkdirSync('/mnt/ext4/inherits');
      shell('xfs_io -c "chattr +x" /mnt/ext4/inherits');
    },
  },
  {
    name: 'ext4 dax=inode, without +x',
    at: '/mnt/ext4/plain',
    kind: 'page-cache',
    fileSystem: 'ext4',
    mapSync: false,
    faults: 'small pages',
    prepare: () => mkdirSync('/mnt/ext4/plain'),
  },
  {
    name: 'ext4 dax=never on the NVDIMM',
    at: '/mnt/ext4/never',
    kind: 'page-cache',
    fileSystem: 'ext4',
    mapSync: false,
    faults: 'small pages',
    prepare: () => {
      shell(`umount /mnt/ext4 && mount -o dax=never ${EXT4_DEVICE} /mnt/ext4`);
      mkdirSync('/mnt/ext4/never');
    },
  },
  {
    name: 'xfs -o dax, device without DAX',
    at: '/mnt/xfs-no-dax',
    kind: 'page-cache',
    fileSystem: 'xfs',
    mapSync: false,
    faults: 'small pages',
  },
  {
    name: 'ext4 on virtio-blk',
    at: '/mnt/ext4-block',
    kind: 'page-cache',
    fileSystem: 'ext4',
    mapSync: false,
    faults: 'small pages',
    inspected: true,
  },
  {
    name: 'tmpfs',
    at: '/dev/shm/media',
    kind: 'ram',
    fileSystem: 'tmpfs',
    mapSync: false,
    faults: 'small pages',
    prepare: () => mkdirSync('/dev/shm/media'),
  },
];
