// Why a file that could be expected to have DAX has none. What is so is sensed (backing.ts); here is only why: by the
// mount's options, the block device, and the file's own attribute.
import { existsSync, readFileSync } from 'node:fs';
import type { Backing, Mount } from './backing.ts';

/** File systems that know DAX on block devices. */
const BLOCK = new Set(['ext4', 'ext2', 'xfs', 'erofs']);

/**
 * One clause for people: null of a file that has DAX, and where nothing would lead anybody to expect any.
 */
export function whyNoDax({ medium, mount }: Backing): string | null {
  if (medium !== 'page-cache' || mount === undefined || !BLOCK.has(mount.fileSystem)) return null;
  const wish = daxOption(mount);
  const able = deviceHasDax(mount);
  const device = mount.source;
  if (able === false)
    return wish === null ? null : `mounted with ${wish}, but the device ${device} has no DAX`;
  if (able === null) return wish === null ? null : `mounted with ${wish}, but this file has no DAX`;
  if (wish === 'dax=never') return `${device} could, but is mounted with dax=never`;
  if (wish === 'dax' || wish === 'dax=always')
    return `mounted with ${wish}, but this file has no DAX (its contents are shared, encrypted or inside its inode)`;
  if (wish === 'dax=inode' || mount.fileSystem === 'xfs')
    return `${device} could, but the file has not the attribute that dax=inode asks for (xfs_io -c 'chattr +x' on its directory, before it is made)`;
  return `${device} could, but is mounted without dax`;
}

/** 'dax', 'dax=always', 'dax=never' or 'dax=inode'; null where the mount says nothing. */
export function daxOption({ options }: Mount): string | null {
  return options.split(',').find((option) => /^dax(=\w+)?$/.test(option)) ?? null;
}

/** Whether the block device maps its storage directly; null where /sys does not tell. */
export function deviceHasDax({ device }: Mount): boolean | null {
  for (const queue of ['queue', '../queue']) {
    const file = `/sys/dev/block/${device}/${queue}/dax`;
    if (existsSync(file)) return readFileSync(file, 'latin1').trim() === '1';
  }
  return null;
}
