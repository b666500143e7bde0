// What stands on the two stacks of a body that is being written, values and control frames, as in the validation algorithm
// of the core specification's appendix.
import type { ValueType } from '../module.ts';

export interface Value {
  type: ValueType;
  /** A C expression: a name, a constant, or in parentheses. */
  text: string;
  /** A constant, or a name that nothing writes to any more: may be used any number of times, at any later place. */
  stable: boolean;
  /** Locals that the expression reads. */
  locals: readonly number[];
}

export type FrameKind = 'function' | 'block' | 'loop' | 'if' | 'else' | 'try' | 'catch' | 'try_table';

export interface Frame {
  kind: FrameKind;
  /** Its labels: L<id> (end, a loop's begin), E<id> (else), H<id> (thrown within), N<id>_<catch> (next catch). */
  id: number;
  params: ValueType[];
  results: ValueType[];
  /** Of the stack below the parameters. */
  height: number;
  /** Something jumps to its end (a loop: to its begin). */
  targeted: boolean;
  declared: boolean;
  /** An if's parameters, for its else. */
  entry: Value[];
  /** try and try_table: where exceptions of calls land. */
  landed: boolean;
  /** Clauses of a legacy try so far; -1 after its catch_all. */
  catches: number;
  clauses: Clause[];
}

/** A catch of a try_table. */
export interface Clause {
  /** null catches all. */
  tag: number | null;
  withReference: boolean;
  frame: Frame;
}

export function newFrame(
  kind: FrameKind,
  id: number,
  height: number,
  params: ValueType[],
  results: ValueType[],
): Frame {
  return {
    kind,
    id,
    params,
    results,
    height,
    targeted: false,
    declared: false,
    entry: [],
    landed: false,
    catches: 0,
    clauses: [],
  };
}
