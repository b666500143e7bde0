// Runs a module on V8 or on insitu and writes down all that can be seen of it: same lines, same behaviour.
import { decode } from '../../../loader/compile/decode.ts';
import { type FunctionType, type Module, ValueType } from '../../../loader/compile/module.ts';
import { native } from '../../../loader/native.ts';
import { importsFor, type Namespace, type Stage } from './host.ts';
import { Random } from './random.ts';
import { argumentOf, references, show } from './values.ts';

const ROUNDS = 3;
/** Calls out of the module for each call into it. */
const CALLS = 200;

export interface Sight {
  lines: string[];
  /** Ran out of stack: how far it came is not the same everywhere. */
  exhausted: boolean;
}

/** Calls every exported function with values from the seed, and looks at everything exported after each call. */
export function run(W: Namespace, bytes: Uint8Array, seed: string): Sight {
  const sight: Sight = { lines: [], exhausted: false };
  const stage = stageFor(W, sight);
  let instance: { exports: Record<string, unknown> };
  try {
    const imports = importsFor(bytes, W, new Random(`${seed} imports`), stage);
    instance = new W.Instance(new W.Module(bytes), imports);
  } catch (error) {
    sight.lines.push(`instantiate: ${stage.describe(error)}`);
    return sight;
  }
  callAll(decode(bytes), instance.exports, new Random(`${seed} calls`), stage);
  return sight;
}

function callAll(module: Module, exports: Record<string, unknown>, random: Random, stage: Stage): void {
  const tags = module.exports
    .filter(({ kind }) => kind === 'tag')
    .map(({ name, index }): ExportedTag => {
      const type = module.types[module.tags[index]?.typeIndex ?? -1] as FunctionType;
      return { tag: exports[name], params: type.params };
    });
  const describe = stage.describe;
  stage.describe = (error) => describe(error) + payload(error, tags);
  const functions = module.exports.filter(({ kind }) => kind === 'function');
  for (const { name } of functions) stage.functions.push(exports[name] as () => unknown);
  const table = module.exports.find(({ kind }) => kind === 'table');
  stage.table = table === undefined ? undefined : (exports[table.name] as NonNullable<Stage['table']>);
  stage.note(`begins with ${state(module, exports)}`);
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, index } of functions) {
      const type = module.types[module.functions[index]?.typeIndex ?? -1] as FunctionType;
      const args = type.params.map((param) => argumentOf(param, random, stage.functions));
      stage.calls = CALLS;
      stage.note(`${name}(${args.map(show).join(', ')})`);
      stage.note(`= ${outcome(() => (exports[name] as (...args: unknown[]) => unknown)(...args), stage)}`);
      stage.note(state(module, exports));
    }
  }
}

function outcome(call: () => unknown, stage: Stage): string {
  try {
    return show(call());
  } catch (error) {
    return stage.describe(error);
  }
}

/** Memories by size and checksum, globals by value, tables by size and what is in them. */
function state(module: Module, exports: Record<string, unknown>): string {
  const parts: string[] = [];
  for (const { name, kind } of module.exports) {
    const value = exports[name];
    if (kind === 'memory') parts.push(`${name} ${contents(value as { buffer: ArrayBuffer })}`);
    else if (kind === 'global') parts.push(`${name} ${outcomeOf(() => (value as { value: unknown }).value)}`);
    else if (kind === 'table') parts.push(`${name} ${elements(value as NonNullable<Stage['table']>)}`);
  }
  return parts.join('; ');
}

function contents({ buffer }: { buffer: ArrayBuffer }): string {
  // Checksums are not taken of shared buffers.
  const bytes = buffer instanceof ArrayBuffer ? Buffer.from(buffer) : Buffer.from(new Uint8Array(buffer));
  return `${bytes.length} ${native.crc32c(bytes)}`;
}

const MOST_ELEMENTS = 32;

function elements(table: NonNullable<Stage['table']>): string {
  const { length } = table;
  // Of 64-bit addresses, both are BigInts.
  const at = (index: number) => (typeof length === 'bigint' ? (BigInt(index) as unknown as number) : index);
  const shown = Array.from({ length: Math.min(Number(length), MOST_ELEMENTS) }, (_, index) =>
    outcomeOf(() => table.get(at(index))),
  );
  return `${show(length)} [${shown.join(' ')}]`;
}

function outcomeOf(read: () => unknown): string {
  try {
    return show(read());
  } catch (error) {
    return (error as Error).name;
  }
}

function stageFor(W: Namespace, sight: Sight): Stage {
  return {
    note: (line) => sight.lines.push(line),
    functions: [],
    table: undefined,
    depth: 0,
    calls: CALLS,
    describe(error) {
      if (error instanceof RangeError && /call stack/.test(error.message)) sight.exhausted = true;
      if (error instanceof W.RuntimeError) return `trap: ${trapText((error as Error).message)}`;
      if (error instanceof W.Exception) return 'exception';
      if (references.includes(error)) return `thrown ${show(error)}`;
      // Texts of the JavaScript interface are other in every version of V8.
      return error instanceof Error ? error.name : `thrown ${show(error)}`;
    },
  };
}

/**
 * Where two ends are exceeded at once, versions of V8 tell of different ones: of table.init the segment or the table, of
 * an atomic access the memory or its alignment.
 */
function trapText(text: string): string {
  if (/element segment/.test(text)) return 'table index is out of bounds';
  return /unaligned/.test(text) ? 'memory access out of bounds' : text;
}

interface Thrown {
  is(tag: unknown): boolean;
  getArg(tag: unknown, index: number): unknown;
}

interface ExportedTag {
  tag: unknown;
  params: ValueType[];
}

/** What an exception of one of these tags carries. */
function payload(error: unknown, tags: ExportedTag[]): string {
  if (Object.prototype.toString.call(error) !== '[object WebAssembly.Exception]') return '';
  const thrown = error as Thrown;
  const at = tags.findIndex(({ tag }) => thrown.is(tag));
  const found = tags[at];
  if (found === undefined) return ' of a tag that is not exported';
  // Of a function, null too, V8 11 answers something of its own.
  const values = found.params.map((type, index) =>
    type === ValueType.funcref ? 'a function' : show(thrown.getArg(found.tag, index)),
  );
  return ` ${at} (${values.join(', ')})`;
}
