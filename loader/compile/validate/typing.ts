// The state of the specification's validation algorithm (core specification, appendix "Validation Algorithm"): a stack of
// operand types and one of control frames. One is made for a module and used for all its functions, so that an
// instruction costs no allocation.
import { type FunctionType, type Module, ModuleError, type Span, ValueType } from '../module.ts';
import { plain } from '../opcodes.ts';
import { Reader } from '../reader.ts';

/** An operand of unreachable code, which has any type. */
export const UNKNOWN = 0;
export type OperandType = ValueType | typeof UNKNOWN;

/** Opcodes that open a frame; a function's own frame has none. */
export const Opens = {
  function: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  catchAll: 0x19,
  tryTable: 0x1f,
} as const;
export type Opens = (typeof Opens)[keyof typeof Opens];

export type Types = readonly ValueType[];

export interface Frame {
  opens: Opens;
  start: Types;
  end: Types;
  /** Of the operand stack at its beginning. */
  height: number;
  unreachable: boolean;
}

const names = new Map<number, string>(Object.entries(ValueType).map(([name, type]) => [type, name]));

export function typeName(type: number): string {
  return names.get(type) ?? 'any';
}

/** What a branch to a frame takes along. */
export function labelTypes(frame: Frame): Types {
  return frame.opens === Opens.loop ? frame.start : frame.end;
}

export function sameTypes(a: Types, b: Types): boolean {
  return a === b || (a.length === b.length && a.every((type, i) => type === b[i]));
}

export class Typing {
  readonly module: Module;
  /** Functions that ref.func may name in a body: those that an export, element or constant expression names. */
  readonly declared: Uint8Array;
  r: Reader;
  /** Where the present instruction begins, in bytes of the module. */
  at = 0;
  /** Types of the parameters and locals of the present function. */
  locals: Uint8Array = new Uint8Array(64);
  localCount = 0;
  /** Frames are kept for the next use; those from `depth` on are unused. */
  readonly frames: Frame[] = [];
  depth = 0;
  /** The innermost frame. */
  frame: Frame = { opens: Opens.function, start: [], end: [], height: 0, unreachable: false };
  /** Which form of exceptions the module was seen to use. */
  exceptions: 'legacy' | 'standard' | undefined;
  private operands: Uint8Array = new Uint8Array(256);
  private height = 0;
  private place = '';
  private index = 0;

  constructor(module: Module) {
    this.module = module;
    this.declared = new Uint8Array(module.functions.length);
    this.r = new Reader(module.bytes, 0, 0);
  }

  /** Begins a function or expression, which errors call `place` `index`. */
  enter(span: Span, end: Types, place: string, index: number): void {
    this.r = new Reader(this.module.bytes, span.start, span.end);
    this.at = span.start;
    this.place = place;
    this.index = index;
    this.height = 0;
    this.depth = 0;
    this.localCount = 0;
    this.open(Opens.function, [], end);
  }

  fail(text: string): never {
    throw new ModuleError(`${text} in ${this.place} ${this.index}`, this.at);
  }

  // The operand stack.

  push(type: OperandType): void {
    if (this.height === this.operands.length) this.growOperands();
    this.operands[this.height++] = type;
  }

  pushAll(types: Types): void {
    for (let i = 0; i < types.length; i++) this.push(types[i] as ValueType);
  }

  /** Pops an operand of any type. */
  popAny(): OperandType {
    if (this.height > this.frame.height) return this.operands[--this.height] as OperandType;
    if (!this.frame.unreachable) this.fail(`type mismatch: ${this.operator()} wants an operand, found none`);
    return UNKNOWN;
  }

  pop(type: ValueType): void {
    if (this.height > this.frame.height) {
      const found = this.operands[--this.height] as OperandType;
      if (found !== type && found !== UNKNOWN) this.mismatch(type, typeName(found));
    } else if (!this.frame.unreachable) {
      this.mismatch(type, 'none');
    }
  }

  popAll(types: Types): void {
    for (let i = types.length - 1; i >= 0; i--) this.pop(types[i] as ValueType);
  }

  /** As popAll, but leaves the operands, with the types they have. */
  peekAll(types: Types): void {
    const height = this.height;
    this.popAll(types);
    this.height = height;
  }

  private mismatch(wanted: ValueType, found: string): never {
    this.fail(`type mismatch: ${this.operator()} wants ${typeName(wanted)}, found ${found}`);
  }

  /** The present instruction, as an error calls it. */
  private operator(): string {
    const opcode = this.module.bytes[this.at] as number;
    return plain[opcode]?.name ?? `opcode 0x${opcode.toString(16).padStart(2, '0')}`;
  }

  private growOperands(): void {
    const larger = new Uint8Array(2 * this.operands.length);
    larger.set(this.operands);
    this.operands = larger;
  }

  // The control stack.

  open(opens: Opens, start: Types, end: Types): void {
    const height = this.height;
    const old = this.frames[this.depth];
    if (old === undefined) {
      this.frame = { opens, start, end, height, unreachable: false };
      this.frames[this.depth] = this.frame;
    } else {
      old.opens = opens;
      old.start = start;
      old.end = end;
      old.height = height;
      old.unreachable = false;
      this.frame = old;
    }
    this.depth++;
    this.pushAll(start);
  }

  /** Ends the innermost frame, which is valid until the next open(). Its results are not pushed. */
  close(): Frame {
    const frame = this.frame;
    this.popAll(frame.end);
    if (this.height !== frame.height) {
      this.fail(`type mismatch: ${this.height - frame.height} operands too many at the end of a block`);
    }
    this.depth--;
    this.frame = this.frames[this.depth - 1] ?? frame;
    return frame;
  }

  unreachable(): void {
    this.height = this.frame.height;
    this.frame.unreachable = true;
  }

  /** The frame that a label index names. */
  label(index: number): Frame {
    return (
      this.frames[index < this.depth ? this.depth - 1 - index : -1] ?? this.fail(`unknown label ${index}`)
    );
  }

  // Index spaces.

  functionType(index: number): FunctionType {
    const found = this.module.functions[index] ?? this.fail(`unknown function ${index}`);
    return this.type(found.typeIndex);
  }

  type(index: number): FunctionType {
    return this.module.types[index] ?? this.fail(`unknown type ${index}`);
  }

  /** The type of a table's or memory's addresses. */
  addressType(limits: { is64: boolean }): typeof ValueType.i32 | typeof ValueType.i64 {
    return limits.is64 ? ValueType.i64 : ValueType.i32;
  }
}
