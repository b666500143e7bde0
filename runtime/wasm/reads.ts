// Imports are read once, in the order of Module.imports (JS API: read the imports); whoever links afterwards is shown
// what was read.
import { type Accelerator, engaged } from './accelerator.ts';
import { isObject } from './face.ts';
import type { CompiledImage } from './image.ts';
import type { Shape } from './shape.ts';

/** A value as another engine is to see it. */
export type Twin = (value: unknown, module: PropertyKey, name: PropertyKey) => unknown;

/** The first import that cannot be read: there is no object to read it from. */
export class Unreadable extends Error {}

export class ImportReads {
  private readonly imports: unknown;
  private groups: unknown[] = [];
  values: unknown[] = [];
  /**
   * Position, and index among those of its kind, of each import that may be more than a function of a script. All of
   * them, where no accelerator tells.
   */
  special: number[] = [];

  /** @throws what getters throw; Unreadable after which replay() shows why */
  constructor(imports: unknown) {
    this.imports = imports;
  }

  read(image: CompiledImage): void {
    const { accelerator } = engaged;
    if (accelerator === null) this.readAll(image.shape);
    else if (this.readFast(accelerator, image.address))
      throw new Unreadable('no object to read imports from');
  }

  private readFast({ readImports }: Accelerator, image: number): boolean {
    const read = readImports(image, this.imports);
    this.groups = read[0];
    this.values = read[1];
    this.special = read[2];
    return read[3];
  }

  private readAll(shape: Shape): void {
    if (shape.imports.length === 0) return;
    if (!isObject(this.imports)) throw new Unreadable('no import object');
    const { imports, groups, values, special } = this;
    const counts = new Map<string, number>();
    for (const { module, name, kind } of shape.imports) {
      const group: unknown = (imports as Record<string, unknown>)[module];
      groups.push(group);
      if (!isObject(group)) throw new Unreadable(`"${module}" is no object`);
      const index = counts.get(kind) ?? 0;
      counts.set(kind, index + 1);
      special.push(values.length, index);
      values.push((group as Record<string, unknown>)[name]);
    }
  }

  /** An import object that gives what was read, in that order, to one more reader. */
  replay(twin: Twin): unknown {
    if (!isObject(this.imports)) return this.imports;
    let next = 0;
    return reader((module) => {
      const at = next++;
      const group = this.groups[at];
      if (!isObject(group)) return group;
      return reader((name) => twin(this.values[at], module, name));
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
