// The machine's NVDIMMs and disk, and how images of them lie on the bench: one more NVDIMM, on which the guest mounts
// copies of its own file systems while it goes on writing to them.

export const MiB = 1 << 20;

export interface Medium {
  name: string;
  sizeMiB: number;
  /** How an image of it is mounted; none: a device-dax, which the host reads. */
  fileSystem?: string;
  options?: string;
}

/** The NVDIMMs in their order. xfs wants 300 MiB. */
export const nvdimmMedia: readonly Medium[] = [
  { name: 'ext4-2m', sizeMiB: 64, fileSystem: 'ext4', options: 'dax=always' },
  { name: 'ext4-4k', sizeMiB: 64, fileSystem: 'ext4', options: 'dax=always' },
  // xfs that can share extents refuses DAX on a part of a device.
  { name: 'xfs', sizeMiB: 304, fileSystem: 'xfs', options: 'nouuid' },
  { name: 'ext4-nodax', sizeMiB: 64, fileSystem: 'ext4', options: 'dax=never' },
  { name: 'devdax-2m', sizeMiB: 32 },
  { name: 'devdax-4k', sizeMiB: 32 },
  { name: 'region', sizeMiB: 64 },
];

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

/** With room for the namespace's own data. */
export const benchMiB = Math.ceil((SLOTS * slotMiB + 64) / 16) * 16;

export const partitionOf = (slot: number, i: number): number => slot * benchMedia.length + i + 1;

/** Where the image lies, in MiB from the start of the bench's data. */
export function startOf(slot: number, i: number): number {
  return slot * slotMiB + benchMedia.slice(0, i).reduce((sum, { sizeMiB }) => sum + sizeMiB, 0);
}
