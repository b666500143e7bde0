// What the guest runs: the first time on media that are made, then on what a power cut has left.
import { join } from 'node:path';
import { benchMedia, diskMedium, nvdimmMedia, SLOTS, startOf } from './layout.ts';
import { directoryOf, placings } from './placed.ts';

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const numberOf = (medium: string) => nvdimmMedia.findIndex(({ name }) => name === medium);
const benchNumber = nvdimmMedia.length;

/** The source tree's own scripts; `code` is in build/ below it. */
const sources = (code: string) => `
. ${quoted(join(code, '../../../test/machine/guest/media.sh'))}
. ${quoted(join(code, '../../../test/machine/power-cut/guest/media.sh'))}
set -e`;

const at = (medium: string) => (medium.startsWith('devdax') ? `$${variableOf(medium)}` : `/mnt/${medium}`);
const variableOf = (medium: string) => medium.replace('-', '_').toUpperCase();

function writer(code: string, where: string): string {
  const media = [...nvdimmMedia.map(({ name }) => name).filter((name) => name !== 'region'), diskMedium.name];
  const places = [...media.map((name) => `${name}=${at(name)}`), 'tmpfs=/dev/shm/records'];
  return `nice -n 15 node ${quoted(join(code, 'power-cut/guest/writer.js'))} ${where} ${places.join(' ')}`;
}

/** @param first the version that it begins with */
function placer(code: string, where: string, first: number): string {
  const places = placings.map((name) => `${name}=${directoryOf(name, '/mnt')}`);
  return `nice node ${quoted(join(code, 'power-cut/guest/placer.js'))} ${where} ${first} $REGION ${places.join(' ')}`;
}

export function firstJob(code: string): string {
  const partitions = Array.from({ length: SLOTS }, (_, slot) =>
    benchMedia.map(({ sizeMiB }, i) => `${startOf(slot, i)}:${sizeMiB}`),
  ).flat();
  return `${sources(code)}
ext4_prepared ${numberOf('ext4-2m')} /mnt/ext4-2m
ext4_default ${numberOf('ext4-4k')} /mnt/ext4-4k
xfs_prepared ${numberOf('xfs')} /mnt/xfs
ext4_on_block_device /dev/pmem$(namespace ${numberOf('ext4-nodax')} fsdax) /mnt/ext4-nodax
ext4_on_block_device /dev/vda /mnt/${diskMedium.name}
DEVDAX_2M=$(devdax ${numberOf('devdax-2m')} 2M)
DEVDAX_4K=$(devdax ${numberOf('devdax-4k')} 4k)
REGION=$(devdax ${numberOf('region')} 2M)
BENCH=$(bench ${benchNumber} ${partitions.join(' ')})
node ${quoted(join(code, 'power-cut/guest/recover.js'))} $BENCH &
${writer(code, 'start')} &
${placer(code, 'start', 1)} &
wait -n`;
}

/**
 * @param first version of files that are placed from now on
 * @param writes goes on writing; else ends once everything was looked at
 */
export function laterJob(code: string, where: string, first: number, writes: boolean): string {
  const again = (medium: string, options: string) =>
    `pmem_again ${numberOf(medium)} /mnt/${medium} ${options}`;
  return `${sources(code)}
${again('ext4-2m', 'dax=always')}
${again('ext4-4k', 'dax=always')}
${again('xfs', 'dax=always')}
${again('ext4-nodax', 'dax=never')}
mounted /dev/vda /mnt/${diskMedium.name} defaults
DEVDAX_2M=$(devdax_again ${numberOf('devdax-2m')})
DEVDAX_4K=$(devdax_again ${numberOf('devdax-4k')})
REGION=$(devdax_again ${numberOf('region')})
export ONLY_LOOK=${writes ? '' : 1}
${writer(code, where)} &
${placer(code, where, first)} &
wait -n
wait -n`;
}
