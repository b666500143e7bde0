// Faults planted in a recorded trace: the same program with a fence or a write-back missing, or in another order.
import { LINE, Medium } from './persistency.ts';
import type { Event, FenceEvent, Trace } from './trace.ts';

/** The trace without the event at `index`. What it is replaced by tells no recovery anything, so that numbers stay. */
export function without(events: readonly Event[], ...indexes: readonly number[]): Event[] {
  return events.map((event, i) => (indexes.includes(i) ? { e: 'mark', text: 'dropped' } : event));
}

/** Moves events [from, end) to just behind the event at `behind`. */
export function moved(events: readonly Event[], from: number, end: number, behind: number): Event[] {
  const part = events.slice(from, end);
  const rest = (a: number, b: number) => events.slice(a, b).filter((_, i) => a + i < from || a + i >= end);
  return [...rest(0, behind + 1), ...part, ...rest(behind + 1, events.length)];
}

/** What keeps order, and whether anything was pending that it could keep in order. */
export interface Keeper {
  index: number;
  /** Of a write-back: the line. */
  at?: number;
  by: string;
  where: string;
  /** It covers or settles something. One that does not has no effect that could be missed. */
  effective: boolean;
}

/** Every write-back, fence (locked instructions are none) and durable range of a trace. */
export function keepers({ events, image }: Trace): Keeper[] {
  const medium = new Medium(image);
  return events.flatMap((event, index): Keeper[] => {
    const effective =
      event.e === 'write-back'
        ? medium.hasUncovered(event.at)
        : event.e === 'fence'
          ? medium.hasCovered()
          : event.e === 'durable' && medium.units('words').length > 0;
    medium.apply(event);
    if (event.e === 'write-back')
      return [{ index, at: event.at, by: event.by, where: event.where, effective }];
    if (event.e === 'durable' || (event.e === 'fence' && event.by !== 'locked'))
      return [{ index, by: event.by, where: event.where, effective }];
    return [];
  });
}

/** The parts of one commit of a region in a trace, by event numbers. */
export interface CommitParts {
  /** Absent where nothing is placed. */
  data: Part | undefined;
  slot: Part;
  active: Part;
}

/** The first store, the first write-back and the fence that ends them. */
export interface Part {
  first: number;
  writeBack: number;
  fence: number;
}

/** Layout of a region (loader/store/layout.ts): the line of the active word, and where data begins. */
const ACTIVE_LINE = 256;
const DATA = 2 << 20;

/** Finds the parts of the commit that mark `commit-N` begins. @throws Error when the trace has no such commit */
export function commitParts(events: readonly Event[], number: number): CommitParts {
  const begin = events.findIndex((event) => event.e === 'mark' && event.text === `commit-${number}`);
  const end = events.findIndex((event) => event.e === 'mark' && event.text === `committed-${number}`);
  const part = (from: number, to: number): Part | undefined => {
    const of = (e: Event['e']) => (event: Event, i: number) =>
      i > begin && i < end && event.e === e && 'at' in event && event.at >= from && event.at < to;
    const first = events.findIndex(of('store'));
    const writeBack = events.findIndex(of('write-back'));
    const fence = events.findIndex(
      (event, i) => i > writeBack && event.e === 'fence' && event.by !== 'locked',
    );
    return first === -1 || writeBack === -1 || fence === -1 || fence > end
      ? undefined
      : { first, writeBack, fence };
  };
  const data = part(DATA, Number.POSITIVE_INFINITY);
  const slot = part(ACTIVE_LINE + LINE, DATA);
  const active = part(ACTIVE_LINE, ACTIVE_LINE + LINE);
  if (slot === undefined || active === undefined)
    throw new Error(`commit ${number} has no store, write-back and fence of its slot and of the active word`);
  return { data, slot, active };
}

export interface Plant {
  name: string;
  events: Event[];
  /** Whether it breaks what a commit promises. */
  breaks: boolean;
}

const fence: FenceEvent = { e: 'fence', by: 'sfence', where: 'planted' };

/** Faults in the commit that mark `commit-N` begins: each a mistake that a person could make. */
export function plantsOf(events: readonly Event[], number: number): Plant[] {
  const { data, slot, active } = commitParts(events, number);
  if (data === undefined) throw new Error(`commit ${number} places nothing`);
  const dataSync = events.slice(data.writeBack, data.fence + 1);
  const later = (behind: number) => [
    ...without(events.slice(0, behind + 1), ...range(data.writeBack, data.fence + 1)),
    ...dataSync,
    ...events.slice(behind + 1),
  ];
  return [
    {
      name: 'no fence between the slot and the active word',
      events: without(events, slot.fence),
      breaks: true,
    },
    { name: 'one line of data is not written back', events: without(events, data.writeBack), breaks: true },
    {
      name: 'one line of the slot is not written back',
      events: without(events, slot.writeBack),
      breaks: true,
    },
    {
      name: 'the active word is stored before the slot is synced',
      events: moved(events, active.first, active.first + 1, slot.writeBack - 1),
      breaks: true,
    },
    { name: 'data is synced after the active word', events: later(active.fence), breaks: true },
    {
      name: 'data is synced after the slot, before the active word',
      events: later(slot.fence),
      breaks: false,
    },
    {
      name: 'the active word is not synced',
      events: without(events, active.writeBack, active.fence),
      breaks: true,
    },
    {
      name: 'a fence more',
      events: [...events.slice(0, slot.fence), fence, ...events.slice(slot.fence)],
      breaks: false,
    },
  ];
}

const range = (from: number, end: number) => Array.from({ length: end - from }, (_, i) => from + i);
