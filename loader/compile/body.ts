// One function body as C. A single pass over the instructions with a stack of C expressions in the place of values:
// what has no effect and cannot trap stays an expression until it is used; everything else becomes a statement where it
// stands, so that effects and traps keep their order. Structured control becomes labels and gotos, one flat function.
import { pureExpression, trappingExpression } from './expressions.ts';
import { isPointerGlobal } from './layout.ts';
import {
  type FunctionBody,
  type FunctionType,
  type Module,
  UnsupportedFeature,
  ValueType,
} from './module.ts';
import { atomic, type Operator, plain, saturating } from './opcodes.ts';
import { simd } from './opcodes-simd.ts';
import { Reader } from './reader.ts';
import {
  C_TYPE,
  functionPointer,
  parameterList,
  readSlot,
  resultType,
  returnsInSlots,
  signatureName,
  slotOffsets,
  typeKey,
  wordsOfAll,
  writeSlot,
} from './signature.ts';

/** What is known of a module only after its bodies were read once: emission is repeated when it changes. */
export interface Facts {
  /** Some function throws, catches or rethrows: calls are followed by a look at runtime->thrown. */
  exceptions: boolean;
  /** Functions with a return_call of what may do so again: c<N> is then a loop around n<N>. */
  tailCallers: Set<number>;
  /** Functions with a rethrow: exceptions that they caught are kept. */
  rethrowers: Set<number>;
}

export interface EmittedFunction {
  text: string;
  /** Functions that it calls or refers to. */
  functions: Set<number>;
  /** Type indices whose enter thunk it uses. */
  enters: Set<number>;
  usesVectors: boolean;
}

interface Value {
  type: ValueType;
  text: string;
  /** A constant, or a name that nothing writes to any more: may be used any number of times, at any later place. */
  stable: boolean;
  /** Locals that the expression reads. */
  locals: readonly number[];
}

type FrameKind = 'function' | 'block' | 'loop' | 'if' | 'else' | 'try' | 'catch' | 'try_table';

interface Frame {
  kind: FrameKind;
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
  catches: number;
  clauses: Clause[];
}

interface Clause {
  tag: number | null;
  withReference: boolean;
  frame: Frame;
}

/** What a pointer to a function points to (abi.h): units.ts makes them. */
export function pointerNames(index: number, facts: Facts): { code: string; tail: string | null } {
  const code = facts.exceptions ? `x${index}` : `c${index}`;
  if (!facts.tailCallers.has(index)) return { code, tail: null };
  return { code, tail: facts.exceptions ? `o${index}` : `n${index}` };
}

const MAX_EXPRESSION = 160;
const NO_LOCALS: readonly number[] = [];

// ---- opcodes that opcodes.ts leaves out
const BLOCK_VOID = 0x40;

export class BodyEmitter {
  private readonly module: Module;
  private readonly index: number;
  private readonly type: FunctionType;
  private readonly body: FunctionBody;
  private readonly reader: Reader;
  private readonly facts: Facts;
  private readonly found: Facts;
  private readonly lines: string[] = [];
  private readonly declarations: string[] = [];
  private readonly localTypes: ValueType[] = [];
  private stack: Value[] = [];
  private frames: Frame[] = [];
  private temporaries = 0;
  private labels = 0;
  private basesUsed = new Set<number>();
  private usesRuntime = false;
  private exits = false;
  private readonly functions = new Set<number>();
  private readonly enters = new Set<number>();
  private usesVectors = false;

  constructor(module: Module, index: number, facts: Facts, found: Facts) {
    this.module = module;
    this.index = index;
    this.facts = facts;
    this.found = found;
    const own = index - module.imported.functions;
    this.body = module.bodies[own] as FunctionBody;
    this.type = this.typeAt((module.functions[index] as { typeIndex: number }).typeIndex);
    const { start, end } = this.body.code;
    this.reader = new Reader(module.bytes, start, end);
  }

  emit(): EmittedFunction {
    this.declareLocals();
    this.frames.push(this.frame('function', [], this.type.results));
    while (this.frames.length > 0) this.instruction();
    if (this.exits) this.lines.push('exit:;', this.dummyReturn());
    const name = this.facts.tailCallers.has(this.index) ? `n${this.index}` : `c${this.index}`;
    const head = `${resultType(this.type)} ${name}(${parameterList('instance *in', this.type, (i) => this.parameter(i))})`;
    const opening: string[] = [];
    if (this.usesRuntime) opening.push('struct wasm_runtime *const rt = in->h.runtime;');
    for (const memory of this.basesUsed) opening.push(`u8 *const b${memory} = in->b[${memory}];`);
    if (this.mentionsVectors()) this.usesVectors = true;
    return {
      text: `${head} {\n${[...opening, ...this.declarations, ...this.lines].join('\n')}\n}\n`,
      functions: this.functions,
      enters: this.enters,
      usesVectors: this.usesVectors,
    };
  }

  private mentionsVectors(): boolean {
    return this.localTypes.includes(ValueType.v128) || this.type.results.includes(ValueType.v128);
  }

  // ---- locals, values, statements

  private typeAt(index: number): FunctionType {
    return this.module.types[index] as FunctionType;
  }

  private parameter(index: number): string {
    return this.type.params[index] === ValueType.funcref ? `p${index}` : `l${index}`;
  }

  private declareLocals(): void {
    this.type.params.forEach((type, index) => {
      this.localTypes.push(type);
      if (type === ValueType.funcref) this.declarations.push(`function l${index} = *p${index};`);
    });
    for (const { count, type } of this.body.locals)
      for (let i = 0; i < count; i++) {
        const zero = type === ValueType.v128 || type === ValueType.funcref ? '{0}' : '0';
        this.declarations.push(`${C_TYPE[type]} l${this.localTypes.length} = ${zero};`);
        this.localTypes.push(type);
      }
  }

  private push(type: ValueType, text: string, stable = false, locals: readonly number[] = NO_LOCALS): void {
    this.stack.push({ type, text, stable, locals });
  }

  /** A result that stands on its own from here on. */
  private pushTemporary(type: ValueType, expression: string): string {
    const name = `z${this.temporaries++}`;
    this.lines.push(`${C_TYPE[type]} ${name} = ${expression};`);
    this.push(type, name, true);
    return name;
  }

  private pop(): Value {
    return this.stack.pop() as Value;
  }

  private popText(): string {
    return this.pop().text;
  }

  /** The value as something that can be named more than once. */
  private popName(): string {
    const value = this.pop();
    return value.stable ? value.text : this.temporary(value);
  }

  private temporary(value: Value): string {
    const name = `z${this.temporaries++}`;
    this.lines.push(`${C_TYPE[value.type]} ${name} = ${value.text};`);
    return name;
  }

  private settle(at: number): void {
    const value = this.stack[at] as Value;
    this.stack[at] = { type: value.type, text: this.temporary(value), stable: true, locals: NO_LOCALS };
  }

  /** Values that read a local which is about to be written, or a place that is entered by more than one way. */
  private settleReadersOf(local: number): void {
    this.stack.forEach((value, at) => {
      if (value.locals.includes(local)) this.settle(at);
    });
  }

  private settleAll(): void {
    this.stack.forEach((value, at) => {
      if (!value.stable) this.settle(at);
    });
  }

  private pushPure(type: ValueType, text: string, ...operands: Value[]): void {
    const locals: number[] = [];
    for (const operand of operands)
      for (const local of operand.locals) if (!locals.includes(local)) locals.push(local);
    this.push(type, text, false, locals);
    if (text.length > MAX_EXPRESSION) this.settle(this.stack.length - 1);
  }

  private runtime(): string {
    this.usesRuntime = true;
    return 'rt';
  }

  private trapWhen(condition: string, trap: string): void {
    this.lines.push(`if (UNLIKELY(${condition})) TRAP(${trap});`);
  }

  // ---- control

  private frame(kind: FrameKind, params: ValueType[], results: ValueType[]): Frame {
    return {
      kind,
      id: this.labels++,
      params,
      results,
      height: this.stack.length - params.length,
      targeted: false,
      declared: false,
      entry: [],
      landed: false,
      catches: 0,
      clauses: [],
    };
  }

  private blockType(): FunctionType {
    const reader = this.reader;
    const byte = reader.bytes[reader.at] as number;
    if (byte === BLOCK_VOID) {
      reader.at++;
      return { params: [], results: [] };
    }
    if ((byte & 0xc0) === 0x40) return { params: [], results: [this.valueType()] };
    return this.typeAt(reader.s33());
  }

  private valueType(): ValueType {
    const byte = this.reader.u8();
    // Long forms: a reference type with its heap type behind it.
    return (byte === 0x63 || byte === 0x64 ? this.reader.u8() : byte) as ValueType;
  }

  private top(): Frame {
    return this.frames[this.frames.length - 1] as Frame;
  }

  private target(depth: number): Frame {
    return this.frames[this.frames.length - 1 - depth] as Frame;
  }

  private arity(frame: Frame): ValueType[] {
    return frame.kind === 'loop' ? frame.params : frame.results;
  }

  private variable(frame: Frame, index: number): string {
    return `${frame.kind === 'loop' ? 'q' : 'r'}${frame.id}_${index}`;
  }

  private declareVariables(frame: Frame): void {
    if (frame.declared) return;
    frame.declared = true;
    this.arity(frame).forEach((type, index) => {
      this.declarations.push(`${C_TYPE[type]} ${this.variable(frame, index)};`);
    });
  }

  /** Statements that leave `values` where the target expects them. */
  private assignments(frame: Frame, values: string[]): string[] {
    this.declareVariables(frame);
    return values.map((text, index) => `${this.variable(frame, index)} = ${text};`);
  }

  /** The topmost values, one for each type, still on the stack and safe to be assigned one after the other. */
  private peek(types: ValueType[]): string[] {
    const from = this.stack.length - types.length;
    if (types.length > 1)
      for (let at = from; at < this.stack.length; at++)
        if (!(this.stack[at] as Value).stable) this.settle(at);
    return this.stack.slice(from).map(({ text }) => text);
  }

  /** Statements that jump to a frame with values. */
  private jump(frame: Frame, values: string[]): string {
    if (frame.kind === 'function') return this.returnOf(values);
    frame.targeted = true;
    return [...this.assignments(frame, values), `goto L${frame.id};`].join(' ');
  }

  private returnOf(values: string[]): string {
    const { results } = this.type;
    if (!returnsInSlots(this.type)) return values.length === 0 ? 'return;' : `return ${values[0]};`;
    const at = slotOffsets(results);
    const rt = this.runtime();
    const stores = results.map((type, i) =>
      writeSlot(`${rt}->slots`, at[i] as number, type, values[i] as string),
    );
    return `${stores.join(' ')} return;`;
  }

  private dummyReturn(): string {
    const type = resultType(this.type);
    if (type === 'void') return 'return;';
    return type === 'v128' ? 'return (v128){0};' : 'return 0;';
  }

  private enter(kind: FrameKind): void {
    const { params, results } = this.blockType();
    let condition = '';
    if (kind === 'if') condition = this.popText();
    this.settleAll();
    const frame = this.frame(kind, params, results);
    if (kind === 'loop') {
      const values = this.peek(params);
      this.lines.push(...this.assignments(frame, values), `L${frame.id}:;`);
      this.stack.length = frame.height;
      params.forEach((type, index) => {
        this.push(type, this.variable(frame, index));
      });
      // A loop's own variables change when it is entered again.
      this.settleAll();
    }
    if (kind === 'if') {
      frame.entry = this.stack.slice(frame.height);
      this.lines.push(`if (!(${condition})) goto E${frame.id};`);
    }
    this.frames.push(frame);
  }

  private finishArm(frame: Frame): void {
    this.lines.push(...this.assignments(frame, this.peek(frame.results)), `goto L${frame.id};`);
    frame.targeted = true;
  }

  private otherwise(live: boolean): void {
    const frame = this.top();
    if (live) this.finishArm(frame);
    frame.kind = 'else';
    this.lines.push(`E${frame.id}:;`);
    this.stack.length = frame.height;
    this.stack.push(...frame.entry);
  }

  /** Ends the innermost frame. Answers whether what follows can be reached. */
  private end(live: boolean): boolean {
    const frame = this.top();
    if (frame.kind === 'if') {
      // Without an else its parameters are its results.
      this.otherwise(live);
      return this.end(true);
    }
    if (frame.kind === 'function') {
      if (live) this.lines.push(this.returnOf(this.peek(frame.results)));
      this.frames.pop();
      return false;
    }
    if (frame.kind === 'loop') {
      this.frames.pop();
      return live;
    }
    if (frame.kind === 'try' || frame.kind === 'catch' || frame.kind === 'try_table') {
      live = this.endOfCatching(frame, live);
    }
    this.frames.pop();
    if (!frame.targeted) {
      if (!live) this.stack.length = frame.height;
      return live;
    }
    if (live) this.lines.push(...this.assignments(frame, this.peek(frame.results)));
    this.lines.push(`L${frame.id}:;`);
    this.stack.length = frame.height;
    frame.results.forEach((type, index) => {
      this.push(type, this.variable(frame, index));
    });
    return true;
  }

  private branchIf(): void {
    const frame = this.target(this.reader.u32());
    const condition = this.popText();
    const values = this.peek(this.arity(frame));
    this.lines.push(`if (${condition}) { ${this.jump(frame, values)} }`);
  }

  private branchTable(): void {
    const reader = this.reader;
    const count = reader.u32();
    const depths: number[] = [];
    for (let i = 0; i <= count; i++) depths.push(reader.u32());
    const last = depths.pop() as number;
    const condition = this.popText();
    const values = this.peek(this.arity(this.target(last)));
    this.lines.push(`switch (${condition}) {`);
    const byDepth = new Map<number, number[]>();
    depths.forEach((depth, value) => {
      if (depth === last) return;
      const cases = byDepth.get(depth);
      if (cases === undefined) byDepth.set(depth, [value]);
      else cases.push(value);
    });
    for (const [depth, cases] of byDepth)
      this.lines.push(
        `${cases.map((value) => `case ${value}:`).join(' ')} ${this.jump(this.target(depth), values)}`,
      );
    this.lines.push(`default: ${this.jump(this.target(last), values)} }`);
  }

  /** Skips what cannot be reached, up to the else, catch or end that can. */
  private skip(): void {
    let depth = 0;
    for (;;) {
      const opcode = this.reader.u8();
      if (opcode === 0x02 || opcode === 0x03 || opcode === 0x04 || opcode === 0x06 || opcode === 0x1f) {
        this.skipBlockType(opcode);
        depth++;
      } else if (opcode === 0x0b) {
        if (depth-- === 0) {
          this.after(this.end(false));
          return;
        }
      } else if (opcode === 0x18) {
        const label = this.reader.u32();
        if (depth-- === 0) {
          this.after(this.delegateAt(label, false));
          return;
        }
      } else if (depth === 0 && opcode === 0x05) {
        this.otherwise(false);
        return;
      } else if (depth === 0 && (opcode === 0x07 || opcode === 0x19)) {
        this.catchClause(opcode === 0x07 ? this.reader.u32() : null, false);
        return;
      } else {
        this.skipImmediates(opcode);
      }
    }
  }

  private after(live: boolean): void {
    if (!live && this.frames.length > 0) this.skip();
  }

  private skipBlockType(opcode: number): void {
    this.blockType();
    if (opcode === 0x1f) this.readClauses(false);
  }

  private skipImmediates(opcode: number): void {
    const reader = this.reader;
    switch (opcode) {
      case 0x07: // catch
      case 0x08: // throw
      case 0x09: // rethrow
      case 0x0c: // br
      case 0x0d: // br_if
      case 0x10: // call
      case 0x12: // return_call
      case 0x20: // local.get
      case 0x21:
      case 0x22:
      case 0x23: // global.get
      case 0x24:
      case 0x25: // table.get
      case 0x26:
      case 0x3f: // memory.size
      case 0x40:
      case 0xd2: // ref.func
        reader.u32();
        return;
      case 0x0e: {
        const count = reader.u32();
        for (let i = 0; i <= count; i++) reader.u32();
        return;
      }
      case 0x11: // call_indirect
      case 0x13:
        reader.u32();
        reader.u32();
        return;
      case 0x1c: {
        const count = reader.u32();
        for (let i = 0; i < count; i++) this.valueType();
        return;
      }
      case 0x41:
        reader.s32();
        return;
      case 0x42:
        reader.s64();
        return;
      case 0x43:
        reader.skip(4);
        return;
      case 0x44:
        reader.skip(8);
        return;
      case 0xd0:
        reader.s33();
        return;
      case 0xfc:
        this.skipPrefixed();
        return;
      case 0xfd:
        this.skipOperands(simd[reader.u32()]);
        return;
      case 0xfe:
        this.skipOperands(atomic[reader.u32()]);
        return;
      default:
        this.skipOperands(plain[opcode]);
    }
  }

  private skipPrefixed(): void {
    const opcode = this.reader.u32();
    const indices = opcode < 8 ? 0 : [2, 1, 2, 1, 2, 1, 2, 1, 1, 1][opcode - 8];
    for (let i = 0; i < (indices ?? 0); i++) this.reader.u32();
  }

  private skipOperands(operator: Operator | undefined): void {
    const immediates = operator?.immediates ?? 'none';
    if (immediates.startsWith('memarg')) this.memoryArgument();
    if (immediates === 'lane' || immediates === 'zero' || immediates === 'memarg-lane') this.reader.skip(1);
    if (immediates === 'shuffle' || immediates === 'v128') this.reader.skip(16);
  }

  // ---- instructions

  private instruction(): void {
    const opcode = this.reader.u8();
    switch (opcode) {
      case 0x00:
        this.lines.push('TRAP(UNREACHABLE);');
        this.skip();
        return;
      case 0x01:
        return;
      case 0x02:
        this.enter('block');
        return;
      case 0x03:
        this.enter('loop');
        return;
      case 0x04:
        this.enter('if');
        return;
      case 0x05:
        this.otherwise(true);
        return;
      case 0x06:
        this.enterTry();
        return;
      case 0x07:
        this.catchClause(this.reader.u32(), true);
        return;
      case 0x08:
        this.throwTag();
        return;
      case 0x09:
        this.rethrow();
        return;
      case 0x0a:
        this.throwReference();
        return;
      case 0x0b:
        this.after(this.end(true));
        return;
      case 0x0c: {
        const frame = this.target(this.reader.u32());
        this.lines.push(this.jump(frame, this.peek(this.arity(frame))));
        this.skip();
        return;
      }
      case 0x0d:
        this.branchIf();
        return;
      case 0x0e:
        this.branchTable();
        this.skip();
        return;
      case 0x0f:
        this.lines.push(this.returnOf(this.peek(this.type.results)));
        this.skip();
        return;
      case 0x10:
        this.call(this.reader.u32());
        return;
      case 0x11:
        this.callIndirect();
        return;
      case 0x12:
        this.returnCall(this.reader.u32());
        this.skip();
        return;
      case 0x13:
        this.returnCallIndirect();
        this.skip();
        return;
      case 0x18:
        this.after(this.delegateAt(this.reader.u32(), true));
        return;
      case 0x19:
        this.catchClause(null, true);
        return;
      case 0x1f:
        this.enterTryTable();
        return;
      default:
        this.plainInstruction(opcode);
        return;
    }
  }

  private plainInstruction(opcode: number): void {
    const reader = this.reader;
    switch (opcode) {
      case 0x1a:
        this.pop();
        return;
      case 0x1b:
        this.select();
        return;
      case 0x1c: {
        const count = reader.u32();
        for (let i = 0; i < count; i++) this.valueType();
        this.select();
        return;
      }
      case 0x20: {
        const local = reader.u32();
        this.push(this.localTypes[local] as ValueType, `l${local}`, false, [local]);
        return;
      }
      case 0x21:
        this.setLocal(reader.u32());
        return;
      case 0x22: {
        const local = reader.u32();
        this.setLocal(local);
        this.push(this.localTypes[local] as ValueType, `l${local}`, false, [local]);
        return;
      }
      case 0x23:
        this.getGlobal(reader.u32());
        return;
      case 0x24:
        this.lines.push(`${this.global(reader.u32())} = ${this.popText()};`);
        return;
      case 0x25:
        this.tableGet(reader.u32());
        return;
      case 0x26:
        this.tableSet(reader.u32());
        return;
      case 0x3f:
        this.memorySize(reader.u32());
        return;
      case 0x40: {
        const memory = reader.u32();
        const type = this.addressType(memory);
        const delta = this.popText();
        const grown = `${this.runtime()}->memory_grow(&in->h, ${memory}, ${delta})`;
        this.pushTemporary(type, `(${C_TYPE[type]})${grown}`);
        return;
      }
      case 0x41:
        this.push(ValueType.i32, `${reader.s32() >>> 0}u`, true);
        return;
      case 0x42:
        this.push(ValueType.i64, `${BigInt.asUintN(64, reader.s64())}ull`, true);
        return;
      case 0x43:
        this.push(ValueType.f32, this.float32(reader.f32Bits()), true);
        return;
      case 0x44:
        this.push(ValueType.f64, this.float64(reader.f64Bits()), true);
        return;
      case 0xd0: {
        const heap = reader.s33();
        const type = (heap & 0x7f) as ValueType;
        this.push(type, type === ValueType.funcref ? '(function){0}' : '0', true);
        return;
      }
      case 0xd1: {
        const value = this.pop();
        const text = value.type === ValueType.funcref ? `(${value.text}).code` : value.text;
        this.pushPure(ValueType.i32, `(u32)(${text} == 0)`, value);
        return;
      }
      case 0xd2:
        this.functionReference(reader.u32());
        return;
      case 0xfc:
        this.prefixed(reader.u32());
        return;
      case 0xfd: {
        this.usesVectors = true;
        this.vector(simd[reader.u32()] as Operator);
        return;
      }
      case 0xfe:
        this.atomicOperator(reader.u32());
        return;
      default:
        this.operator(plain[opcode] as Operator);
        return;
    }
  }

  private float32(bits: number): string {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, bits);
    const value = view.getFloat32(0);
    return Number.isFinite(value) && Math.abs(value) < 1e6 && Number.isInteger(value) && !Object.is(value, -0)
      ? `(${value}.f)`
      : `f32_of(0x${bits.toString(16)}u)`;
  }

  private float64(bits: bigint): string {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, bits);
    const value = view.getFloat64(0);
    return Number.isFinite(value) && Math.abs(value) < 1e9 && Number.isInteger(value) && !Object.is(value, -0)
      ? `(${value}.)`
      : `f64_of(0x${bits.toString(16)}ull)`;
  }

  private select(): void {
    const condition = this.pop();
    const second = this.pop();
    const first = this.pop();
    this.pushPure(
      first.type,
      `(${condition.text} ? ${first.text} : ${second.text})`,
      condition,
      first,
      second,
    );
    if (first.type === ValueType.v128 || first.type === ValueType.funcref) this.settle(this.stack.length - 1);
  }

  private setLocal(local: number): void {
    const value = this.pop();
    this.settleReadersOf(local);
    this.lines.push(`l${local} = ${value.text};`);
  }

  private global(index: number): string {
    return isPointerGlobal(this.module, index) ? `(*in->g${index})` : `in->g${index}`;
  }

  private getGlobal(index: number): void {
    const { type } = (this.module.globals[index] as { type: { type: ValueType } }).type;
    this.pushTemporary(type, this.global(index));
  }

  private operator(operator: Operator): void {
    if (operator.immediates === 'memarg') {
      this.memoryAccess(operator);
      return;
    }
    const { name, params, results } = operator;
    const result = results[0] as ValueType;
    const second = params.length === 2 ? this.pop() : null;
    const first = this.pop();
    const text = pureExpression(name, first.text, second?.text ?? '');
    if (text !== null) {
      this.pushPure(result, text, first, ...(second === null ? [] : [second]));
      return;
    }
    this.stack.push(first);
    if (second !== null) this.stack.push(second);
    const b = second === null ? '' : this.popName();
    const a = this.popName();
    const trapping = trappingExpression(name, a, b);
    if (trapping === null) throw new UnsupportedFeature(name, this.reader.at);
    for (const { when, trap } of trapping.traps) this.trapWhen(when, trap);
    this.pushTemporary(result, trapping.value);
  }

  // ---- memory

  private addressType(memory: number): ValueType {
    return this.module.memories[memory]?.is64 ? ValueType.i64 : ValueType.i32;
  }

  private memoryArgument(): { memory: number; offset: bigint } {
    const flags = this.reader.u32();
    const memory = flags & 0x40 ? this.reader.u32() : 0;
    return { memory, offset: this.reader.u64() };
  }

  /**
   * A pointer for an access of so many bytes, checked. With 32-bit addresses the guard pages check (V8 keeps 8 GiB
   * behind a memory's begin), but not the last bytes that an offset near 4 GiB can reach.
   */
  private place(
    { memory, offset }: { memory: number; offset: bigint },
    address: string,
    bytes: number,
  ): string {
    const beyond = offset === 0n ? '' : ` + ${offset}ull`;
    if (!this.module.memories[memory]?.is64) {
      this.basesUsed.add(memory);
      if (offset >= 0xffff_ff00n)
        this.lines.push(`CHECK(in->m[${memory}], ${address}, ${offset}ull, ${bytes});`);
      return `(u64)${address}${beyond}`;
    }
    this.lines.push(`CHECK(in->m[${memory}], ${address}, ${offset}ull, ${bytes});`);
    return `${address}${beyond}`;
  }

  private base(memory: number): string {
    return this.module.memories[memory]?.is64 ? `in->m[${memory}]->base` : `b${memory}`;
  }

  private needsName({ memory, offset }: { memory: number; offset: bigint }): boolean {
    return this.module.memories[memory]?.is64 === true || offset >= 0xffff_ff00n;
  }

  private popAddress(argument: { memory: number; offset: bigint }): string {
    return this.needsName(argument) ? this.popName() : this.popText();
  }

  private memoryAccess({ name, params, results, accessBytes }: Operator): void {
    const argument = this.memoryArgument();
    const [type = '', access = ''] = name.split('.');
    const float = type.startsWith('f');
    const width = accessBytes * 8;
    if (results.length === 0) {
      const value = this.popText();
      const address = this.popAddress(argument);
      const unit = float ? type : `u${width}`;
      const place = this.place(argument, address, accessBytes);
      this.lines.push(`AT(${unit}, ${this.base(argument.memory)}, ${place}) = (${unit})${value};`);
      return;
    }
    const result = results[0] as ValueType;
    const address = this.popAddress(argument);
    const place = this.place(argument, address, accessBytes);
    const unit = float ? type : `${access.endsWith('_s') ? 's' : 'u'}${width}`;
    const whole = C_TYPE[params.length === 1 ? result : ValueType.i32];
    const sign = access.endsWith('_s') ? `(${whole})(s${type.slice(1)})` : '';
    const loaded = this.pushTemporary(result, `${sign}AT(${unit}, ${this.base(argument.memory)}, ${place})`);
    this.lines.push(float ? `KEEP_F(${loaded});` : `KEEP(${loaded});`);
  }

  private memorySize(memory: number): void {
    const type = this.addressType(memory);
    const shared = this.module.memories[memory]?.shared === true;
    const pages = shared ? `${this.runtime()}->memory_size(&in->h, ${memory})` : `in->m[${memory}]->pages`;
    this.pushTemporary(type, `(${C_TYPE[type]})${pages}`);
  }

  // ---- tables

  private table(index: number): string {
    return index < this.module.imported.tables ? `(*in->t${index})` : `in->t${index}`;
  }

  private elementType(table: number): ValueType {
    return this.module.tables[table]?.type.element as ValueType;
  }

  private elements(table: number): string {
    return `${this.table(table)}.${this.elementType(table) === ValueType.funcref ? 'functions' : 'references'}`;
  }

  private tableIndexType(table: number): ValueType {
    return this.module.tables[table]?.type.is64 ? ValueType.i64 : ValueType.i32;
  }

  private tableGet(table: number): void {
    const at = this.popName();
    this.trapWhen(`${at} >= ${this.table(table)}.size`, 'TABLE_ACCESS');
    const type = this.elementType(table);
    const cast = type === ValueType.exnref ? '(exception *)' : '';
    this.pushTemporary(type, `${cast}${this.elements(table)}[${at}]`);
  }

  private tableSet(table: number): void {
    const type = this.elementType(table);
    const value = this.popText();
    const at = this.popName();
    this.trapWhen(`${at} >= ${this.table(table)}.size`, 'TABLE_ACCESS');
    this.lines.push(`${this.elements(table)}[${at}] = ${type === ValueType.exnref ? '(u64)' : ''}${value};`);
  }

  /** What a function of the runtime wants of an element: a pointer and a word, one of them unused. */
  private elementArguments(type: ValueType): string {
    if (type === ValueType.funcref) return `&${this.namedFunction()}, 0`;
    return `(const function *)0, (u64)${this.popText()}`;
  }

  private namedFunction(): string {
    const value = this.pop();
    return this.temporary(value);
  }

  private functionReference(index: number): void {
    this.functions.add(index);
    this.pushTemporary(ValueType.funcref, this.functionValue(index));
  }

  private functionValue(index: number): string {
    if (index < this.module.imported.functions) return `in->f[${index}]`;
    const { typeIndex } = this.module.functions[index] as { typeIndex: number };
    const { code, tail } = pointerNames(index, this.facts);
    return `(function){${this.key(typeIndex)}, (wasm_code)${code}, in, ${tail === null ? '0' : `(wasm_code)${tail}`}}`;
  }

  private key(typeIndex: number): string {
    const key = typeKey(this.typeAt(typeIndex));
    if (key !== null) return `0x${key.toString(16)}ull`;
    const long = this.module.types.slice(0, typeIndex).filter((type) => typeKey(type) === null).length;
    return `in->key[${long}]`;
  }

  // ---- bulk operators

  private prefixed(opcode: number): void {
    if (opcode < 8) {
      this.operator(saturating[opcode] as Operator);
      return;
    }
    const reader = this.reader;
    const call = (name: string, ...args: string[]) =>
      `${this.runtime()}->${name}(${['&in->h', ...args].join(', ')})`;
    switch (opcode) {
      case 8: {
        const segment = reader.u32();
        const memory = reader.u32();
        const [at, source, size] = this.popThree();
        this.lines.push(`${call('memory_init', `${memory}`, `${segment}`, at, source, size)};`);
        return;
      }
      case 9:
        this.lines.push(`${call('data_drop', `${reader.u32()}`)};`);
        return;
      case 10: {
        const to = reader.u32();
        const from = reader.u32();
        const [at, source, size] = this.popThree();
        this.lines.push(`${call('memory_copy', `${to}`, `${from}`, at, source, size)};`);
        return;
      }
      case 11: {
        const memory = reader.u32();
        const [at, value, size] = this.popThree();
        this.lines.push(`${call('memory_fill', `${memory}`, at, value, size)};`);
        return;
      }
      case 12: {
        const segment = reader.u32();
        const table = reader.u32();
        const [at, source, size] = this.popThree();
        this.lines.push(`${call('table_init', `${table}`, `${segment}`, at, source, size)};`);
        return;
      }
      case 13:
        this.lines.push(`${call('element_drop', `${reader.u32()}`)};`);
        return;
      case 14: {
        const to = reader.u32();
        const from = reader.u32();
        const [at, source, size] = this.popThree();
        this.lines.push(`${call('table_copy', `${to}`, `${from}`, at, source, size)};`);
        return;
      }
      case 15: {
        const table = reader.u32();
        const count = this.popText();
        const element = this.elementArguments(this.elementType(table));
        const type = this.tableIndexType(table);
        this.pushTemporary(type, `(${C_TYPE[type]})${call('table_grow', `${table}`, count, element)}`);
        return;
      }
      case 16: {
        const table = reader.u32();
        const type = this.tableIndexType(table);
        this.push(type, this.settledSize(table, type), true);
        return;
      }
      default: {
        const table = reader.u32();
        const count = this.popText();
        const element = this.elementArguments(this.elementType(table));
        const at = this.popText();
        this.lines.push(`${call('table_fill', `${table}`, at, element, count)};`);
      }
    }
  }

  private settledSize(table: number, type: ValueType): string {
    const name = `z${this.temporaries++}`;
    this.lines.push(`${C_TYPE[type]} ${name} = (${C_TYPE[type]})${this.table(table)}.size;`);
    return name;
  }

  private popThree(): [string, string, string] {
    const third = this.popText();
    const second = this.popText();
    return [this.popText(), second, third];
  }

  // ---- vectors

  private lane(): number {
    return this.reader.u8();
  }

  private vector(operator: Operator): void {
    const { name, params, results, immediates } = operator;
    if (immediates === 'memarg' || immediates === 'memarg-lane') {
      this.vectorMemory(operator);
      return;
    }
    const symbol = name.replace('.', '_');
    if (immediates === 'v128') {
      const bytes = Array.from({ length: 16 }, () => this.reader.u8());
      this.pushTemporary(ValueType.v128, `v128_const(${bytes.join(', ')})`);
      return;
    }
    const lanes =
      immediates === 'shuffle'
        ? Array.from({ length: 16 }, () => this.reader.u8())
        : immediates === 'lane'
          ? [this.lane()]
          : [];
    const operands = params.map(() => this.pop()).reverse();
    const texts = operands.map(({ text }) => text);
    // replace_lane: vector, lane, value.
    const args =
      params.length === 2 && lanes.length === 1 ? [texts[0], lanes[0], texts[1]] : [...texts, ...lanes];
    this.pushTemporary(results[0] as ValueType, `${symbol}(${args.join(', ')})`);
  }

  private vectorMemory({ name, results, params, immediates, accessBytes }: Operator): void {
    const argument = this.memoryArgument();
    const lane = immediates === 'memarg-lane' ? `, ${this.lane()}` : '';
    const vector = params.length === 2 ? `, ${this.popText()}` : '';
    const address = this.popAddress(argument);
    const place = this.place(argument, address, accessBytes);
    const call = `${name.replace('.', '_')}(${this.base(argument.memory)} + (${place})${vector}${lane})`;
    if (results.length === 0) {
      this.lines.push(`${call};`);
      return;
    }
    const loaded = this.pushTemporary(ValueType.v128, call);
    this.lines.push(`KEEP_F(${loaded});`);
  }

  // ---- atomics

  private atomicOperator(opcode: number): void {
    const operator = atomic[opcode] as Operator;
    if (operator.immediates === 'zero') {
      this.reader.skip(1);
      this.lines.push('__atomic_thread_fence(__ATOMIC_SEQ_CST);');
      return;
    }
    const argument = this.memoryArgument();
    const { name, params, results, accessBytes } = operator;
    const values = params
      .slice(1)
      .map(() => this.popText())
      .reverse();
    const address = this.popName();
    const { memory, offset } = argument;
    // Out of bounds comes before unaligned.
    if (accessBytes > 1)
      this.lines.push(
        `if (UNLIKELY(((u64)${address} + ${offset}ull) & ${accessBytes - 1})) { CHECK(in->m[${memory}], ${address}, ${offset}ull, ${accessBytes}); TRAP(UNALIGNED); }`,
      );
    if (opcode < 3) {
      this.waitOrNotify(opcode, memory, address, offset, values, accessBytes);
      return;
    }
    const place = this.place(argument, address, accessBytes);
    const unit = `u${accessBytes * 8}`;
    const pointer = `(${unit} *)(${this.base(memory)} + (${place}))`;
    this.atomicAccess(name, pointer, unit, values, results[0]);
  }

  private atomicAccess(
    name: string,
    pointer: string,
    unit: string,
    values: string[],
    result: ValueType | undefined,
  ): void {
    const order = '__ATOMIC_SEQ_CST';
    const [first = '', second = ''] = values;
    if (result === undefined) {
      this.lines.push(`__atomic_store_n(${pointer}, (${unit})${first}, ${order});`);
      return;
    }
    const kind = /\.rmw\d*\.(\w+?)(?:_u)?$/.exec(name)?.[1];
    if (kind === undefined) {
      const loaded = this.pushTemporary(result, `__atomic_load_n(${pointer}, ${order})`);
      this.lines.push(`KEEP(${loaded});`);
    } else if (kind === 'cmpxchg') {
      // The expected value is compared whole: one that does not fit the narrow cell is never equal.
      const expected = `z${this.temporaries++}`;
      const wide = `z${this.temporaries++}`;
      this.lines.push(
        `${C_TYPE[result]} ${wide} = ${first}; ${unit} ${expected} = (${unit})${wide};`,
        `if (${expected} == ${wide}) __atomic_compare_exchange_n(${pointer}, &${expected}, (${unit})${second}, 0, ${order}, ${order}); else ${expected} = __atomic_load_n(${pointer}, ${order});`,
      );
      this.push(result, `(${C_TYPE[result]})${expected}`, false);
      this.settle(this.stack.length - 1);
    } else {
      const operation = kind === 'xchg' ? '__atomic_exchange_n' : `__atomic_fetch_${kind}`;
      this.pushTemporary(result, `${operation}(${pointer}, (${unit})${first}, ${order})`);
    }
  }

  private waitOrNotify(
    opcode: number,
    memory: number,
    address: string,
    offset: bigint,
    values: string[],
    bytes: number,
  ): void {
    this.lines.push(`CHECK(in->m[${memory}], ${address}, ${offset}ull, ${bytes});`);
    const at = `(u64)${address} + ${offset}ull`;
    const [first = '', second = ''] = values;
    const call =
      opcode === 0
        ? `memory_notify(&in->h, ${memory}, ${at}, ${first})`
        : `memory_wait(&in->h, ${memory}, ${at}, ${first}, (s64)${second}, ${bytes})`;
    this.pushTemporary(ValueType.i32, `${this.runtime()}->${call}`);
    this.checkThrown();
  }

  // ---- calls

  private arguments(type: FunctionType): string[] {
    return type.params
      .map(() => this.pop())
      .reverse()
      .map((value) => (value.type === ValueType.funcref ? `&${this.temporary(value)}` : value.text));
  }

  private call(index: number): void {
    const { typeIndex } = this.module.functions[index] as { typeIndex: number };
    const type = this.typeAt(typeIndex);
    if (index < this.module.imported.functions) {
      this.callPointer(typeIndex, `in->f[${index}].code`, `in->f[${index}].instance`);
      return;
    }
    this.functions.add(index);
    this.finishCall(type, `c${index}(${['in', ...this.arguments(type)].join(', ')})`);
  }

  /** A call that leaves the instance. */
  private callPointer(typeIndex: number, code: string, instance: string): void {
    const type = this.typeAt(typeIndex);
    if (!this.facts.exceptions) {
      const args = [instance, ...this.arguments(type)].join(', ');
      this.finishCall(type, `((${functionPointer(type)})${code})(${args})`);
      return;
    }
    // Whatever is thrown there comes back as runtime->thrown.
    const rt = this.runtime();
    this.storeArguments(type, `${rt}->slots`);
    this.enters.add(typeIndex);
    this.lines.push(`${rt}->call_catching(${rt}, enter_${signatureName(type)}, ${code}, ${instance});`);
    this.checkThrown();
    this.pushFromSlots(type.results);
  }

  private storeArguments(type: FunctionType, words: string): void {
    const values = type.params.map(() => this.pop()).reverse();
    const at = slotOffsets(type.params);
    values.forEach((value, i) => {
      this.lines.push(writeSlot(words, at[i] as number, value.type, value.text));
    });
  }

  private pushFromSlots(types: ValueType[]): void {
    const at = slotOffsets(types);
    types.forEach((type, i) => {
      this.pushTemporary(type, readSlot(`${this.runtime()}->slots`, at[i] as number, type));
    });
  }

  private finishCall(type: FunctionType, call: string): void {
    const [result] = type.results;
    if (result === undefined || returnsInSlots(type)) {
      this.lines.push(`${call};`);
      this.checkThrown();
      this.pushFromSlots(type.results);
    } else {
      this.pushTemporary(result, call);
      this.checkThrown();
    }
  }

  /** The slot of the table that is called, bounds and type checked. */
  private calledSlot(): { slot: string; typeIndex: number } {
    const typeIndex = this.reader.u32();
    const table = this.reader.u32();
    const at = this.popName();
    this.trapWhen(`${at} >= ${this.table(table)}.size`, 'TABLE');
    const slot = `z${this.temporaries++}`;
    this.lines.push(`const function *${slot} = &${this.table(table)}.functions[${at}];`);
    this.trapWhen(`${slot}->type != ${this.key(typeIndex)}`, 'SIGNATURE');
    return { slot, typeIndex };
  }

  private callIndirect(): void {
    const { slot, typeIndex } = this.calledSlot();
    this.callPointer(typeIndex, `${slot}->code`, `${slot}->instance`);
  }

  private returnCall(index: number): void {
    const { typeIndex } = this.module.functions[index] as { typeIndex: number };
    if (index < this.module.imported.functions) {
      this.tailCallPointer(typeIndex, `in->f[${index}]`);
      return;
    }
    if (!this.facts.tailCallers.has(index)) {
      // It makes no tail call itself: one frame more, and no chain. Known at the next emission.
      const type = this.typeAt(typeIndex);
      this.functions.add(index);
      const call = `c${index}(${['in', ...this.arguments(type)].join(', ')})`;
      this.found.tailCallers.add(this.index);
      this.lines.push(resultType(type) === 'void' ? `${call}; return;` : `return ${call};`);
      return;
    }
    this.functions.add(index);
    this.pend(typeIndex, `(wasm_code)n${index}`, 'in');
  }

  private returnCallIndirect(): void {
    const { slot, typeIndex } = this.calledSlot();
    this.tailCallPointer(typeIndex, `(*${slot})`);
  }

  private tailCallPointer(typeIndex: number, target: string): void {
    const code = `z${this.temporaries++}`;
    this.lines.push(`wasm_code ${code} = ${target}.tail ? ${target}.tail : ${target}.code;`);
    this.pend(typeIndex, code, `${target}.instance`);
  }

  /** Leaves a tail call to whoever called: the loop in c<N> (units.ts). */
  private pend(typeIndex: number, code: string, instance: string): void {
    this.found.tailCallers.add(this.index);
    const type = this.typeAt(typeIndex);
    const rt = this.runtime();
    this.storeArguments(type, `(${rt}->slots + WASM_TAIL)`);
    this.enters.add(typeIndex);
    this.lines.push(
      `${rt}->tail.enter = enter_${signatureName(type)}; ${rt}->tail.code = ${code}; ${rt}->tail.instance = ${instance}; ${rt}->tail.words = ${wordsOfAll(type.params)};`,
      this.dummyReturn(),
    );
  }

  // ---- exceptions

  /** Where an exception goes that is thrown within the frames up to `depth`. */
  private landing(from = this.frames.length - 1): string {
    for (let at = from; at >= 0; at--) {
      const frame = this.frames[at] as Frame;
      if (frame.kind === 'try' || frame.kind === 'try_table') {
        frame.landed = true;
        return `goto H${frame.id};`;
      }
    }
    this.exits = true;
    return 'goto exit;';
  }

  private checkThrown(): void {
    if (this.facts.exceptions) this.lines.push(`if (UNLIKELY(${this.runtime()}->thrown)) ${this.landing()}`);
  }

  private enterTry(): void {
    this.found.exceptions = true;
    this.enter('try');
  }

  private tagType(tag: number): FunctionType {
    return this.typeAt((this.module.tags[tag] as { typeIndex: number }).typeIndex);
  }

  private throwTag(): void {
    this.found.exceptions = true;
    const tag = this.reader.u32();
    const { params } = this.tagType(tag);
    const values = params.map(() => this.pop()).reverse();
    const at = slotOffsets(params);
    const payload = `z${this.temporaries++}`;
    const rt = this.runtime();
    this.lines.push(
      `u64 *${payload} = ${rt}->throw_tag(&in->h, in->tag[${tag}], ${wordsOfAll(params)});`,
      ...values.map((value, i) => writeSlot(payload, at[i] as number, value.type, value.text)),
      this.landing(),
    );
    this.skip();
  }

  private rethrow(): void {
    const frame = this.target(this.reader.u32());
    this.found.exceptions = true;
    this.found.rethrowers.add(this.index);
    this.lines.push(`${this.runtime()}->thrown = caught${frame.id};`, this.landing());
    this.skip();
  }

  private throwReference(): void {
    this.found.exceptions = true;
    const value = this.popName();
    this.trapWhen(`${value} == 0`, 'NULL');
    this.lines.push(`${this.runtime()}->thrown = ${value};`, this.landing());
    this.skip();
  }

  /** catch and catch_all (tag null) of a legacy try. */
  private catchClause(tag: number | null, live: boolean): void {
    const frame = this.top();
    if (live) this.finishArm(frame);
    const first = frame.kind === 'try';
    frame.kind = 'catch';
    this.stack.length = frame.height;
    if (first) this.land(frame);
    else this.lines.push(`N${frame.id}_${frame.catches - 1}:;`);
    const rt = this.runtime();
    if (tag !== null) {
      this.lines.push(`if (caught${frame.id}->tag != in->tag[${tag}]) goto N${frame.id}_${frame.catches};`);
      this.lines.push(`${rt}->thrown = 0;`);
      this.pushPayload(`caught${frame.id}`, this.tagType(tag).params);
      if (!this.facts.rethrowers.has(this.index))
        this.lines.push(`${rt}->release(${rt}, caught${frame.id});`);
      frame.catches++;
    } else {
      this.lines.push(`${rt}->thrown = 0;`);
      frame.catches = -1;
    }
  }

  private pushPayload(exception: string, params: ValueType[]): void {
    const at = slotOffsets(params);
    params.forEach((type, i) => {
      this.pushTemporary(type, readSlot(`${exception}->payload`, at[i] as number, type));
    });
  }

  /** The place that calls within a try jump to, with the exception by name. */
  private land(frame: Frame): void {
    this.declarations.push(`exception *caught${frame.id} = 0;`);
    this.lines.push(`H${frame.id}:;`, `caught${frame.id} = ${this.runtime()}->thrown;`);
  }

  /** Ends a try, the catches of one, or a try_table; answers whether its own end can be reached from before. */
  private endOfCatching(frame: Frame, live: boolean): boolean {
    if (frame.kind === 'catch') {
      if (frame.catches < 0) return live;
      if (live) this.finishArm(frame);
      this.lines.push(`N${frame.id}_${frame.catches - 1}:;`, this.landing(this.frames.length - 2));
      return false;
    }
    if (!frame.landed) return live;
    if (live) this.finishArm(frame);
    this.stack.length = frame.height;
    if (frame.kind === 'try') this.lines.push(`H${frame.id}:;`, this.landing(this.frames.length - 2));
    else this.landTable(frame);
    return false;
  }

  private delegateAt(depth: number, live: boolean): boolean {
    this.found.exceptions = true;
    const frame = this.top();
    if (live) this.finishArm(frame);
    this.stack.length = frame.height;
    if (frame.landed) this.lines.push(`H${frame.id}:;`, this.landing(this.frames.length - 2 - depth));
    this.frames.pop();
    if (!frame.targeted) return false;
    this.lines.push(`L${frame.id}:;`);
    frame.results.forEach((type, index) => {
      this.push(type, this.variable(frame, index));
    });
    return true;
  }

  private readClauses(keep: boolean): Clause[] {
    const count = this.reader.u32();
    const clauses: Clause[] = [];
    for (let i = 0; i < count; i++) {
      const kind = this.reader.u8();
      const tag = kind < 2 ? this.reader.u32() : null;
      const depth = this.reader.u32();
      // Labels are counted from outside of the try_table, which is not on the stack of frames yet.
      if (keep) clauses.push({ tag, withReference: (kind & 1) === 1, frame: this.target(depth) });
    }
    return clauses;
  }

  private enterTryTable(): void {
    this.found.exceptions = true;
    const { params, results } = this.blockType();
    const clauses = this.readClauses(true);
    this.settleAll();
    const frame = this.frame('try_table', params, results);
    frame.clauses = clauses;
    this.frames.push(frame);
  }

  private landTable(frame: Frame): void {
    this.land(frame);
    const rt = this.runtime();
    for (const { tag, withReference, frame: target } of frame.clauses) {
      const types = tag === null ? [] : this.tagType(tag).params;
      const at = slotOffsets(types);
      const values = types.map((type, i) => readSlot(`caught${frame.id}->payload`, at[i] as number, type));
      if (withReference) values.push(`caught${frame.id}`);
      const condition = tag === null ? '1' : `caught${frame.id}->tag == in->tag[${tag}]`;
      this.lines.push(`if (${condition}) { ${rt}->thrown = 0; ${this.jump(target, values)} }`);
    }
    this.lines.push(this.landing(this.frames.length - 2));
  }
}
