// WebAssembly.Table over a table of compiled code (JS API 5.5). What is not plain V8 converts and judges, on a table of
// its own of the same type and size: so the words are this Node's.
import { faceOf, marking, prototypeFor } from './face.ts';
import { mirrorClass } from './mirror.ts';
import * as Type from './shape.ts';
import { standIn } from './stand-in.ts';
import { TableState, type V8Table } from './table-state.ts';
import { V8 } from './v8.ts';
import { witnessed, witnessedDescriptor } from './witness.ts';

export { TableState } from './table-state.ts';

const ELEMENTS: Record<string, Type.ValueType | undefined> = {
  anyfunc: Type.FUNCREF,
  funcref: Type.FUNCREF,
  externref: Type.EXTERNREF,
};

const marks = marking<TableState>();
const faces = new WeakMap<TableState, object>();

export const tableState = (value: unknown): TableState | undefined => marks.of(value);

function adopt(face: object, state: TableState): object {
  marks.put(face, state);
  faces.set(state, face);
  return face;
}

/** The one Table for a state. */
export const tableFor = (state: TableState): object =>
  faces.get(state) ?? adopt(faceOf(Table.prototype), state);

const v8 = V8.Table as unknown as { prototype: V8Table } & (new (...args: unknown[]) => V8Table);
const v8Length = Object.getOwnPropertyDescriptor(v8.prototype, 'length')?.get as () => number;

/** What V8 makes of an initial value: the program's own where that is a function of compiled code. */
const judged = (stood: unknown, value: unknown): unknown => (typeof stood === 'function' ? value : stood);

function construct(args: unknown[], prototype: object): object {
  const { face, seen } = witnessedDescriptor(args[0]);
  const rest = args.slice(1);
  const made = new v8(...(args.length > 0 ? [face] : []), ...rest.map(standIn));
  const element = ELEMENTS[String(seen.element)];
  // Of a kind that compiled code does not know: V8's.
  if (element === undefined || typeof seen.initial === 'bigint')
    return Object.setPrototypeOf(made, prototype);
  const max = seen.maximum === undefined ? undefined : Math.trunc(Number(seen.maximum));
  const type = { element, min: made.length, max, shared: false, is64: false };
  const state = new TableState(null, type, null);
  if (made.length > 0) state.grow(made.length, judged(made.get(0), rest[0]));
  return adopt(faceOf(prototype), state);
}

// A declaration, because V8 names it in its errors.
function Table(...args: unknown[]): object {
  if (new.target === undefined) return (V8.Table as unknown as (...args: unknown[]) => object)(...args);
  return construct(args, prototypeFor(new.target, Table));
}

const asClass = Table as unknown as { prototype: object } & (new (...args: unknown[]) => object);

export { asClass as Table };

const isIndex = (index: unknown, end: number): index is number =>
  typeof index === 'number' && index >= 0 && index < end && Number.isInteger(index);

/** A number that V8 takes as an index or a count, the program's conversion run once; what V8 says goes into `ask`. */
function asked(value: unknown, ask: (index: unknown) => void): number {
  let primitive: unknown;
  ask(
    witnessed(value, 'number', (found) => {
      primitive = found;
    }),
  );
  return Math.trunc(Number(primitive));
}

/** Whether a value needs no conversion and no judgement of V8's. */
function isPlain(state: TableState, values: unknown[]): boolean {
  if (values.length === 0) return false;
  if (!state.functions) return values[0] !== undefined;
  return values[0] === null || standIn(values[0]) !== values[0];
}

/** Below every limit of V8's. */
const SMALL = 1_000_000;

function growPlainly(state: TableState, args: unknown[]): number {
  const end = Math.min(state.type.max ?? SMALL, SMALL) - state.size;
  const [count, ...rest] = args;
  if (!isIndex(count, end + 1) || !isPlain(state, rest)) return -1;
  return state.grow(count, rest[0]);
}

mirrorClass(Table, V8.Table, {
  prototype: {
    get length() {
      return tableState(this)?.size ?? Reflect.apply(v8Length, this, []);
    },

    get(...args: unknown[]) {
      const state = tableState(this);
      if (state === undefined) return Reflect.apply(v8.prototype.get, this, args);
      if (isIndex(args[0], state.size)) return state.get(args[0]);
      const at = asked(args[0], (index) => state.replica().get(index));
      return state.get(at);
    },

    set(...args: unknown[]) {
      const state = tableState(this);
      if (state === undefined) return Reflect.apply(v8.prototype.set, this, args);
      const rest = args.slice(1);
      if (isIndex(args[0], state.size) && isPlain(state, rest)) return state.set(args[0], rest[0]);
      const replica = state.replica();
      const at = asked(args[0], (index) => {
        Reflect.apply(replica.set, replica, args.length > 0 ? [index, ...rest.map(standIn)] : []);
      });
      state.set(at, judged(replica.get(at), rest[0]));
    },

    grow(...args: unknown[]) {
      const state = tableState(this);
      if (state === undefined) return Reflect.apply(v8.prototype.grow, this, args);
      const plainly = growPlainly(state, args);
      if (plainly >= 0) return plainly;
      const rest = args.slice(1);
      const replica = state.replica();
      const count = asked(args[0], (index) => {
        Reflect.apply(replica.grow, replica, args.length > 0 ? [index, ...rest.map(standIn)] : []);
      });
      const value = count > 0 ? judged(replica.get(replica.length - 1), rest[0]) : null;
      const old = state.grow(count, value);
      if (old < 0) throw new RangeError(`WebAssembly.Table.grow(): failed to grow table by ${count}`);
      return old;
    },
  },
  has: (value) => tableState(value) !== undefined || value instanceof V8.Table,
});
