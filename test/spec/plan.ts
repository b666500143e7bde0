// A script as steps that a way can run: text modules have become binaries, and calls whose bits JavaScript would lose
// have their adapters. The same plan is run on every way.
import { adapterModule, isAdaptable } from './adapter.ts';
import { isNaNBits } from './literal.ts';
import { encoded, type FunctionSignature, readSurface } from './signature.ts';
import { spectestTexts } from './spectest.ts';
import type { TextReaders } from './text.ts';
import type { Reader } from './text-child.ts';
import { type Action, type Command, type Pattern, parseScript, type Source } from './wast.ts';

/** A position in Plan.modules. */
type Index = number;
export type PlannedAction = Action & {
  /** Called through this module, with integers for floats and vectors. */
  adapter?: Index;
};
export type AssertKind =
  | 'assert_return'
  | 'assert_trap'
  | 'assert_exhaustion'
  | 'assert_exception'
  | 'assert_unlinkable'
  | 'assert_invalid'
  | 'assert_malformed';
export type StepKind = AssertKind | 'module' | 'instance' | 'register' | 'action';

export type Step = { line: number } & (
  | { kind: 'module'; module: Index; name?: string; definition: boolean }
  | { kind: 'instance'; name?: string; definition?: string }
  | { kind: 'register'; as: string; name?: string }
  | { kind: 'action' | 'assert_exception'; action: PlannedAction }
  | { kind: 'assert_return'; action: PlannedAction; expected: Pattern[] }
  | { kind: 'assert_trap' | 'assert_exhaustion'; action: PlannedAction; message: string }
  /** The module is valid, and its instantiation fails. */
  | { kind: 'assert_trap_module' | 'assert_unlinkable'; module: Index; message: string }
  | { kind: 'assert_invalid' | 'assert_malformed'; module: Index; message: string }
  /** Decided by a text reader before any way saw it. */
  | { kind: 'text'; of: AssertKind; rejected: boolean }
  /** Cannot be run on any way. */
  | { kind: 'refused'; of: string; name?: string; reason: string }
);

export interface Plan {
  /** Relative to the suite. */
  file: string;
  modules: Uint8Array[];
  /** Together they are the module `spectest`; only the first one must be there. */
  spectest: Index[];
  steps: Step[];
}

function losesBits(value: Pattern): boolean {
  if (value.type === 'either') return value.patterns.some(losesBits);
  if (value.type === 'v128' || 'nan' in value) return true;
  return (value.type === 'f32' || value.type === 'f64') && isNaNBits(value.bits, value.type);
}

// wasm-tools first: wabt 1.0.39 writes typed references as an earlier draft had them, and a data segment of another
// memory than the first with the index in place of its flags.
const readers: Reader[] = ['wasm-tools', 'wabt'];

type Signatures = Map<string, FunctionSignature> | undefined;

function signaturesOf(bytes: Uint8Array): Signatures {
  try {
    return readSurface(bytes).functions;
  } catch {
    return undefined; // a module of a later proposal; a call that needs an adapter is then refused
  }
}

class Planner {
  readonly modules: Uint8Array[] = [];
  private readonly readers: TextReaders;
  private readonly known = new Map<string, Index>();
  private readonly named = new Map<string, Signatures>();
  private current: Signatures;

  constructor(readers: TextReaders) {
    this.readers = readers;
  }

  private add(bytes: Uint8Array): Index {
    const key = Buffer.from(bytes).toString('latin1');
    const index = this.known.get(key) ?? this.modules.push(bytes) - 1;
    this.known.set(key, index);
    return index;
  }

  async spectest(text: string): Promise<Index> {
    const parsed = await this.read({ form: 'text', bytes: Buffer.from(text) });
    if ('rejected' in parsed) throw new Error(`spectest: ${parsed.rejected}`);
    return this.add(parsed.binary);
  }

  private async read(source: Source): Promise<{ binary: Uint8Array } | { rejected: string }> {
    if (source.form === 'binary') return { binary: source.bytes };
    return this.readers.parse(source.bytes, readers);
  }

  /** Instances are followed as the run will have them, so that a call finds its function's type. */
  private remember(name: string | undefined, signatures: Signatures, definition = false): void {
    if (name) this.named.set(name, signatures);
    if (!definition) this.current = signatures;
  }

  private adapted(action: Action, expected: Pattern[]): PlannedAction {
    const functions = action.instance ? this.named.get(action.instance) : this.current;
    const signature = action.kind === 'invoke' ? functions?.get(action.field) : undefined;
    const hasVector = [...(signature?.params ?? []), ...(signature?.results ?? [])].includes(encoded.v128);
    if (!hasVector && ![...action.args, ...expected].some(losesBits)) return action;
    if (!signature || !isAdaptable(signature)) throw new Error(`no type to adapt ${action.field} by`);
    return { ...action, adapter: this.add(adapterModule(signature)) };
  }

  private async module(command: Command & { kind: 'module' }): Promise<Step> {
    const { line, name, definition } = command;
    const named = { ...(name && { name }) };
    const parsed = await this.read(command.source);
    if ('rejected' in parsed) {
      this.remember(name, undefined, definition);
      return { line, kind: 'refused', of: 'module', ...named, reason: `text not read: ${parsed.rejected}` };
    }
    this.remember(name, signaturesOf(parsed.binary), definition);
    return { line, kind: 'module', module: this.add(parsed.binary), ...named, definition };
  }

  private async failing(command: Command & { kind: 'assert_trap_module' | 'assert_unlinkable' }) {
    const { line, kind, message } = command;
    const parsed = await this.read(command.source);
    return 'binary' in parsed
      ? ({ line, kind, module: this.add(parsed.binary), message } as const)
      : ({ line, kind: 'refused', of: kind, reason: `text not read: ${parsed.rejected}` } as const);
  }

  // What a text reader rejects never becomes a binary that could be judged; what it lets pass although the text is
  // malformed is its own fault too.
  private async rejected(command: Command & { kind: 'assert_invalid' | 'assert_malformed' }): Promise<Step> {
    const { line, kind, source, message } = command;
    if (source.form === 'binary') return { line, kind, module: this.add(source.bytes), message };
    const parsed = await this.readers.parse(source.bytes, kind === 'assert_malformed' ? ['wabt'] : readers);
    if ('rejected' in parsed) return { line, kind: 'text', of: kind, rejected: true };
    if (kind === 'assert_malformed') return { line, kind: 'text', of: kind, rejected: false };
    return { line, kind, module: this.add(parsed.binary), message };
  }

  private acting(command: Extract<Command, { action: Action }>): Step {
    try {
      if (command.kind === 'assert_return') {
        return { ...command, action: this.adapted(command.action, command.expected) };
      }
      return { ...command, action: this.adapted(command.action, []) };
    } catch (error) {
      return { line: command.line, kind: 'refused', of: command.kind, reason: (error as Error).message };
    }
  }

  async step(command: Command): Promise<Step> {
    switch (command.kind) {
      case 'module':
        return this.module(command);
      case 'instance':
        this.remember(command.name, command.definition ? this.named.get(command.definition) : this.current);
        return command;
      case 'register':
        return command;
      case 'unknown':
        return { line: command.line, kind: 'refused', of: command.command, reason: command.reason };
      case 'assert_invalid':
      case 'assert_malformed':
        return this.rejected(command);
      case 'assert_trap_module':
      case 'assert_unlinkable':
        return this.failing(command);
      default:
        return this.acting(command);
    }
  }
}

function commandsOf(bytes: Uint8Array): Command[] {
  try {
    return parseScript(bytes);
  } catch (error) {
    return [{ line: 0, kind: 'unknown', command: 'script', reason: (error as Error).message }];
  }
}

/** Reads all texts of a script; what cannot be run on any way becomes a refused step, none is left out. */
export async function planScript(file: string, bytes: Uint8Array, readers: TextReaders): Promise<Plan> {
  const planner = new Planner(readers);
  const steps: Step[] = [];
  for (const command of commandsOf(bytes)) steps.push(await planner.step(command));
  const spectest = await Promise.all(spectestTexts.map((text) => planner.spectest(text)));
  return { file, modules: planner.modules, spectest, steps };
}
