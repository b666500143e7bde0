// Imports are read once, in the order of Module.imports (JS API: read the imports); whoever links afterwards is shown
// what was read.
import { isObject } from './face.ts';
import type { ImportEntry } from './shape.ts';

/** A value as another engine is to see it. */
export type Twin = (value: unknown, module: PropertyKey, name: PropertyKey) => unknown;

interface Read {
  group: unknown;
  value: unknown;
}

/** The first import that cannot be read: there is no object to read it from. */
export class Unreadable extends Error {}

export class ImportReads {
  private readonly imports: unknown;
  private readonly reads: Read[] = [];
  readonly values: unknown[] = [];

  /** @throws what getters throw; Unreadable after which replay() shows why */
  constructor(imports: unknown) {
    this.imports = imports;
  }

  read(entries: readonly ImportEntry[]): unknown[] {
    if (entries.length === 0) return this.values;
    if (!isObject(this.imports)) throw new Unreadable('no import object');
    const { imports, reads, values } = this;
    for (const { module, name } of entries) {
      const group: unknown = (imports as Record<string, unknown>)[module];
      const read: Read = { group, value: undefined };
      reads.push(read);
      if (!isObject(group)) throw new Unreadable(`"${module}" is no object`);
      read.value = (group as Record<string, unknown>)[name];
      values.push(read.value);
    }
    return values;
  }

  /** An import object that gives what was read, in that order, to one more reader. */
  replay(twin: Twin): unknown {
    if (!isObject(this.imports)) return this.imports;
    let next = 0;
    return reader((module) => {
      const read = this.reads[next++];
      if (!isObject(read?.group)) return read?.group;
      return reader((name) => twin(read.value, module, name));
    });
  }
}

const reader = (get: (key: PropertyKey) => unknown): object => new Proxy({}, { get: (_, key) => get(key) });

/** An import object that another engine reads the program's through. */
export function readThrough(imports: unknown, twin: Twin): unknown {
  if (!isObject(imports)) return imports;
  return reader((module) => {
    const group: unknown = Reflect.get(imports, module);
    return isObject(group) ? reader((name) => twin(Reflect.get(group, name), module, name)) : group;
  });
}
