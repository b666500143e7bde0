// Whether 2 MiB pages can map text, and if not, which of three is in the way: the medium, the file's layout on it, or
// the address. Place on the medium, offset in the file and address must agree modulo 2 MiB, in one extent a block.
import { readFileSync } from 'node:fs';
import type { Backing, OpenFile } from './backing.ts';
import type { Image } from './image.ts';
import { type HugeLayout, native } from './native.ts';
import { type Plan, plan } from './plan.ts';

export interface HugePages {
  possible: boolean;
  /** What has to change; null where nothing needs to, or nothing can. */
  obstacle: 'medium' | 'file' | 'address' | null;
  reason: string;
  /** What to run; null where no command helps. */
  command: string | null;
  /** 2 MiB blocks of the file that lie wholly inside the text, and those of them that are laid out for huge pages. */
  blocks: number;
  huge: number;
}

/** Text as stored: bytes, `offset` counts from the start of the file. */
export interface StoredText {
  readonly offset: number;
  readonly size: number;
}

export interface LinkedText extends StoredText {
  readonly vaddr: number;
}

/** Why the address where text gets mapped does not fit its place in the file. */
export type AddressObstacle = Pick<HugePages, 'reason' | 'command'>;

/** One line for people, with what to run. */
export function describeHugePages({ possible, obstacle, reason, command }: HugePages): string {
  const blame = obstacle === null ? '' : ` (${obstacle})`;
  return `${possible ? 'possible' : 'no'}${blame}: ${reason}${command === null ? '' : `; run ${command}`}`;
}

export const describeFaults = ({ pages, faults: taken }: { pages: number; faults: number }): string =>
  `page faults to touch its text, mapped anew: ${taken} for ${pages} pages`;

export const HUGE = 2 << 20;
const RELINK = 'cc … -Wl,-z,max-page-size=0x200000';
const hex = (value: number) => `0x${value.toString(16)}`;

/** The text of an image: its largest executable segment; null where there is none. */
export function textOf(image: Image, start: number): LinkedText | null {
  const [text] = image.segments.filter(({ flags }) => flags & 1).sort((a, b) => b.fileSize - a.fileSize);
  return text ? { offset: start + text.fileOffset, size: text.fileSize, vaddr: text.vaddr } : null;
}

/** As textOf, of planned segments; a size of 0 where there is no text. */
export function textOfPlan({ segments }: Pick<Plan, 'segments'>, start: number): LinkedText {
  const [text] = segments.filter(({ prot }) => prot === 'r-x').sort((a, b) => b.fileSize - a.fileSize);
  return { offset: start + (text?.fileOffset ?? 0), size: text?.fileSize ?? 0, vaddr: text?.vaddr ?? 0 };
}

/**
 * What stands in the way of huge pages for a range of a file, by what the file system and /sys tell; `faults` are what
 * shows it. `address` = what is known of the address already.
 */
export function hugePages(
  file: OpenFile,
  text: StoredText,
  address: AddressObstacle | null = null,
): HugePages {
  const { backing } = file;
  if (backing.medium === 'devdax') return ofDevice(backing, text, address);
  if (backing.medium !== 'dax') return ofPageCache(backing);
  const layout = native.hugeLayout(file.fd, text.offset, text.size);
  return ofLayout(layout, text, address, backing);
}

/** As hugePages, of an image's text; `byKernel` = execve(2) maps it, else insitu does. */
export function hugePagesOfImage(file: OpenFile, image: Image, byKernel: boolean): HugePages {
  const text = textOf(image, file.start);
  if (text === null) return hugePages(file, { offset: file.start, size: 0 });
  if (byKernel) return hugePages(file, text, addressOfExecve(image, text));
  const planned = plan(image, file.backing, 'in-place', file.start);
  const copied = planned.segments.find(({ prot, placement }) => prot === 'r-x' && placement === 'copied');
  if (copied) return ofCopy(copied.reason);
  return hugePages(file, text, addressOfLoad(planned, text));
}

const ofCopy = (reason: string): HugePages => ({
  ...{ possible: false, obstacle: 'file', reason: `text of it would be copied: ${reason}`, command: RELINK },
  ...{ blocks: 0, huge: 0 },
});

/** By counting: the text is mapped anew and one byte of each page is read. Null when the file shrank meanwhile. */
export function faults(file: OpenFile, text: StoredText): { pages: number; faults: number } | null {
  return native.countFaults(file.fd, text.offset, text.size);
}

const blocksIn = ({ offset, size }: StoredText) =>
  Math.max(0, Math.floor((offset + size) / HUGE) - Math.ceil(offset / HUGE));

/** What the layout of the text's blocks means. Pure. */
export function ofLayout(
  layout: HugeLayout,
  text: StoredText,
  address: AddressObstacle | null,
  backing: Pick<Backing, 'fileSystem' | 'mountPoint'>,
): HugePages {
  const { blocks, huge, base } = layout;
  const answer = (obstacle: HugePages['obstacle'], reason: string, command: string | null): HugePages => ({
    ...{ possible: false, obstacle, reason, command, blocks, huge },
  });
  if (blocks === 0) return tooSmall(text);
  if (!layout.told) return answer(null, 'the file system does not tell where the file lies', null);
  // As the file system sees it, the file lies well.
  if (huge < blocks && base !== 0 && layout.misalignment === base)
    return answer(
      'medium',
      `the file system begins ${hex(base)} bytes off a 2 MiB boundary of the medium`,
      `${layOut(backing)}   # or use a partition that begins at one`,
    );
  if (huge < blocks) {
    const place = `${blocks - huge} of the ${blocks} 2 MiB blocks of its text are not in one piece on a 2 MiB boundary`;
    const off =
      layout.misalignment === 0 ? '' : `, the one at ${hex(layout.first)} is ${hex(layout.misalignment)} off`;
    return answer('file', `${place}${off}`, layOut(backing));
  }
  if (address) return answer('address', address.reason, address.command);
  const known = layout.absolute ? '' : ' of its device (where that begins on the medium, /sys does not tell)';
  const rest = Math.ceil((text.size - blocks * HUGE) / native.pageSize);
  const ends = rest === 0 ? '' : `; ${rest} pages at its ends are in none`;
  const reason = `all ${blocks} 2 MiB blocks of its text lie on 2 MiB boundaries${known}${ends}`;
  return { possible: true, obstacle: null, reason, command: null, blocks, huge };
}

/** A read-only file system is laid out when it is made. */
const layOut = (backing: Pick<Backing, 'fileSystem' | 'mountPoint'>) =>
  backing.fileSystem === 'erofs'
    ? 'mkfs.erofs -Enoinline_data …   # with the file at a 2 MiB boundary of the image'
    : `insitu place FILE ${backing.mountPoint ?? 'DIRECTORY'}`;

/** No whole block of the file is text; of text that is large enough, because of where the linker put it. */
function tooSmall({ offset, size }: StoredText): HugePages {
  const none = { possible: false, blocks: 0, huge: 0 };
  if (size < HUGE)
    return {
      ...none,
      obstacle: null,
      reason: `its text of ${size} bytes is smaller than 2 MiB`,
      command: null,
    };
  const reason = `its text begins at ${hex(offset)} of the file, so that no 2 MiB block of the file is text alone`;
  return { ...none, obstacle: 'file', reason, command: RELINK };
}

function ofDevice(backing: Backing, text: StoredText, address: AddressObstacle | null): HugePages {
  const blocks = blocksIn(text);
  if (blocks === 0) return tooSmall(text);
  if (backing.granule < HUGE)
    return {
      ...{ possible: false, obstacle: 'medium', blocks, huge: 0 },
      reason: `device-dax was made to map multiples of ${backing.granule} bytes`,
      command: 'ndctl create-namespace -f -e NAMESPACE --mode=devdax --align=2M   # erases it',
    };
  if (address) return { ...address, possible: false, obstacle: 'address', blocks, huge: blocks };
  const reason = `device-dax maps multiples of ${backing.granule} bytes`;
  return { possible: true, obstacle: null, reason, command: null, blocks, huge: blocks };
}

function ofPageCache(backing: Backing): HugePages {
  const answer = (reason: string, command: string | null, possible = false): HugePages => ({
    ...{ possible, obstacle: possible ? null : 'medium', reason, command, blocks: 0, huge: 0 },
  });
  if (backing.fileSystem !== 'tmpfs') return answer('the page cache maps pages of 4 KiB', null);
  const huge = /(?:^|,)huge=(\w+)/.exec(backing.mount?.options ?? '')?.[1] ?? 'never';
  const forced = sharedMemorySetting();
  if (forced === null) return answer('the kernel has no transparent huge pages', null);
  if (forced === 'deny') return answer('shmem_enabled is deny', `echo advise > ${SHMEM_ENABLED}`);
  if (forced === 'force') return answer('shmem_enabled is force', null, true);
  const remount = `mount -o remount,huge=within_size ${backing.mountPoint ?? ''}`;
  return answer(`tmpfs is mounted huge=${huge}`, huge === 'never' ? remount : null, huge !== 'never');
}

const SHMEM_ENABLED = '/sys/kernel/mm/transparent_hugepage/shmem_enabled';

function sharedMemorySetting(): string | null {
  try {
    return /\[(\w+)\]/.exec(readFileSync(SHMEM_ENABLED, 'latin1'))?.[1] ?? '';
  } catch {
    return null;
  }
}

/** load() reserves what the plan says: only an image with an odd start in its file finds no address that fits. */
export function addressOfLoad(plan: Plan, text: LinkedText): AddressObstacle | null {
  const fits = plan.alignment >= HUGE && (plan.congruence + text.vaddr - text.offset) % HUGE === 0;
  if (fits || text.size < HUGE) return null;
  const reason = `its text, at ${hex(text.offset)} of the file, wants addresses aligned to ${hex(plan.alignment)}`;
  return { reason: `${reason}; want both congruent modulo 2 MiB`, command: RELINK };
}

/**
 * execve(2) maps a PIE at a random multiple of its largest p_align, and anything else where it was linked to be. A
 * static PIE is placed by the file system, which knows.
 */
export function addressOfExecve(image: Image, text: LinkedText): AddressObstacle | null {
  const align = Math.max(...image.segments.map((segment) => segment.align));
  const isFixed = image.kind === 'static' || image.kind === 'no-pie';
  const congruent = (text.vaddr - text.offset) % HUGE === 0;
  if (image.kind === 'static-pie' || (congruent && (isFixed || align >= HUGE))) return null;
  const reason = isFixed
    ? `it is linked to address ${hex(text.vaddr)}, which does not fit ${hex(text.offset)} of the file modulo 2 MiB`
    : `execve maps it at a random multiple of ${hex(align)}; want its segments aligned to 2 MiB`;
  return {
    reason,
    command: isFixed ? RELINK : `${RELINK}   # or start it by insitu-exec, which maps it where it fits`,
  };
}
