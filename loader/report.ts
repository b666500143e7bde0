// What a load did: intended (placement) and measured (phases, bytes, faults, evidence), kept apart.
import { Backing, OpenFile } from './backing.ts';
import { LoadError } from './error.ts';
import { dramSaved, type Evidence, takeEvidence } from './evidence.ts';
import { addressOfLoad, type HugePages, hugePages, textOfPlan } from './huge-pages.ts';
import { type ImageHandle, native, slot, slots } from './native.ts';
import { type PlanSegment, planUsed } from './plan.ts';
import { locate } from './store/locate.ts';

export interface Phase {
  readonly name: string;
  readonly ns: number;
}

export interface Faults {
  readonly minor: number;
  readonly major: number;
}

/**
 * Report of the chain for one loaded library. It keeps the numbers of the load and looks everything else up when it is
 * asked for, so that a load that nobody asks about pays nothing for it.
 */
export class Report {
  readonly file: string;
  readonly place: 'in-place' | 'copy';
  readonly backing: Backing;
  /** Steps of the chain in their order. */
  readonly phases: readonly Phase[];
  /** Page faults of the load, of this thread. */
  readonly faults: Faults;
  /** Bytes read into anonymous memory. */
  readonly bytesCopied: number;
  readonly base: bigint;
  readonly bias: bigint;
  readonly #handle: ImageHandle;

  /** @param after what was done with the image since */
  constructor(
    file: string,
    place: 'in-place' | 'copy',
    handle: ImageHandle,
    prefaulted = false,
    after: readonly Phase[] = [],
  ) {
    native.loadRecord(handle, slots);
    this.file = file;
    this.place = place;
    this.backing = new Backing(file);
    this.phases = phaseNames(place)
      .map((name, i) => ({ name, ns: slot(16 + i) }))
      .filter(({ name }) => name !== 'prefault' || prefaulted)
      .concat(after);
    this.faults = { minor: slot(24), major: slot(25) };
    this.base = BigInt(slot(26));
    this.bias = BigInt(slot(27));
    this.bytesCopied = slot(29);
    this.#handle = handle;
  }

  /** Placement as planned, segment by segment, with the reason. */
  get segments(): readonly PlanSegment[] {
    return planUsed(this.#handle).segments;
  }

  /** Bytes of segments that are mapped as they are stored and never written: text and read-only data. */
  get bytesInPlace(): number {
    return this.segments.reduce((n, s) => (s.placement === 'in-place' ? n + s.fileSize : n), 0);
  }

  /** Where the pages are now, by frame: a new look each time. The library must still be open. */
  get evidence(): Evidence {
    return takeEvidence(this.#handle, this.bias, this.backing.medium);
  }

  /**
   * Whether huge pages can map its text where it is stored, and if not, what is in the way. Null of a copy, and when its
   * name is no longer that of the file that was loaded.
   */
  get hugePages(): HugePages | null {
    if (this.place === 'copy') return null;
    try {
      using located = locate(this.file);
      using file = new OpenFile(located.path, located.start, located.size);
      if (file.backing.inode !== this.backing.inode) return null;
      const plan = planUsed(this.#handle);
      const text = textOfPlan(plan, file.start);
      return hugePages(file, text, addressOfLoad(plan, text));
    } catch (error) {
      if (error instanceof LoadError) return null;
      throw error;
    }
  }

  /** Nanoseconds of all phases. */
  get totalNs(): number {
    return this.phases.reduce((n, phase) => n + phase.ns, 0);
  }

  toJSON() {
    const { file, place, phases, bytesInPlace, bytesCopied, faults, backing, segments } = this;
    const { hugePages: pages, evidence } = this;
    const planned = { bytesInPlace, bytesCopied, faults, backing, segments };
    return { file, place, phases, ...planned, hugePages: pages, dramSaved: dramSaved(evidence), evidence };
  }
}

const phaseNames = (place: 'in-place' | 'copy') => [
  'open',
  'read',
  'plan',
  place === 'copy' ? 'copy' : 'map',
  'prefault',
  'link',
];
