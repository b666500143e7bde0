// A table: of JavaScript's at first where a program made it, then of whom it is first linked to, compiled code or V8.
import { type Handle, wasm } from '../../loader/wasm.ts';
import { putValue, takeValue } from './function.ts';
import { functionAtSlot, typeOfFunction } from './function-reference.ts';
import { asV8Function } from './link-check.ts';
import type { TableType } from './shape.ts';
import * as Type from './shape.ts';
import { V8 } from './v8.ts';

/** What V8 has of a table. */
export interface V8Table {
  readonly length: number;
  get(index: unknown): unknown;
  set(index: unknown, value?: unknown): void;
  grow(count: unknown, value?: unknown): number;
}

const elementName = (element: Type.ValueType): string => (element === Type.FUNCREF ? 'anyfunc' : 'externref');

const NO_MAXIMUM = 2 ** 32 - 1;

export class TableState {
  readonly type: TableType;
  /** Compiled code uses it: it cannot become V8's any more. */
  linked = false;
  private place: number | null;
  private elements: unknown[] = [];
  private twin: V8Table | undefined;
  /** Keeps the place good, and everything that elements may refer to. */
  readonly keeps = new Set<object>();

  /** Without a place, it is JavaScript's. */
  constructor(place: number | null, type: TableType, owner: object | null) {
    this.place = place;
    this.type = type;
    if (owner !== null) this.keeps.add(owner);
  }

  /** Where compiled code has it; from now on, if it did not. */
  get address(): number {
    return this.place ?? this.settle();
  }

  private settle(): number {
    const made: [Handle, number] = wasm.wasmTable(this.functions, 0, this.type.max ?? NO_MAXIMUM);
    const { elements } = this;
    this.keeps.add(made[0]);
    this.place = made[1];
    this.elements = [];
    this.grow(elements.length, null);
    elements.forEach((value, index) => {
      if (value !== null) this.set(index, value);
    });
    return this.place;
  }

  get functions(): boolean {
    return this.type.element === Type.FUNCREF;
  }
  get isV8(): boolean {
    return this.twin !== undefined;
  }

  /** A table of V8's of the same type and size, without the elements. */
  replica(): V8Table {
    const { element, max } = this.type;
    const descriptor = { element: elementName(element), initial: this.size };
    return new V8.Table(max === undefined ? descriptor : { ...descriptor, maximum: max }) as V8Table;
  }

  /** Hands the table over to V8. Null where compiled code has it. */
  toV8(): object | null {
    if (this.twin !== undefined) return this.twin;
    if (this.linked) return null;
    const twin = this.replica();
    for (let index = 0; index < twin.length; index++) twin.set(index, this.toV8Value(this.get(index)));
    this.twin = twin;
    this.elements = [];
    return twin;
  }

  /** Functions of compiled code are no functions of V8: one that calls them stands for them there. */
  private toV8Value(value: unknown): unknown {
    const type = this.functions && value !== null ? typeOfFunction(value as object) : undefined;
    return type === undefined ? value : asV8Function(type, value);
  }

  get size(): number {
    if (this.twin !== undefined) return this.twin.length;
    return this.place === null ? this.elements.length : wasm.wasmTableSize(this.place);
  }

  get(index: number): unknown {
    if (this.twin !== undefined) return this.twin.get(index);
    if (this.place === null) return this.elements[index];
    wasm.wasmTableGet(this.place, this.functions, index);
    return takeValue(this.type.element, 0, functionAtSlot);
  }

  set(index: number, value: unknown): void {
    if (this.twin !== undefined) this.twin.set(index, this.toV8Value(value));
    else if (this.place === null) this.elements[index] = value;
    else {
      putValue(this.type.element, 0, value);
      wasm.wasmTableSet(this.place, this.functions, index);
      this.keep(value);
    }
  }

  /** The old size, or -1. */
  grow(count: number, value: unknown): number {
    if (this.twin !== undefined) return this.growTwin(this.twin, count, value);
    if (this.place === null) return this.growHere(count, value);
    putValue(this.type.element, 0, value);
    const old = wasm.wasmTableGrow(this.place, this.functions, count);
    if (old >= 0) this.keep(value);
    return old;
  }

  private growHere(count: number, value: unknown): number {
    const { elements } = this;
    const old = elements.length;
    for (let i = 0; i < count; i++) elements.push(value);
    return old;
  }

  private growTwin(twin: V8Table, count: number, value: unknown): number {
    try {
      return twin.grow(count, this.toV8Value(value));
    } catch {
      return -1;
    }
  }

  private keep(value: unknown): void {
    if (this.functions && typeof value === 'function') this.keeps.add(value);
  }
}
