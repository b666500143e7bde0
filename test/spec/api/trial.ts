// What the scripts of the JavaScript interface are given, and how what they see becomes text. A script says nothing of
// what is right: it is run with V8's namespace and with another, and the two texts must be one.

/** Property names that scripts use of values whose type is what is being tried. */
type Word =
  | `${'f' | 'g' | 'h'}${'' | '1' | '2' | '3'}`
  | `${'i32' | 'i64' | 'f32' | 'f64' | 'any' | 'func' | 'v128'}${'' | '_mut'}`
  | 'Module'
  | 'Instance'
  | 'Memory'
  | 'Table'
  | 'Global'
  | 'Tag'
  | 'Exception'
  | 'CompileError'
  | 'LinkError'
  | 'RuntimeError'
  | 'compile'
  | 'instantiate'
  | 'validate'
  | 'exports'
  | 'imports'
  | 'customSections'
  | 'prototype'
  | 'module'
  | 'instance'
  | 'memory'
  | 'table'
  | 'global'
  | 'tag'
  | 'value'
  | 'buffer'
  | 'byteLength'
  | 'length'
  | 'name'
  | 'grow'
  | 'get'
  | 'set'
  | 'is'
  | 'getArg'
  | 'call'
  | 'read'
  | 'write'
  | 'size'
  | 'many'
  | 'none'
  | 'run'
  | 'again'
  | 'add'
  | 'wait'
  | 'valueOf'
  | 'constructor';

/** A value of any kind: to be called, constructed and read; what it really is the namespace decides. */
export type Loose = ((...args: unknown[]) => Loose) &
  (new (
    ...args: unknown[]
  ) => Loose) & { [K in Word]: Loose };

export interface Trial {
  W: Loose;
  /** The binary of a module of the area. */
  bytes(name: string): Uint8Array<ArrayBuffer>;
  /** An instance of a module of the area. */
  start(name: string, imports?: object): Loose;
  /** Notes what the expression gives or throws; answers it, undefined where it threw. */
  see(label: string, expression: () => unknown): Loose;
  /** The same of a promise. */
  settled(label: string, expression: () => unknown): Promise<Loose>;
  /** Collects garbage, and lets finalizers run. */
  collect(): Promise<void>;
  /** Runs a task of worker.ts in a thread of its own, with the same namespace there; what it answers or rejects with. */
  inWorker(task: string, data: unknown): Promise<unknown>;
}

/** What the process of a script gives it. */
export type Surroundings = Pick<Trial, 'W' | 'bytes' | 'collect' | 'inWorker'>;

export interface Area {
  name: string;
  /** Text modules by name. */
  modules: Record<string, string>;
  scripts: Record<string, (trial: Trial) => void | Promise<void>>;
}

const errorClasses = ['CompileError', 'LinkError', 'RuntimeError', 'Exception'] as const;

function showError(error: Error, W: Loose): string {
  const own = errorClasses.find((name) => W[name] && error instanceof W[name]);
  const prefix = own ? `WebAssembly.${own}` : error.constructor.name;
  return `${prefix} ${JSON.stringify(error.message)}`;
}

/** The kind and the content of a value, without anything that differs from one run to the next. */
export function show(value: unknown, W: Loose, depth = 0): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'symbol') return value.toString();
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'function') return `function ${JSON.stringify(value.name)}/${value.length}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Error) return showError(value, W);
  if (depth > 3) return '…';
  if (Array.isArray(value)) return `[${value.map((item) => show(item, W, depth + 1)).join(', ')}]`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength})`;
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
    return `${tag}(${value.byteLength})`;
  const entries = Object.entries(value).map(([key, item]) => `${key}: ${show(item, W, depth + 1)}`);
  return `${tag} {${entries.join(', ')}}`;
}

export interface Sight {
  /** Of its own in a script. */
  label: string;
  text: string;
}

/** One script: what it saw, in order. */
export async function runScript(
  script: Area['scripts'][string],
  surroundings: Surroundings,
): Promise<Sight[]> {
  const { W, bytes } = surroundings;
  const sights: Sight[] = [];
  const times = new Map<string, number>();
  const note = (label: string, text: string) => {
    const time = (times.get(label) ?? 0) + 1;
    times.set(label, time);
    sights.push({ label: time === 1 ? label : `${label} (${time})`, text });
  };
  const threw = (label: string, error: unknown) => {
    note(label, `throws ${show(error, W)}`);
    return undefined as unknown as Loose;
  };
  const gave = (label: string, value: unknown) => {
    note(label, show(value, W));
    return value as Loose;
  };
  const trial: Trial = {
    ...surroundings,
    start: (name, imports) => new W.Instance(new W.Module(bytes(name)), imports),
    see(label, expression) {
      try {
        return gave(label, expression());
      } catch (error) {
        return threw(label, error);
      }
    },
    async settled(label, expression) {
      try {
        const promise = expression();
        note(`${label} at once`, promise instanceof Promise ? 'a promise' : show(promise, W));
        return gave(label, await promise);
      } catch (error) {
        return threw(label, error);
      }
    },
  };
  try {
    await script(trial);
  } catch (error) {
    threw('the script', error);
  }
  return sights;
}
