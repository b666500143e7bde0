// A body while it is written: the C text so far, the stack of values, the frames. What has no effect and cannot trap
// stays an expression on the stack until it is used; everything else becomes a statement where it stands, so that effects
// and traps keep their order.
import type { FunctionBody, FunctionType, Module, ValueType } from '../module.ts';
import { Reader } from '../reader.ts';
import { C_TYPE } from '../signature.ts';
import type { Facts } from './facts.ts';
import { type Frame, type FrameKind, newFrame, type Value } from './frame.ts';

/**
 * A C compiler takes an access to be one that cannot trap, and moves stores past it, merges or drops them. What stands
 * before this has happened to memory, globals and tables when what stands behind it traps, and nothing of that has.
 */
const ORDER = '__asm__ volatile("" ::: "memory");';

/** Characters. Longer ones get a name, so that nesting stays within what every C compiler takes. */
const MAX_EXPRESSION = 160;
const NO_LOCALS: readonly number[] = [];

export class FunctionWriter {
  readonly module: Module;
  /** Of the function, among all of the module. */
  readonly index: number;
  readonly type: FunctionType;
  readonly body: FunctionBody;
  readonly reader: Reader;
  /** Of the reading before this one. */
  readonly facts: Facts;
  /** By this reading, for the next one. */
  readonly found: Facts;
  readonly lines: string[] = [];
  readonly declarations: string[] = [];
  readonly localTypes: ValueType[] = [];
  readonly stack: Value[] = [];
  readonly frames: Frame[] = [];
  /** Memories whose begin is kept in b<memory>. */
  readonly bases = new Set<number>();
  /** EmittedFunction's. */
  readonly functions = new Set<number>();
  readonly enters = new Set<number>();
  usesVectors = false;
  usesRuntime = false;
  /** Something jumps to the label `exit`, with an exception on its way. */
  exits = false;
  private temporaries = 0;
  private labels = 0;

  constructor(module: Module, index: number, facts: Facts, found: Facts) {
    this.module = module;
    this.index = index;
    this.facts = facts;
    this.found = found;
    this.body = module.bodies[index - module.imported.functions] as FunctionBody;
    this.type = this.typeAt(this.typeIndexOf(index));
    const { start, end } = this.body.code;
    this.reader = new Reader(module.bytes, start, end);
  }

  typeAt(typeIndex: number): FunctionType {
    return this.module.types[typeIndex] as FunctionType;
  }

  typeIndexOf(functionIndex: number): number {
    return (this.module.functions[functionIndex] as { typeIndex: number }).typeIndex;
  }

  isImported(functionIndex: number): boolean {
    return functionIndex < this.module.imported.functions;
  }

  tagType(tag: number): FunctionType {
    return this.typeAt((this.module.tags[tag] as { typeIndex: number }).typeIndex);
  }

  // ---- statements

  line(...statements: string[]): void {
    this.lines.push(...statements);
  }

  trapWhen(condition: string, trap: string): void {
    this.line(`if (UNLIKELY(${condition})) TRAP(${trap});`);
  }

  /** A statement whose effect is seen from outside, also after a trap at guard pages: it stays where it is. */
  effect(statement: string): void {
    if (this.lines.at(-1) !== ORDER) this.line(ORDER);
    this.line(statement, ORDER);
  }

  /**
   * The address of a function as a C name, in a register: of two of them a compiler could make one vector, loaded from a
   * table that would have to be relocated.
   */
  address(type: string, name: string): string {
    const held = this.fresh();
    this.line(`${type} ${held} = (${type})${name};`, `__asm__("" : "+r"(${held}));`);
    return held;
  }

  /** The runtime as a C name. It is fetched once, where the function begins. */
  runtime(): string {
    this.usesRuntime = true;
    return 'rt';
  }

  /** A name that no other temporary of the function has. */
  fresh(): string {
    return `z${this.temporaries++}`;
  }

  // ---- values

  push(type: ValueType, text: string, stable = false, locals: readonly number[] = NO_LOCALS): void {
    this.stack.push({ type, text, stable, locals });
  }

  /** A result that stands on its own from here on; answers its name. */
  pushTemporary(type: ValueType, expression: string): string {
    const name = this.fresh();
    this.line(`${C_TYPE[type]} ${name} = ${expression};`);
    this.push(type, name, true);
    return name;
  }

  /** An expression without effects, of operands that were popped. */
  pushPure(type: ValueType, text: string, ...operands: Value[]): void {
    const locals: number[] = [];
    for (const operand of operands)
      for (const local of operand.locals) if (!locals.includes(local)) locals.push(local);
    this.push(type, text, false, locals);
    if (text.length > MAX_EXPRESSION) this.settleTop();
  }

  pop(): Value {
    return this.stack.pop() as Value;
  }

  popText(): string {
    return this.pop().text;
  }

  /** The value as something that can be named more than once. */
  popName(): string {
    const value = this.pop();
    return value.stable ? value.text : this.temporary(value);
  }

  /** Values of these types, the deepest one first. */
  popAll(types: readonly ValueType[]): Value[] {
    return types.map(() => this.pop()).reverse();
  }

  temporary(value: Value): string {
    const name = this.fresh();
    this.line(`${C_TYPE[value.type]} ${name} = ${value.text};`);
    return name;
  }

  // ---- settling: an expression on the stack becomes a name, before what it reads changes

  settle(at: number): void {
    const value = this.stack[at] as Value;
    this.stack[at] = { type: value.type, text: this.temporary(value), stable: true, locals: NO_LOCALS };
  }

  settleTop(): void {
    this.settle(this.stack.length - 1);
  }

  /** Values that read a local which is about to be written. */
  settleReadersOf(local: number): void {
    this.stack.forEach((value, at) => {
      if (value.locals.includes(local)) this.settle(at);
    });
  }

  /** All from a height on, for a place that is entered by more than one way. */
  settleFrom(height: number): void {
    for (let at = height; at < this.stack.length; at++)
      if (!(this.stack[at] as Value).stable) this.settle(at);
  }

  // ---- frames

  /** A frame whose parameters are on the stack; it is not entered yet. */
  frame(kind: FrameKind, params: ValueType[], results: ValueType[]): Frame {
    return newFrame(kind, this.labels++, this.stack.length - params.length, params, results);
  }

  top(): Frame {
    return this.target(0);
  }

  target(depth: number): Frame {
    return this.frames[this.frames.length - 1 - depth] as Frame;
  }
}
