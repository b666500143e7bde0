// Structured control as labels and gotos (core specification 4.4.8). What ends a reachable stretch answers whether the
// instruction after it can be reached.

import { UnsupportedFeature } from '../module.ts';
import { endOfCatching } from './catching.ts';
import type { FrameKind } from './frame.ts';
import { blockType, labels } from './immediates.ts';
import { assignments, finishArm, jump, labelTypes, peek, pushVariables, returnOf } from './jumps.ts';
import type { FunctionWriter } from './writer.ts';

/** Loops and conditions in each other take a C compiler the square of this in time and memory: here 5 s and 500 MB. */
const MOST_NESTED = 10_000;

function checkNesting(w: FunctionWriter): void {
  if (w.frames.length > MOST_NESTED) throw new UnsupportedFeature('deep-nesting', w.reader.at);
}

/** block, loop and a legacy try. @throws UnsupportedFeature for a loop that is nested too deeply */
export function enter(w: FunctionWriter, kind: FrameKind): void {
  const { params, results } = blockType(w.reader, w.module.types);
  w.settleFrom(0);
  const frame = w.frame(kind, params, results);
  if (kind === 'loop') {
    checkNesting(w);
    w.line(...assignments(w, frame, peek(w, params)), `L${frame.id}:;`);
    pushVariables(w, frame);
    // A loop's own variables change when it is entered again.
    w.settleFrom(0);
  }
  w.frames.push(frame);
}

/** @throws UnsupportedFeature when it is nested too deeply */
export function enterIf(w: FunctionWriter): void {
  checkNesting(w);
  const { params, results } = blockType(w.reader, w.module.types);
  const condition = w.popText();
  w.settleFrom(0);
  const frame = w.frame('if', params, results);
  frame.entry = w.stack.slice(frame.height);
  w.line(`if (!(${condition})) goto E${frame.id};`);
  w.frames.push(frame);
}

/** else; `live` when its place is reached from the instruction before. */
export function otherwise(w: FunctionWriter, live: boolean): void {
  const frame = w.top();
  if (live) finishArm(w, frame);
  frame.kind = 'else';
  w.line(`E${frame.id}:;`);
  w.stack.length = frame.height;
  w.stack.push(...frame.entry);
}

/** Ends the innermost frame; `live` when its end is reached from the instruction before. */
export function end(w: FunctionWriter, live: boolean): boolean {
  const frame = w.top();
  switch (frame.kind) {
    case 'if':
      // Without an else its parameters are its results.
      otherwise(w, live);
      return end(w, true);
    case 'function':
      if (live) w.line(returnOf(w, peek(w, frame.results)));
      w.frames.pop();
      return false;
    case 'loop':
      w.frames.pop();
      return live;
    case 'try':
    case 'catch':
    case 'try_table':
      return endAtLabel(w, endOfCatching(w, frame, live));
    default:
      return endAtLabel(w, live);
  }
}

function endAtLabel(w: FunctionWriter, live: boolean): boolean {
  const frame = w.top();
  w.frames.pop();
  if (!frame.targeted) {
    if (!live) w.stack.length = frame.height;
    return live;
  }
  if (live) w.line(...assignments(w, frame, peek(w, frame.results)));
  w.line(`L${frame.id}:;`);
  pushVariables(w, frame);
  return true;
}

export function branch(w: FunctionWriter): void {
  const frame = w.target(w.reader.u32());
  w.line(jump(w, frame, peek(w, labelTypes(frame))));
}

export function branchIf(w: FunctionWriter): void {
  const frame = w.target(w.reader.u32());
  const condition = w.popText();
  const values = peek(w, labelTypes(frame));
  w.line(`if (${condition}) { ${jump(w, frame, values)} }`);
}

export function branchTable(w: FunctionWriter): void {
  const depths = labels(w.reader);
  const last = depths.pop() as number;
  const condition = w.popText();
  const values = peek(w, labelTypes(w.target(last)));
  w.line(`switch (${condition}) {`);
  for (const [depth, cases] of casesByDepth(depths, last))
    w.line(`${cases.map((value) => `case ${value}:`).join(' ')} ${jump(w, w.target(depth), values)}`);
  w.line(`default: ${jump(w, w.target(last), values)} }`);
}

/** The indices that go to each label, in order of the first one; those of the default need no case. */
function casesByDepth(depths: number[], standard: number): Map<number, number[]> {
  const byDepth = new Map<number, number[]>();
  depths.forEach((depth, value) => {
    if (depth === standard) return;
    const cases = byDepth.get(depth);
    if (cases === undefined) byDepth.set(depth, [value]);
    else cases.push(value);
  });
  return byDepth;
}

export function returnValues(w: FunctionWriter): void {
  w.line(returnOf(w, peek(w, w.type.results)));
}
