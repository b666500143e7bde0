// A random function body. Values are made for where they are wanted, so that everything validates; blocks, branches and
// what follows a branch are as odd as the type system lets them be.
import { type FunctionType, ValueType as V, type ValueType } from '../../../../loader/compile/module.ts';
import type { Random } from '../random.ts';
import { Code } from './code.ts';
import { offset, writeAddress, writeConstant } from './constants.ts';
import { CANONICAL, type Instruction } from './operators.ts';
import { FULL, type World } from './world.ts';

type Instructions = ReadonlyMap<ValueType | undefined, readonly Instruction[]>;

interface Label {
  /** What a branch to it takes. */
  types: readonly ValueType[];
  /** Of a `catch` in the legacy form: `rethrow` may name it. */
  caught: boolean;
}

const OPS = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  throw: 0x08,
  rethrow: 0x09,
  throwRef: 0x0a,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  delegate: 0x18,
  catchAll: 0x19,
  drop: 0x1a,
  select: 0x1b,
  selectTyped: 0x1c,
  tryTable: 0x1f,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  tableGet: 0x25,
  tableSet: 0x26,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  refIsNull: 0xd1,
  refFunc: 0xd2,
} as const;
const EMPTY = 0x40;
const MOST_DEPTH = 12;
const DEEP = 150;

/** The bytes of a body with its locals, without their size. */
export function writeBody(
  random: Random,
  world: World,
  instructions: Instructions,
  type: FunctionType,
): number[] {
  return new Body(random, world, instructions, type).write();
}

class Body {
  readonly #random: Random;
  readonly #world: World;
  readonly #instructions: Instructions;
  readonly #type: FunctionType;
  readonly #code = new Code();
  readonly #locals: ValueType[];
  readonly #labels: Label[] = [];
  /** How many more instructions there may be, about. */
  #left: number;
  #depth = 0;

  constructor(random: Random, world: World, instructions: Instructions, type: FunctionType) {
    this.#random = random;
    this.#world = world;
    this.#instructions = instructions;
    this.#type = type;
    const more = random.once(12) ? 300 : random.below(8);
    const own = Array.from({ length: more }, () => random.pick(world.values));
    // At least one of each number type: what may be a NaN goes through it.
    this.#locals = [
      ...type.params,
      ...own,
      V.i32,
      V.i64,
      V.f32,
      V.f64,
      ...(world.features.simd ? [V.v128] : []),
    ];
    this.#left = 40 + random.below(200);
  }

  write(): number[] {
    const { params, results } = this.#type;
    this.#labels.push({ types: results, caught: false });
    this.#burn();
    this.#statements(1 + this.#random.below(5));
    if (this.#random.once(6)) this.#leave();
    else if (this.#world.features.tailCall && this.#random.once(3) && this.#tailCall()) this.#junk();
    else for (const type of results) this.#value(type);
    this.#code.byte(OPS.end);
    const head = new Code();
    head.list(this.#locals.slice(params.length), (type) => head.u(1).byte(type));
    return [...head.bytes, ...this.#code.bytes];
  }

  // ---- small things

  /** Ends loops and recursion: a trap when the fuel is used up, and it is full again then. */
  #burn(): void {
    const { fuel } = this.#world;
    const code = this.#code;
    code.byte(OPS.globalGet).u(fuel).byte(0x45, OPS.if, EMPTY, 0x41).s(FULL).byte(OPS.globalSet).u(fuel);
    code
      .byte(OPS.unreachable, OPS.end, OPS.globalGet)
      .u(fuel)
      .byte(0x41)
      .s(1)
      .byte(0x6b, OPS.globalSet)
      .u(fuel);
  }

  #places<T>(list: readonly T[], fits: (item: T) => boolean): number[] {
    return [...list.keys()].filter((index) => fits(list[index] as T));
  }

  #typeIndex(params: readonly ValueType[], results: readonly ValueType[]): number {
    const { types } = this.#world;
    const known = types.findIndex((type) => sameList(type.params, params) && sameList(type.results, results));
    if (known >= 0) return known;
    types.push({ params: [...params], results: [...results] });
    return types.length - 1;
  }

  #blockType(params: readonly ValueType[], results: readonly ValueType[]): void {
    const [only] = results;
    if (params.length > 0 || results.length > 1) this.#code.s(this.#typeIndex(params, results));
    else this.#code.byte(only ?? EMPTY);
  }

  #drop(count: number): void {
    for (let i = 0; i < count; i++) this.#code.byte(OPS.drop);
  }

  #values(types: readonly ValueType[]): void {
    for (const type of types) this.#value(type);
  }

  /** Puts what stands on the stack elsewhere, the last first. */
  #putAway(types: readonly ValueType[]): void {
    for (const type of [...types].reverse()) {
      const places = this.#places(this.#locals, (local) => local === type);
      if (places.length > 0 && !this.#random.once(3))
        this.#code.byte(OPS.localSet).u(this.#random.pick(places));
      else this.#drop(1);
    }
  }

  // ---- values

  #value(type: ValueType): void {
    this.#left--;
    if (this.#left <= 0 || this.#depth > MOST_DEPTH) {
      this.#leaf(type);
      return;
    }
    this.#depth++;
    const ways = this.#waysTo(type);
    if (!this.#random.pick(ways)()) this.#leaf(type);
    this.#depth--;
  }

  #waysTo(type: ValueType): (() => boolean)[] {
    const plain = () => this.#operator(type);
    const ways = [
      () => false,
      plain,
      plain,
      plain,
      () => this.#block(type),
      () => this.#loop(type),
      () => this.#if(type),
      () => this.#brTable(type),
      () => this.#select(type),
      () => this.#call(type),
      () => this.#callIndirect(type),
      () => this.#tee(type),
      () => this.#guarded(type),
    ];
    if (type === V.i32)
      ways.push(
        () => this.#measure(),
        () => this.#isNull(),
      );
    if (type === V.i64) ways.push(() => this.#memoryMeasure(true));
    if (type === V.funcref || type === V.externref)
      ways.push(
        () => this.#tableGet(type),
        () => this.#tableGet(type),
      );
    if (this.#random.once(60)) ways.push(() => this.#deep(type));
    return ways;
  }

  #leaf(type: ValueType): void {
    const locals = this.#places(this.#locals, (local) => local === type);
    const globals = this.#places(this.#world.globals, (global) => global.type === type);
    const choice = this.#random.below(4);
    if (choice === 0 && locals.length > 0) this.#code.byte(OPS.localGet).u(this.#random.pick(locals));
    else if (choice === 1 && globals.length > 0) this.#code.byte(OPS.globalGet).u(this.#random.pick(globals));
    else if (choice === 2 && type === V.funcref)
      this.#code.byte(OPS.refFunc).u(this.#random.below(this.#world.functions.length));
    else writeConstant(this.#code, type, this.#random);
  }

  #operator(type: ValueType | undefined): boolean {
    const instruction = this.#random.pick(this.#instructions.get(type) ?? []);
    if (instruction === undefined) return false;
    const isAccess = instruction.immediates.startsWith('memarg');
    const memory = isAccess ? this.#random.below(this.#world.memories.length) : 0;
    const is64 = this.#world.memories[memory]?.is64 === true;
    instruction.params.forEach((param, index) => {
      if (isAccess && index === 0) this.#address(is64);
      else this.#value(param);
    });
    this.#write(instruction, memory, is64);
    if (instruction.anyNaN) this.#sameNaN(instruction);
    return true;
  }

  #address(is64: boolean): void {
    if (this.#random.once(2)) writeAddress(this.#code, is64, this.#random);
    else this.#value(is64 ? V.i64 : V.i32);
  }

  #write(instruction: Instruction, memory: number, is64: boolean): void {
    const { prefix, opcode, immediates, accessBytes, lanes } = instruction;
    const code = this.#code;
    if (prefix === undefined) code.byte(opcode);
    else code.byte(prefix).u(opcode);
    if (immediates.startsWith('memarg')) {
      const most = Math.log2(accessBytes);
      const align = prefix === 0xfe ? most : this.#random.below(most + 1);
      if (memory > 0) code.u(align | 0x40).u(memory);
      else code.u(align);
      code.u(offset(is64, this.#random));
    }
    if (immediates === 'lane' || immediates === 'memarg-lane') code.byte(this.#random.below(lanes));
    else if (immediates === 'shuffle') for (let i = 0; i < 16; i++) code.byte(this.#random.below(32));
    else if (immediates === 'v128') for (let i = 0; i < 16; i++) code.byte(this.#random.below(256));
    else if (immediates === 'zero') code.byte(0);
  }

  /** Every NaN that arithmetic answers becomes the same one: which it was is anybody's choice. */
  #sameNaN({ name, results: [type] }: Instruction): void {
    const code = this.#code;
    const local = this.#locals.lastIndexOf(type as ValueType);
    const get = () => code.byte(OPS.localGet).u(local);
    if (type === V.f32 || type === V.f64) {
      code
        .byte(OPS.localTee)
        .u(local)
        .byte(...CANONICAL[type]);
      get();
      get();
      code.byte(type === V.f32 ? 0x5b : 0x61, OPS.select);
    } else {
      const wide = name.startsWith('f64x2') || name.startsWith('v128.f64');
      const lane = wide ? [0, 0, 0, 0, 0, 0, 0xf8, 0x7f] : [0, 0, 0xc0, 0x7f];
      code
        .byte(OPS.localTee)
        .u(local)
        .byte(0xfd, 12, ...Array.from({ length: 16 / lane.length }, () => lane).flat());
      get();
      get();
      code
        .byte(0xfd)
        .u(wide ? 71 : 65)
        .byte(0xfd)
        .u(82);
    }
  }

  #tee(type: ValueType): boolean {
    const places = this.#places(this.#locals, (local) => local === type);
    if (places.length === 0) return false;
    this.#value(type);
    this.#code.byte(OPS.localTee).u(this.#random.pick(places));
    return true;
  }

  #select(type: ValueType): boolean {
    this.#values([type, type, V.i32]);
    const numeric = type !== V.funcref && type !== V.externref;
    if (numeric && this.#random.once(2)) this.#code.byte(OPS.select);
    else this.#code.byte(OPS.selectTyped).u(1).byte(type);
    return true;
  }

  #call(type: ValueType): boolean {
    const { functions, types } = this.#world;
    const places = this.#places(functions, (index) => types[index]?.results[0] === type);
    if (places.length === 0) return false;
    const callee = this.#random.pick(places);
    const { params, results } = types[functions[callee] as number] as FunctionType;
    this.#values(params);
    this.#code.byte(OPS.call).u(callee);
    this.#putAway(results.slice(1));
    return true;
  }

  #callIndirect(type: ValueType): boolean {
    const { types } = this.#world;
    const places = this.#places(types, ({ results }) => results[0] === type);
    if (places.length === 0) return false;
    const place = this.#random.pick(places);
    const { params, results } = types[place] as FunctionType;
    this.#values(params);
    this.#tableIndex();
    this.#code.byte(OPS.callIndirect).u(place).u(this.#functionTable());
    this.#putAway(results.slice(1));
    return true;
  }

  #functionTable(): number {
    return this.#random.pick(this.#places(this.#world.tables, ({ element }) => element === V.funcref));
  }

  #tableIndex(): void {
    if (this.#random.once(4)) this.#value(V.i32);
    else this.#code.byte(0x41).s(this.#random.below(12));
  }

  #tableGet(type: ValueType): boolean {
    const places = this.#places(this.#world.tables, ({ element }) => element === type);
    if (places.length === 0) return false;
    this.#tableIndex();
    this.#code.byte(OPS.tableGet).u(this.#random.pick(places));
    return true;
  }

  #isNull(): boolean {
    this.#value(this.#random.once(2) ? V.funcref : V.externref);
    this.#code.byte(OPS.refIsNull);
    return true;
  }

  /** Sizes, and growing by a little. */
  #measure(): boolean {
    const { tables } = this.#world;
    if (this.#random.once(2)) return this.#memoryMeasure(false);
    const table = this.#random.below(tables.length);
    if (this.#random.once(2)) {
      this.#code.byte(0xfc, 16).u(table);
      return true;
    }
    this.#value((tables[table] as { element: ValueType }).element);
    this.#code.byte(0x41).s(this.#random.pick([0, 1, 2, 5, -1, 0x7fffffff]));
    this.#code.byte(0xfc, 15).u(table);
    return true;
  }

  #memoryMeasure(is64: boolean): boolean {
    const places = this.#places(this.#world.memories, (memory) => memory.is64 === is64);
    if (places.length === 0) return false;
    const memory = this.#random.pick(places);
    if (this.#random.once(2)) {
      this.#code.byte(OPS.memorySize).u(memory);
      return true;
    }
    this.#code.byte(is64 ? 0x42 : 0x41).s(this.#random.pick([0, 1, 1, 2, 65536, -1]));
    this.#code.byte(OPS.memoryGrow).u(memory);
    return true;
  }

  // ---- structured control

  /** Opens a label, runs `inside`, closes it. */
  #under(types: readonly ValueType[], inside: () => void, caught = false): void {
    this.#labels.push({ types, caught });
    inside();
    this.#labels.pop();
  }

  #someTypes(most: number): ValueType[] {
    return Array.from({ length: this.#random.below(most + 1) }, () => this.#random.pick(this.#world.values));
  }

  /** With parameters, and results that are not all wanted. */
  #block(type: ValueType): boolean {
    const params = this.#someTypes(2);
    const results = [type, ...this.#someTypes(2)];
    this.#values(params);
    this.#code.byte(OPS.block);
    this.#blockType(params, results);
    this.#under(results, () => {
      this.#putAway(params);
      this.#inside(results);
    });
    this.#code.byte(OPS.end);
    this.#putAway(results.slice(1));
    return true;
  }

  /** Statements and results; sometimes the end is not reached. */
  #inside(results: readonly ValueType[]): void {
    this.#statements(this.#random.below(3));
    if (this.#random.once(5)) this.#leave();
    else this.#values(results);
  }

  #loop(type: ValueType): boolean {
    const params = this.#someTypes(3);
    const results = [type, ...this.#someTypes(1)];
    this.#values(params);
    this.#code.byte(OPS.loop);
    this.#blockType(params, results);
    this.#under(params, () => {
      this.#putAway(params);
      this.#burn();
      this.#statements(this.#random.below(3));
      if (this.#random.once(2)) {
        this.#values([...params, V.i32]);
        this.#code.byte(OPS.brIf).u(0);
        this.#drop(params.length);
      }
      this.#values(results);
    });
    this.#code.byte(OPS.end);
    this.#putAway(results.slice(1));
    return true;
  }

  #if(type: ValueType): boolean {
    const params = this.#someTypes(2);
    const results = [type, ...this.#someTypes(1)];
    this.#values([...params, V.i32]);
    this.#code.byte(OPS.if);
    this.#blockType(params, results);
    for (const half of [OPS.else, OPS.end]) {
      this.#under(results, () => {
        this.#putAway(params);
        this.#inside(results);
      });
      this.#code.byte(half);
    }
    this.#putAway(results.slice(1));
    return true;
  }

  /** With values, among all labels that take such. */
  #brTable(type: ValueType): boolean {
    const types = [type, ...this.#someTypes(1)];
    const nested = 1 + this.#random.below(3);
    for (let i = 0; i < nested; i++) {
      this.#code.byte(OPS.block);
      this.#blockType([], types);
      this.#labels.push({ types, caught: false });
    }
    const targets = this.#targets(types);
    this.#values([...types, V.i32]);
    const list = Array.from({ length: this.#random.below(6) }, () => this.#random.pick(targets));
    this.#code.byte(OPS.brTable).list(list, (label) => this.#code.u(label));
    this.#code.u(this.#random.pick(targets));
    this.#junk();
    for (let i = 0; i < nested; i++) {
      this.#labels.pop();
      this.#code.byte(OPS.end);
      if (i < nested - 1) {
        this.#putAway(types);
        this.#values(types);
      }
    }
    this.#putAway(types.slice(1));
    return true;
  }

  /** Labels that take such values, by their distance. */
  #targets(types: readonly ValueType[]): number[] {
    const last = this.#labels.length - 1;
    return this.#places(this.#labels, (label) => sameList(label.types, types)).map((index) => last - index);
  }

  #deep(type: ValueType): boolean {
    for (let i = 0; i < DEEP; i++) {
      this.#code.byte(OPS.block, type);
      this.#labels.push({ types: [type], caught: false });
    }
    this.#value(type);
    for (let i = 0; i < DEEP; i++) {
      this.#labels.pop();
      if (this.#random.once(10)) {
        this.#leaf(V.i32);
        this.#code.byte(OPS.brIf).u(this.#random.below(DEEP - i));
      }
      this.#code.byte(OPS.end);
    }
    return true;
  }

  // ---- exceptions

  #guarded(type: ValueType): boolean {
    const { exceptions } = this.#world.features;
    if (exceptions === 'legacy') return this.#legacyTry(type);
    return exceptions === 'exnref' && this.#tryTable(type);
  }

  #legacyTry(type: ValueType): boolean {
    this.#code.byte(OPS.try, type);
    this.#under([type], () => this.#throwing(type));
    if (this.#random.once(5)) {
      this.#code.byte(OPS.delegate).u(this.#random.below(this.#labels.length));
      return true;
    }
    for (const [tag, index] of this.#world.tags.entries()) {
      if (this.#random.once(3)) continue;
      this.#code.byte(OPS.catch).u(tag);
      const { params } = this.#world.types[index] as FunctionType;
      this.#under([type], () => this.#caught(params, type), true);
    }
    if (this.#random.once(2)) {
      this.#code.byte(OPS.catchAll);
      this.#under([type], () => this.#caught([], type), true);
    }
    this.#code.byte(OPS.end);
    return true;
  }

  /** Statements that may throw, then the value. */
  #throwing(type: ValueType): void {
    this.#statements(1);
    if (this.#random.once(2)) {
      this.#value(V.i32);
      this.#code.byte(OPS.if, EMPTY);
      this.#under([], () => this.#throw());
      this.#code.byte(OPS.end);
    }
    this.#value(type);
  }

  #caught(params: readonly ValueType[], type: ValueType): void {
    this.#putAway(params);
    this.#statements(this.#random.below(2));
    const places = this.#places(this.#labels, ({ caught }) => caught);
    if (places.length > 0 && this.#random.once(4)) {
      this.#code.byte(OPS.rethrow).u(this.#labels.length - 1 - this.#random.pick(places));
      this.#junk();
    } else this.#value(type);
  }

  /** Catches one tag with its reference, and throws it again or drops it. */
  #tryTable(type: ValueType): boolean {
    const tag = this.#random.below(this.#world.tags.length);
    const { params } = this.#world.types[this.#world.tags[tag] as number] as FunctionType;
    const withReference = this.#random.once(2);
    const taken = [...params, ...(withReference ? [V.exnref] : [])];
    this.#code.byte(OPS.block, type);
    this.#labels.push({ types: [type], caught: false });
    this.#code.byte(OPS.block);
    this.#blockType([], taken);
    this.#labels.push({ types: taken, caught: false });
    this.#code
      .byte(OPS.tryTable, type, 1, withReference ? 1 : 0)
      .u(tag)
      .u(0);
    this.#under([type], () => this.#throwing(type));
    this.#code.byte(OPS.end, OPS.br).u(1);
    this.#labels.pop();
    this.#code.byte(OPS.end);
    if (withReference && this.#random.once(2)) {
      this.#code.byte(OPS.throwRef);
      this.#junk();
    } else {
      if (withReference) this.#drop(1);
      this.#putAway(params);
      this.#value(type);
    }
    this.#labels.pop();
    this.#code.byte(OPS.end);
    return true;
  }

  #throw(): void {
    const tag = this.#random.below(this.#world.tags.length);
    this.#values((this.#world.types[this.#world.tags[tag] as number] as FunctionType).params);
    this.#code.byte(OPS.throw).u(tag);
  }

  // ---- leaving, and what follows it

  /** Code after which nothing is reached. */
  #leave(): void {
    const { tailCall, exceptions } = this.#world.features;
    const choice = this.#random.below(5);
    if (choice === 0) this.#code.byte(OPS.unreachable);
    else if (choice === 1 && exceptions !== 'none') this.#throw();
    else if (choice === 3) this.#branch();
    else if (choice !== 2 || !tailCall || !this.#tailCall()) {
      this.#values(this.#type.results);
      this.#code.byte(OPS.return);
    }
    this.#junk();
  }

  /** To a label that takes no more than a few values, and is no loop that might turn for nothing. */
  #branch(): void {
    const label = this.#random.below(this.#labels.length);
    this.#values((this.#labels[this.#labels.length - 1 - label] as Label).types);
    this.#code.byte(OPS.br).u(label);
  }

  #tailCall(): boolean {
    const { functions, types } = this.#world;
    const fits = (index: number) => sameList(types[index]?.results ?? [], this.#type.results);
    const places = this.#places(functions, fits);
    if (places.length === 0) return false;
    const callee = this.#random.pick(places);
    const type = functions[callee] as number;
    this.#values((types[type] as FunctionType).params);
    if (this.#random.once(2)) this.#code.byte(OPS.returnCall).u(callee);
    else {
      this.#tableIndex();
      this.#code.byte(OPS.returnCallIndirect).u(type).u(this.#functionTable());
    }
    return true;
  }

  /** Never run: operands come from nowhere (core specification, appendix 7.3: polymorphic stacks). */
  #junk(): void {
    for (let count = this.#random.below(4); count > 0; count--) {
      const choice = this.#random.below(6);
      if (choice === 0) this.#code.byte(0x6a, OPS.drop);
      else if (choice === 1) this.#code.byte(OPS.select, OPS.drop);
      else if (choice === 2) this.#code.byte(OPS.drop, OPS.drop);
      else if (choice === 3) this.#code.byte(0xa7, 0xb7, OPS.drop);
      else if (choice === 4) this.#code.byte(OPS.localSet).u(this.#random.below(this.#locals.length));
      else this.#code.byte(OPS.block, EMPTY, OPS.br).u(0).byte(0x1a, OPS.end);
    }
  }

  // ---- statements

  #statements(count: number): void {
    for (let i = 0; i < count; i++) this.#statement();
  }

  #statement(): void {
    this.#left--;
    if (this.#left <= 0) return;
    const type = this.#random.pick(this.#world.values);
    const choice = this.#random.below(12);
    if (choice < 3) this.#operator(undefined);
    else if (choice === 3) this.#set(type);
    else if (choice === 4) this.#bulk();
    else if (choice === 5) this.#tableBulk();
    else if (choice === 6) this.#maybeLeave();
    else if (choice === 7) this.#brIf();
    else if (choice === 8) this.#note();
    else if (choice === 9) this.#setGlobal();
    else {
      this.#value(type);
      this.#drop(1);
    }
  }

  #set(type: ValueType): void {
    this.#value(type);
    this.#putAway([type]);
  }

  #setGlobal(): void {
    const { globals, fuel } = this.#world;
    const places = this.#places(globals, ({ mutable }) => mutable).filter((place) => place !== fuel);
    if (places.length === 0) return;
    const place = this.#random.pick(places);
    this.#value((globals[place] as { type: ValueType }).type);
    this.#code.byte(OPS.globalSet).u(place);
  }

  #maybeLeave(): void {
    this.#value(V.i32);
    this.#code.byte(OPS.if, EMPTY);
    this.#under([], () => this.#leave());
    this.#code.byte(OPS.end);
  }

  #brIf(): void {
    const label = this.#random.below(this.#labels.length);
    const { types } = this.#labels[this.#labels.length - 1 - label] as Label;
    this.#values([...types, V.i32]);
    this.#code.byte(OPS.brIf).u(label);
    this.#putAway(types);
  }

  /** Tells JavaScript. */
  #note(): void {
    const callee = this.#random.below(this.#world.importedFunctions);
    const { params, results } = this.#world.types[this.#world.functions[callee] as number] as FunctionType;
    this.#values(params);
    this.#code.byte(OPS.call).u(callee);
    this.#putAway(results);
  }

  /** A size: small, to the end of a page, or far too large. */
  #size(is64: boolean): void {
    const size = this.#random.pick([0, 0, 1, 7, 16, 100, 65535, 65536, 65537, 131072, -1]);
    this.#code.byte(is64 ? 0x42 : 0x41).s(size);
  }

  #bulk(): void {
    const { memories, data } = this.#world;
    const [to, from] = [this.#random.below(memories.length), this.#random.below(memories.length)];
    const is64 = (index: number) => memories[index]?.is64 === true;
    const segment = this.#random.below(data.length);
    const choice = this.#random.below(4);
    if (choice === 3) {
      this.#code.byte(0xfc, 9).u(segment);
      return;
    }
    this.#address(is64(to));
    if (choice === 0) {
      this.#value(V.i32);
      this.#size(is64(to));
      this.#code.byte(0xfc, 11).u(to);
    } else if (choice === 1) {
      this.#address(is64(from));
      this.#size(is64(to) && is64(from));
      this.#code.byte(0xfc, 10).u(to).u(from);
    } else {
      this.#tableIndex();
      this.#size(false);
      this.#code.byte(0xfc, 8).u(segment).u(to);
    }
  }

  #tableBulk(): void {
    const { tables, elements } = this.#world;
    const table = this.#random.below(tables.length);
    const { element } = tables[table] as { element: ValueType };
    const choice = this.#random.below(5);
    const small = () => this.#code.byte(0x41).s(this.#random.pick([0, 1, 2, 5, 12, -1]));
    if (choice === 0) {
      this.#tableIndex();
      this.#value(element);
      this.#code.byte(OPS.tableSet).u(table);
    } else if (choice === 1) {
      this.#tableIndex();
      this.#value(element);
      small();
      this.#code.byte(0xfc, 17).u(table);
    } else if (choice === 2) {
      const from = this.#random.pick(this.#places(tables, (other) => other.element === element));
      this.#tableIndex();
      this.#tableIndex();
      small();
      this.#code.byte(0xfc, 14).u(table).u(from);
    } else {
      // The first segment is the declarative one.
      const segment = this.#random.below(elements.length + 1);
      if (choice === 3) this.#code.byte(0xfc, 13).u(segment);
      else {
        this.#tableIndex();
        this.#tableIndex();
        small();
        this.#code.byte(0xfc, 12).u(segment).u(this.#functionTable());
      }
    }
  }
}

const sameList = (a: readonly ValueType[], b: readonly ValueType[]): boolean =>
  a.length === b.length && a.every((type, index) => type === b[index]);
