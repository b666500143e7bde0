// What a load did: intended (placement) and measured (phases, bytes, faults, evidence), kept apart.
import type { Backing } from './backing.ts';
import { type Evidence, takeEvidence } from './evidence.ts';
import type { Mapping } from './map.ts';
import { native } from './native.ts';
import type { PlanSegment } from './plan.ts';

export interface Phase {
  readonly name: string;
  readonly ns: number;
}

export interface Faults {
  readonly minor: number;
  readonly major: number;
}

/** Times steps one after the other: each call of `phase` ends a step. */
export class Stopwatch {
  readonly phases: Phase[] = [];
  #last = process.hrtime.bigint();

  phase(name: string): void {
    const now = process.hrtime.bigint();
    this.phases.push({ name, ns: Number(now - this.#last) });
    this.#last = now;
  }
}

export class Report {
  readonly place: 'in-place' | 'copy';
  readonly phases: readonly Phase[];
  /** Bytes of file pages mapped as stored and not private: what was executed or read where it lies. */
  readonly bytesInPlace: number;
  /** Bytes read into anonymous memory. */
  readonly bytesCopied: number;
  /** Page faults of the load, of this thread. */
  readonly faults: Faults;
  readonly backing: Backing;
  readonly #mapping: Mapping;

  constructor(
    place: 'in-place' | 'copy',
    phases: readonly Phase[],
    faults: Faults,
    backing: Backing,
    mapping: Mapping,
  ) {
    this.place = place;
    this.phases = phases;
    this.faults = faults;
    this.backing = backing;
    this.#mapping = mapping;
    this.bytesCopied = mapping.bytesCopied;
    const pages = (s: PlanSegment) => pagesOf(s, native.pageSize) * native.pageSize;
    this.bytesInPlace = this.segments.reduce((n, s) => (s.placement === 'in-place' ? n + pages(s) : n), 0);
  }

  get file(): string {
    return this.backing.path;
  }

  /** Placement as planned, segment by segment, with the reason. */
  get segments(): readonly PlanSegment[] {
    return this.#mapping.plan.segments;
  }

  /** Where the pages are now, by frame: a new look each time. The library must still be open. */
  get evidence(): Evidence {
    return takeEvidence(this.#mapping, this.backing.medium, native.pageSize);
  }

  /** Nanoseconds of all phases. */
  get totalNs(): number {
    return this.phases.reduce((n, phase) => n + phase.ns, 0);
  }

  toJSON() {
    const { file, place, phases, bytesInPlace, bytesCopied, faults, backing, segments, evidence } = this;
    return { file, place, phases, bytesInPlace, bytesCopied, faults, backing, segments, evidence };
  }
}

function pagesOf(segment: PlanSegment, page: number): number {
  const first = Math.floor(segment.vaddr / page);
  return Math.ceil((segment.vaddr + segment.memSize) / page) - first;
}
