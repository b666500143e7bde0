// C units out of function bodies: each with what it needs declared and nothing else, so that they are compiled by
// themselves and in parallel.
import { type EmittedFunction, emitBody, type Facts, pointerNames } from './body/index.ts';
import type { Layout } from './layout.ts';
import type { FunctionType, Module } from './module.ts';
import {
  enterThunk,
  leaveThunk,
  parameterList,
  readSlot,
  resultType,
  returnsInSlots,
  signatureName,
} from './signature.ts';

export interface Unit {
  name: string;
  text: string;
}

export interface Bodies {
  functions: EmittedFunction[];
  facts: Facts;
}

/** About as much C as a compiler takes a few seconds for. */
const UNIT_CHARACTERS = 400_000;

function noFacts(): Facts {
  return { exceptions: false, tailCallers: new Set(), rethrowers: new Set() };
}

function emitAll(module: Module, facts: Facts, found: Facts): EmittedFunction[] {
  const first = module.imported.functions;
  return module.bodies.map((_, own) => emitBody(module, first + own, facts, found));
}

/** Most modules are read once. Those with exceptions or tail calls are read again, when all of them are known. */
export function emitBodies(module: Module): Bodies {
  const found = noFacts();
  const functions = emitAll(module, noFacts(), found);
  if (!found.exceptions && found.tailCallers.size === 0) return { functions, facts: found };
  return { functions: emitAll(module, found, noFacts()), facts: found };
}

export class UnitWriter {
  private readonly module: Module;
  private readonly bodies: Bodies;
  private readonly opening: string;
  private readonly prefix: string;

  constructor(module: Module, bodies: Bodies, layout: Layout, prefix: string) {
    this.module = module;
    this.bodies = bodies;
    this.prefix = prefix;
    const vectors =
      bodies.functions.some(({ usesVectors }) => usesVectors) ||
      layout.text.includes('v128') ||
      module.types.some((type) => signatureName(type).includes('v'));
    this.opening = `#include "code.h"\n${vectors ? '#include "simd.h"\n' : ''}${layout.text}`;
  }

  private typeOf(index: number): FunctionType {
    const { typeIndex } = this.module.functions[index] as { typeIndex: number };
    return this.module.types[typeIndex] as FunctionType;
  }

  private prototype(name: string, type: FunctionType): string {
    return `${resultType(type)} ${name}(${parameterList('instance *in', type, (i) => `p${i}`)})`;
  }

  /** All names of a function that other functions may use. */
  private declarations(index: number): string {
    const type = this.typeOf(index);
    const names = new Set([`c${index}`]);
    if (this.bodies.facts.tailCallers.has(index)) names.add(`n${index}`);
    const { code, tail } = pointerNames(index, this.bodies.facts);
    names.add(code);
    if (tail !== null) names.add(tail);
    return [...names].map((name) => `${this.prototype(name, type)};\n`).join('');
  }

  /** The loop that makes tail calls, and what turns a pending exception into unwinding. */
  private wrappers(index: number): string {
    const type = this.typeOf(index);
    const { exceptions, tailCallers } = this.bodies.facts;
    const args = ['in', ...type.params.map((_, i) => `p${i}`)].join(', ');
    let text = '';
    if (tailCallers.has(index)) text += this.tailLoop(index, type, args);
    if (exceptions) {
      text += this.throwing(`x${index}`, `c${index}`, type, args);
      if (tailCallers.has(index)) text += this.throwing(`o${index}`, `n${index}`, type, args);
    }
    return text;
  }

  private call(name: string, type: FunctionType, args: string): { call: string; back: string } {
    const result = resultType(type);
    return result === 'void'
      ? { call: `${name}(${args});`, back: 'return;' }
      : { call: `${result} r = ${name}(${args});`, back: 'return r;' };
  }

  private tailLoop(index: number, type: FunctionType, args: string): string {
    const { call, back } = this.call(`n${index}`, type, args);
    const next = this.bodies.facts.exceptions
      ? 'rt->call_catching(rt, enter, rt->tail.code, rt->tail.instance);'
      : 'enter(rt->tail.code, rt->tail.instance, rt->slots);';
    const [first] = type.results;
    const result =
      first === undefined || returnsInSlots(type) ? 'return;' : `return ${readSlot('rt->slots', 0, first)};`;
    return `${this.prototype(`c${index}`, type)} {
struct wasm_runtime *const rt = in->h.runtime;
${call}
if (LIKELY(!rt->tail.enter)) ${back}
do { wasm_enter enter = rt->tail.enter; rt->tail.enter = 0; for (u64 i = 0; i < rt->tail.words; i++) rt->slots[i] = rt->slots[WASM_TAIL + i]; ${next} } while (rt->tail.enter);
${result}
}
`;
  }

  private throwing(name: string, inner: string, type: FunctionType, args: string): string {
    const { call, back } = this.call(inner, type, args);
    return `${this.prototype(name, type)} {
${call}
if (UNLIKELY(in->h.runtime->thrown)) in->h.runtime->unwind(in->h.runtime);
${back}
}
`;
  }

  private unit(number: number, from: number, to: number): Unit {
    const first = this.module.imported.functions;
    const used = new Set<number>();
    const enters = new Set<number>();
    let text = '';
    for (let own = from; own < to; own++) {
      const emitted = this.bodies.functions[own] as EmittedFunction;
      used.add(first + own);
      for (const index of emitted.functions) used.add(index);
      for (const typeIndex of emitted.enters) enters.add(typeIndex);
      text += emitted.text + this.wrappers(first + own);
    }
    const thunks = new Set(
      [...enters].map((index) => signatureName(this.module.types[index] as FunctionType)),
    );
    const prototypes = [
      ...[...thunks].map((name) => `void enter_${name}(wasm_code code, void *in, u64 *s);\n`),
      ...[...used].filter((index) => index >= first).map((index) => this.declarations(index)),
    ].join('');
    return { name: `${this.prefix}functions${number}.c`, text: `${this.opening}${prototypes}${text}` };
  }

  functionUnits(): Unit[] {
    const units: Unit[] = [];
    const { functions } = this.bodies;
    let from = 0;
    let characters = 0;
    functions.forEach(({ text }, own) => {
      characters += text.length;
      if (characters < UNIT_CHARACTERS && own + 1 < functions.length) return;
      units.push(this.unit(units.length, from, own + 1));
      from = own + 1;
      characters = 0;
    });
    return units;
  }

  /** One enter and one leave thunk for each type that is called through pointers or from JavaScript. */
  thunkUnit(typeIndices: Iterable<number>): Unit {
    const seen = new Set<string>();
    let text = this.opening;
    for (const index of typeIndices) {
      const type = this.module.types[index] as FunctionType;
      const name = signatureName(type);
      if (seen.has(name)) continue;
      seen.add(name);
      text += enterThunk(`enter_${name}`, type) + leaveThunk(`leave_${name}`, type);
    }
    return { name: `${this.prefix}thunks.c`, text };
  }
}
