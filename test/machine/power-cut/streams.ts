// What is written where. A stream is a sequence of records on one medium: record `seq` is stored, synced and told before
// the next one is begun, so that a power cut finds at most one of them on its way.

/**
 * ring: slots that are overwritten in turn. files: each pass over the slots goes to a new sparse file, in which each page
 * is allocated by the store to it; the file before the last is removed. growing: as files, but each record makes the file
 * just long enough for itself, in a mapping that was there before.
 */
export type Kind = 'ring' | 'files' | 'growing';

/** How a sync makes a record durable, if it does. */
export type Keeping = 'by the processor' | 'by msync' | 'nothing';

export interface Stream {
  name: string;
  /** In its records. */
  id: number;
  medium: string;
  kind: Kind;
  promise: Keeping;
  /** Records a round: those that are synced by the processor alone are quick. */
  weight: number;
  /** Planted: `early` tells of a record before it is stored, `unsynced` of one that it never syncs. */
  lie?: 'early' | 'unsynced';
}

export interface Geometry {
  slots: number;
  /** Bytes from one slot to the next; behind `lead` of them there is `room` for the record. */
  stride: number;
  lead: number;
  room: number;
}

/** Most records lie across two pages, which no other has a part of. */
const paged: Geometry = { slots: 64, stride: 32768, lead: 3584, room: 2560 };
const packed: Geometry = { slots: 64, stride: 1000, lead: 0, room: 1000 };

export const geometryOf = ({ kind }: Stream): Geometry => (kind === 'growing' ? packed : paged);

/** Bytes of a ring, or of a file that is full. */
export const extentOf = (stream: Stream): number => geometryOf(stream).slots * geometryOf(stream).stride;

const rows: [name: string, medium: string, kind: Kind, weight: number, lie?: Stream['lie']][] = [
  ['ext4-2m', 'ext4-2m', 'files', 4],
  ['ext4-4k', 'ext4-4k', 'files', 4],
  ['xfs', 'xfs', 'files', 4],
  ['ext4-growing', 'ext4-4k', 'growing', 2],
  ['xfs-growing', 'xfs', 'growing', 2],
  ['devdax-2m', 'devdax-2m', 'ring', 8],
  ['devdax-4k', 'devdax-4k', 'ring', 8],
  ['ext4-nodax', 'ext4-nodax', 'ring', 1],
  ['ext4-block', 'ext4-block', 'files', 1],
  ['tmpfs', 'tmpfs', 'files', 1],
  ['planted-early', 'ext4-2m', 'files', 1, 'early'],
  ['planted-unsynced', 'ext4-nodax', 'files', 1, 'unsynced'],
];

const promiseOf = (medium: string): Keeping => {
  if (medium === 'tmpfs') return 'nothing';
  return medium === 'ext4-nodax' || medium === 'ext4-block' ? 'by msync' : 'by the processor';
};

export const streams: readonly Stream[] = rows.map(([name, medium, kind, weight, lie], id) => ({
  name,
  id,
  medium,
  kind,
  promise: promiseOf(medium),
  weight,
  ...(lie === undefined ? {} : { lie }),
}));

/** Every fifth record is stored and never synced: it is not promised, and nothing is told of it. */
export const isSynced = (seq: number): boolean => seq % 5 !== 4;

export const passOf = (stream: Stream, seq: number): number => Math.floor(seq / geometryOf(stream).slots);

export const slotOf = (stream: Stream, seq: number): number => seq % geometryOf(stream).slots;

/** Where the record lies in the ring, or in its file. */
export function offsetOf(stream: Stream, slot: number): number {
  const { stride, lead } = geometryOf(stream);
  return slot * stride + lead;
}

export const fileOf = (stream: Stream, pass: number): string => `${stream.name}.${pass}`;
