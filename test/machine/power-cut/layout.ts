// The machine's NVDIMMs and disk, and how images of them lie on the bench: one more NVDIMM, on which the guest mounts
// copies of its own file systems while it goes on writing to them.

export const MiB = 1 << 20;

export interface Medium {
  name: string;
  sizeMiB: number;
  /** How an image of it is mounted; none: a device-dax, which the host reads. A journal is recovered for reading too. */
  fileSystem?: string;
  options?: string;
}

/** The NVDIMMs in their order. xfs wants 300 MiB. */
export const nvdimmMedia: readonly Medium[] = [
  { name: 'ext4-2m', sizeMiB: 64, fileSystem: 'ext4', options: 'dax=always,ro' },
  { name: 'ext4-4k', sizeMiB: 64, fileSystem: 'ext4', options: 'dax=always,ro' },
  // xfs that can share extents refuses DAX on a part of a device.
  { name: 'xfs', sizeMiB: 304, fileSystem: 'xfs', options: 'nouuid,ro' },
  { name: 'ext4-nodax', sizeMiB: 64, fileSystem: 'ext4', options: 'dax=never,ro' },
  { name: 'devdax-2m', sizeMiB: 32 },
  { name: 'devdax-4k', sizeMiB: 32 },
  { name: 'region', sizeMiB: 64 },
];

/**
 * virtio-blk. What it has completed is in a file of the host, whose power stays on: what survives is what the guest's
 * kernel has handed on, not what a disk would have kept.
 */
export const diskMedium: Medium = {
  name: 'ext4-block',
  sizeMiB: 64,
  fileSystem: 'ext4',
  options: 'dax=never',
};

/** Those whose images the guest's kernel recovers. */
export const benchMedia = [...nvdimmMedia, diskMedium].filter(
  (medium): medium is Required<Medium> => medium.fileSystem !== undefined,
);

/** Images of so many cuts are on the bench at once. */
export const SLOTS = 3;

const slotMiB = benchMedia.reduce((sum, { sizeMiB }) => sum + sizeMiB, 0);

/** Behind the others, so that they are the same without it; with room for the namespace's own data. */
export const bench: Medium = { name: 'bench', sizeMiB: Math.ceil((SLOTS * slotMiB + 64) / 16) * 16 };

export const partitionOf = (slot: number, i: number): number => slot * benchMedia.length + i + 1;

/** Where the image lies, in MiB from the start of the bench's data. */
export function startOf(slot: number, i: number): number {
  return slot * slotMiB + benchMedia.slice(0, i).reduce((sum, { sizeMiB }) => sum + sizeMiB, 0);
}
