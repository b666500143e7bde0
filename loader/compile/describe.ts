// The binary description of a compiled module, as assembler: what native/wasm/description.h reads where it is mapped.
// References to code are distances, which the linker fills in: nothing is left to be relocated at load.
import { IMAGE_FORMAT } from '../images/layout.ts';
import { pointerNames } from './body/index.ts';
import { isPointerGlobal, type Layout } from './layout.ts';
import type { MemoryImage } from './memory-image.ts';
import type { DataSegment, ElementSegment, Expression, FunctionType, Limits, Module } from './module.ts';
import { functionNames } from './names.ts';
import { Places } from './places.ts';
import { moduleShape } from './shape.ts';
import { signatureName, typeKey } from './signature.ts';
import type { Bodies, Unit } from './units.ts';

const PAGE = 4096;

/** What the compiler may use, by its own word: cpu.h has the same bits. */
const CPU_FEATURES = `\t.set cpu_features, 0
${[
  'SSE4_1',
  'SSE4_2',
  'POPCNT',
  'AVX',
  'AVX2',
  'BMI',
  'BMI2',
  'FMA',
  'LZCNT',
  'F16C',
  'AVX512F',
  'AVX512VL',
  'AVX512BW',
  'AVX512DQ',
  'AVX512CD',
]
  .map(
    (name, bit) =>
      `#ifdef __${name}__\n\t.set cpu_features, cpu_features | 0x${(1 << bit).toString(16)}\n#endif`,
  )
  .join('\n')}`;
const NO_FUNCTION = 0xffff_ffff;
const NONE = 0xffff_ffff_ffff_ffffn;

export interface Described {
  sha256: Uint8Array;
  tier: 'quick' | 'best';
  machine: number;
}

interface Reference {
  function: number;
  typeIndex: number;
}

/** Functions of the module's own that a pointer may lead to, in order of first mention. */
export class References {
  readonly list: Reference[] = [];
  private readonly places = new Map<number, number>();
  private readonly module: Module;

  constructor(module: Module) {
    this.module = module;
    for (const { kind, index } of module.exports) if (kind === 'function') this.place(index);
    for (const segment of module.elements) this.segment(segment);
    for (const { init } of [...module.globals, ...module.tables])
      if (init !== undefined) this.expression(init);
    if (module.start !== undefined) this.place(module.start);
  }

  private segment({ elements }: ElementSegment): void {
    if ('functions' in elements) for (const index of elements.functions) this.place(index);
    else for (const expression of elements.expressions) this.expression(expression);
  }

  private expression({ start }: Expression): void {
    const index = referenced(this.module.bytes, start);
    if (index !== null) this.place(index);
  }

  /** Its place in the list, or the imported function's index inverted. */
  place(index: number): number {
    if (index < this.module.imported.functions) return ~index;
    let place = this.places.get(index);
    if (place === undefined) {
      place = this.list.length;
      this.places.set(index, place);
      this.list.push({
        function: index,
        typeIndex: (this.module.functions[index] as { typeIndex: number }).typeIndex,
      });
    }
    return place;
  }

  /** Types that are called from outside, or through pointers, or have a thunk of their own in the code. */
  typesWithThunks(bodies: Bodies): Set<number> {
    const types = new Set(this.list.map(({ typeIndex }) => typeIndex));
    const { module } = this;
    for (const item of module.imports) if (item.kind === 'function') types.add(item.typeIndex);
    for (const { functions, enters } of bodies.functions) {
      for (const index of enters) types.add(index);
      for (const index of functions) types.add((module.functions[index] as { typeIndex: number }).typeIndex);
    }
    return types;
  }
}

/** The function of a ref.func that an expression begins with. */
function referenced(bytes: Uint8Array, at: number): number | null {
  if (bytes[at] !== 0xd2) return null;
  let value = 0;
  let shift = 0;
  for (let i = at + 1; ; i++) {
    const byte = bytes[i] as number;
    value += (byte & 0x7f) * 2 ** shift;
    shift += 7;
    if (byte < 0x80) return value;
  }
}

class Describer {
  private readonly module: Module;
  private readonly layout: Layout;
  private readonly bodies: Bodies;
  private readonly refs: References;
  private readonly thunks: Set<number>;
  private readonly image: MemoryImage;
  private readonly out = new Places();

  constructor(
    module: Module,
    layout: Layout,
    bodies: Bodies,
    image: MemoryImage,
    refs: References,
    thunks: Set<number>,
  ) {
    this.module = module;
    this.layout = layout;
    this.bodies = bodies;
    this.refs = refs;
    this.thunks = thunks;
    this.image = image;
  }

  private expression(expression: Expression | undefined): void {
    if (expression === undefined) {
      this.out.u32(0, 0);
      return;
    }
    const bytes = this.rewritten(this.module.bytes.subarray(expression.start, expression.end));
    this.out.string(bytes);
    this.out.u32(bytes.length);
  }

  /** ref.func names a function; at load it is its place among the references that is wanted. */
  private rewritten(bytes: Uint8Array): Uint8Array {
    const index = referenced(bytes, 0);
    if (index === null) return bytes;
    const place = this.refs.place(index);
    const fixed = new Uint8Array(5);
    fixed[0] = 0xd2;
    new DataView(fixed.buffer).setInt32(1, place, true);
    return fixed;
  }

  private types(): void {
    const seen = new Set<string>();
    for (const index of this.thunks) seen.add(signatureName(this.module.types[index] as FunctionType));
    this.module.types.forEach((type) => {
      const name = signatureName(type);
      const has = seen.has(name);
      this.out.u64(typeKey(type) ?? 0n);
      this.out.distance(has ? `enter_${name}` : null);
      this.out.distance(has ? `leave_${name}` : null);
      this.out.u32(type.params.length, type.results.length);
      this.out.string(Uint8Array.from([...type.params, ...type.results]));
      this.out.u32(0);
    });
  }

  private references(): void {
    for (const { function: index, typeIndex } of this.refs.list) {
      const { code, tail } = pointerNames(index, this.bodies.facts);
      this.out.distance(code);
      this.out.distance(tail);
      this.out.u32(typeIndex, index);
    }
  }

  private limits({ min, max }: Limits): void {
    this.out.u64(BigInt(min));
    this.out.u64(max === undefined ? NONE : BigInt(max));
  }

  private tables(): void {
    this.module.tables.forEach(({ type, init }, index) => {
      this.out.u32(this.layout.tables[index] as number, type.element);
      this.limits(type);
      this.expression(init);
    });
  }

  private memories(): void {
    for (const memory of this.module.memories) {
      this.out.u32((memory.shared ? 1 : 0) | (memory.is64 ? 2 : 0) | (memory.max === undefined ? 0 : 4), 0);
      this.limits(memory);
    }
  }

  private globals(): void {
    this.module.globals.forEach(({ type, init }, index) => {
      const pointer = isPointerGlobal(this.module, index) ? 1 : 0;
      this.out.u32(this.layout.globals[index] as number);
      this.out.u32(type.type | ((type.mutable ? 1 : 0) << 8) | (pointer << 16));
      this.expression(init);
    });
  }

  private elements(): void {
    const modes = { active: 0, passive: 1, declarative: 2 };
    for (const { type, mode, elements } of this.module.elements) {
      const active = mode.kind === 'active' ? mode : null;
      this.out.u32(modes[mode.kind], type, active?.index ?? 0);
      if ('functions' in elements) {
        this.out.list(elements.functions.length, 4, () => {
          for (const index of elements.functions) this.out.u32(this.refs.place(index));
        });
        this.out.u32(0);
      } else {
        this.out.list(elements.expressions.length, 4, () => {
          for (const expression of elements.expressions) this.expression(expression);
        });
        this.out.u32(1);
      }
      this.expression(active?.offset);
    }
  }

  /** Those that are not in the memory image; what is in it is as good as dropped. */
  private keptData(): number[] {
    return this.module.data.flatMap((_, index) => (this.image.taken.has(index) ? [] : [index]));
  }

  private data(kept: number[]): void {
    for (const index of kept) {
      const { mode, bytes } = this.module.data[index] as DataSegment;
      const active = mode.kind === 'active' ? mode : null;
      const size = bytes.end - bytes.start;
      this.out.u32(active === null ? 1 : 0, active?.index ?? 0, size);
      this.out.distance(size === 0 ? null : `data${index}`);
      this.expression(active?.offset);
      this.out.u32(index, 0);
    }
  }

  private runs(): void {
    this.image.runs.forEach(({ memory, at, bytes }, index) => {
      this.out.u32(memory);
      this.out.distance(`run${index}`);
      this.out.u64(BigInt(at));
      this.out.u64(BigInt(bytes.length));
    });
  }

  private patches(): void {
    for (const { run, at, size } of this.image.patches) {
      this.out.u32(run, size);
      this.out.u64(BigInt(at));
    }
  }

  private start(): number {
    const { start } = this.module;
    if (start === undefined) return 0;
    const place = this.refs.place(start);
    return place < 0 ? place >>> 0 : place + 1;
  }

  private head(options: Described): void {
    const { out, layout, module, bodies } = this;
    out.raw(new TextEncoder().encode('insituwa'));
    out.u32(IMAGE_FORMAT, options.machine);
    out.symbol('cpu_features');
    out.u32(options.tier === 'quick' ? 1 : 2);
    out.raw(options.sha256);
    out.u64(BigInt(module.bytes.length));
    out.size();
    out.u32(bodies.facts.exceptions ? 1 : 0);
    out.u32(layout.size, layout.memories, layout.bases, layout.functions);
    out.u32(layout.tags, layout.ownTags, layout.longTypes, layout.dropped);
    const { functions, tables, memories, globals, tags } = module.imported;
    out.u32(functions, tables, memories, globals, tags, module.tags.length);
    out.u32(this.start(), 0);
  }

  text(options: Described): string {
    const { out, module } = this;
    const shape = moduleShape(module, (index) => this.refs.place(index));
    this.head(options);
    out.list(module.types.length, 8, () => this.types());
    out.list(this.refs.list.length, 8, () => this.references());
    out.list(module.tables.length, 8, () => this.tables());
    out.list(module.memories.length, 8, () => this.memories());
    out.list(module.globals.length, 8, () => this.globals());
    out.list(module.elements.length, 8, () => this.elements());
    const kept = this.keptData();
    out.list(kept.length, 8, () => this.data(kept));
    out.list(this.image.runs.length, 8, () => this.runs());
    out.list(this.layout.longTypeIndices.length, 4, () => out.words(this.layout.longTypeIndices));
    out.list(shape.words.length, 4, () => out.words(shape.words));
    out.list(shape.names.length, 1, () => out.raw(shape.names));
    this.behind();
    return out.assemble(CPU_FEATURES);
  }

  /** Every piece of code, and which function it is; thunks and wrappers are none. */
  private codeStarts(): { name: string; index: number }[] {
    const first = this.module.imported.functions;
    const starts: { name: string; index: number }[] = [];
    this.module.bodies.forEach((_, own) => {
      const index = first + own;
      const isTail = this.bodies.facts.tailCallers.has(index);
      starts.push({ name: `${isTail ? 'n' : 'c'}${index}`, index });
      const { code, tail } = pointerNames(index, this.bodies.facts);
      const others = new Set([`c${index}`, code, ...(tail === null ? [] : [tail])]);
      others.delete(isTail ? `n${index}` : `c${index}`);
      for (const name of others) starts.push({ name, index: NO_FUNCTION });
    });
    const names = new Set(
      [...this.thunks].map((index) => signatureName(this.module.types[index] as FunctionType)),
    );
    for (const name of names)
      starts.push(
        { name: `enter_${name}`, index: NO_FUNCTION },
        { name: `leave_${name}`, index: NO_FUNCTION },
      );
    return starts;
  }

  /** What is not read at load. */
  private behind(): void {
    const { out, module } = this;
    out.listBehind(this.image.patches.length, 8, () => this.patches());
    const starts = this.codeStarts();
    out.listBehind(starts.length, 4, () => {
      for (const { name, index } of starts) {
        out.distance(name);
        out.u32(index);
      }
    });
    const names = functionNames(module);
    out.listBehind(names.length, 1, () => out.raw(names));
    module.data.forEach(({ bytes }, index) => {
      if (!this.image.taken.has(index) && bytes.end > bytes.start)
        out.labelled(`data${index}`, 8, module.bytes.subarray(bytes.start, bytes.end));
    });
    this.image.runs.forEach(({ bytes }, index) => {
      out.labelled(`run${index}`, PAGE, bytes);
    });
  }
}

/** The assembler unit with note, description, data and memory image. */
export function describe(
  module: Module,
  layout: Layout,
  bodies: Bodies,
  image: MemoryImage,
  refs: References,
  thunks: Set<number>,
  options: Described,
): Unit {
  return {
    name: 'description.S',
    text: new Describer(module, layout, bodies, image, refs, thunks).text(options),
  };
}
