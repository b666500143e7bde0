// Runs a plan on a namespace, step by step, and tells what came of each.
import { saysTheSame } from './messages.ts';
import type { Plan, PlannedAction, Step } from './plan.ts';
import { readSurface } from './signature.ts';
import { spectestHost } from './spectest.ts';
import { superseded } from './superseded.ts';
import { matchesAdapted, matchesResult, toIntegers, toJs } from './values.ts';
import type { Namespace } from './ways.ts';

export interface Outcome {
  /** `done`: a step that asserts nothing went well. `text`: a text reader's, and no way had a part in it. */
  status: 'passed' | 'failed' | 'refused' | 'done' | 'text';
  /** Why it failed or was refused. */
  detail?: string;
  /** The text of the error that was asserted. */
  message?: string;
}

/** What is known of a module before a way is asked; undefined where all is up to the way. */
export type Judgement =
  /** The way may leave it alone. */
  | { refused: string }
  /** The compiler found it malformed or invalid. */
  | { invalid: string }
  /** The compiler could not compile it although it should. */
  | { failed: string };
export type Judge = (module: Uint8Array) => Judgement | undefined;

type Exports = Record<string, unknown>;
/** What of a module is there to be called; without exports, why. */
type Running =
  | {
      exports: Exports;
      /** A module that was refused would have changed this one's state. */
      lacking?: string;
    }
  | { refused: string }
  | { failed: string };

class Refused extends Error {}
class Failed extends Error {}

const textOf = (error: unknown): string => {
  const { name, message } = Object(error) as { name?: unknown; message?: unknown };
  return typeof message === 'string' ? `${String(name)}: ${message}` : String(error);
};

class Run {
  private readonly W: Namespace;
  private readonly plan: Plan;
  private readonly judge: Judge;
  private readonly definitions = new Map<string, number>();
  private readonly instances = new Map<string, Running>();
  private readonly registered = new Map<string, Running>();
  private readonly adapters = new Map<number, WeakMap<object, unknown>>();
  private lastDefinition = -1;
  private current: Running = { failed: 'no module yet' };

  constructor(W: Namespace, plan: Plan, judge: Judge) {
    this.W = W;
    this.plan = plan;
    this.judge = judge;
    this.registered.set('spectest', this.spectest());
  }

  private spectest(): Running {
    const [core, ...more] = this.plan.spectest.map((module) => this.start(module, { host: spectestHost }));
    if (!core || !('exports' in core)) return core ?? { failed: 'no spectest' };
    const shared_memory = new this.W.Memory({ initial: 1, maximum: 2, shared: true });
    const exports = more.map((running) => ('exports' in running ? running.exports : {}));
    return { exports: Object.assign({ shared_memory }, core.exports, ...exports) };
  }

  private bytes(module: number): Uint8Array {
    const bytes = this.plan.modules[module];
    if (!bytes) throw new Error(`no module ${module}`);
    return bytes;
  }

  private compile(module: number): object {
    const bytes = this.bytes(module);
    const known = this.judge(bytes);
    if (known && 'refused' in known) throw new Refused(known.refused);
    if (known) throw new Failed('invalid' in known ? `found invalid: ${known.invalid}` : known.failed);
    return new this.W.Module(bytes);
  }

  // A module that is not registered is there with nothing in it, so that what is missing is a field.
  private imports(module: number): Record<string, object> {
    const names = new Set(readSurface(this.bytes(module)).imports.map((entry) => entry.module));
    return Object.fromEntries(
      [...names].map((name) => [name, exportsOf(this.registered.get(name) ?? { exports: {} })]),
    );
  }

  private start(module: number, imports?: Record<string, object>): Running {
    try {
      return this.instantiate(module, imports);
    } catch (error) {
      if (error instanceof Refused) return { refused: error.message };
      return { failed: `the module did not start: ${textOf(error)}` };
    }
  }

  private instantiate(module: number, imports?: Record<string, object>): { exports: Exports } {
    try {
      const compiled = this.compile(module);
      return new this.W.Instance(compiled, imports ?? this.imports(module));
    } catch (error) {
      if (error instanceof Refused) this.missed(module, error.message);
      throw error;
    }
  }

  // What it imports would have been its to change.
  private missed(module: number, reason: string): void {
    for (const { module: name } of readSurface(this.bytes(module)).imports) {
      const running = this.registered.get(name);
      if (running && 'exports' in running && name !== 'spectest') running.lacking = reason;
    }
  }

  private adapter(module: number, target: object): unknown {
    const made = this.adapters.get(module) ?? new WeakMap<object, unknown>();
    this.adapters.set(module, made);
    const known = made.get(target);
    if (known) return known;
    const { f } = new this.W.Instance(this.compile(module), { '': { f: target } }).exports;
    made.set(target, f);
    return f;
  }

  private running(instance: string | undefined): Running {
    const running = instance ? this.instances.get(instance) : this.current;
    return running ?? { failed: `no instance ${instance}` };
  }

  /** What the export answers; what it throws passes through. */
  private act({ kind, instance, field, args, adapter }: PlannedAction): unknown {
    const exports = exportsOf(this.running(instance));
    const target = exports[field];
    if (target === undefined) throw new Failed(`no export ${JSON.stringify(field)}`);
    if (kind === 'get') return (target as { value: unknown }).value;
    if (typeof target !== 'function') throw new Failed(`${JSON.stringify(field)} is no function`);
    if (adapter === undefined) return target(...args.map(toJs));
    const adapted = this.adapter(adapter, target);
    if (typeof adapted !== 'function') throw new Failed('an adapter exports no function');
    return adapted(...args.flatMap(toIntegers));
  }

  private starts(running: Running, name: string | undefined): Outcome {
    this.current = running;
    if (name) this.instances.set(name, running);
    exportsOf(running);
    return { status: 'done' };
  }

  private returns(step: Step & { kind: 'assert_return' }): Outcome {
    const result = this.act(step.action);
    const matches =
      step.action.adapter === undefined
        ? matchesResult(result, step.expected)
        : matchesAdapted(result, step.expected);
    if (!matches) throw new Failed(`found ${show(result)}, wanted ${show(step.expected)}`);
    return { status: 'passed' };
  }

  private rejects(step: Step & { kind: 'assert_invalid' | 'assert_malformed' }): Outcome {
    const known = this.judge(this.bytes(step.module));
    if (known && 'invalid' in known) return { status: 'passed', message: known.invalid };
    try {
      new this.W.Module(this.bytes(step.module));
    } catch (error) {
      if (error instanceof this.W.CompileError) return { status: 'passed', message: textOf(error) };
      if (known && 'refused' in known) throw new Refused(known.refused);
      throw new Failed(`found ${textOf(error)}, wanted a CompileError (${step.message})`);
    }
    const reason = superseded(this.plan.file, step);
    if (known && 'refused' in known) throw new Refused(known.refused);
    if (reason) throw new Refused(reason);
    throw new Failed(`found a module, wanted a CompileError (${step.message})`);
  }

  private throws(act: () => unknown, isWanted: (error: unknown) => boolean, wanted: string): Outcome {
    let result: unknown;
    try {
      result = act();
    } catch (error) {
      if (error instanceof Refused || error instanceof Failed) throw error;
      const message = textOf(error);
      if (isWanted(error)) return { status: 'passed', message };
      throw new Failed(`found ${message}, wanted ${wanted}`);
    }
    throw new Failed(`found ${show(result)}, wanted ${wanted}`);
  }

  private traps(act: () => unknown, message: string): Outcome {
    const isTrap = (error: unknown) =>
      error instanceof this.W.RuntimeError && saysTheSame(message, textOf(error));
    return this.throws(act, isTrap, `a RuntimeError that says ${JSON.stringify(message)}`);
  }

  private step(step: Step): Outcome {
    const { W } = this;
    switch (step.kind) {
      case 'module':
        this.lastDefinition = step.module;
        if (step.name) this.definitions.set(step.name, step.module);
        if (!step.definition) return this.starts(this.start(step.module), step.name);
        this.compile(step.module);
        return { status: 'done' };
      case 'instance': {
        const module = step.definition ? this.definitions.get(step.definition) : this.lastDefinition;
        return this.starts(this.start(module ?? -1), step.name);
      }
      case 'register': {
        this.registered.set(step.as, this.running(step.name));
        return { status: 'done' };
      }
      case 'action':
        this.act(step.action);
        return { status: 'done' };
      case 'assert_return':
        return this.returns(step);
      case 'assert_trap':
        return this.traps(() => this.act(step.action), step.message);
      case 'assert_trap_module':
        return this.traps(() => this.instantiate(step.module), step.message);
      case 'assert_exhaustion':
        return this.throws(
          () => this.act(step.action),
          (error) => error instanceof RangeError,
          'a RangeError',
        );
      case 'assert_exception':
        return this.throws(
          () => this.act(step.action),
          (error) => W.Exception !== undefined && error instanceof W.Exception,
          'a WebAssembly.Exception',
        );
      case 'assert_unlinkable':
        return this.throws(
          () => this.instantiate(step.module),
          (error) => error instanceof W.LinkError,
          `a LinkError (${step.message})`,
        );
      case 'assert_invalid':
      case 'assert_malformed':
        return this.rejects(step);
      case 'text':
        return { status: 'text' };
      case 'refused':
        this.refused(step);
        return { status: 'refused', detail: step.reason };
    }
  }

  // A module that no way has seen leaves nothing of the module before it to be called.
  private refused({ of, name, reason }: Step & { kind: 'refused' }): void {
    if (of !== 'module') return;
    this.current = { refused: reason };
    if (name) this.instances.set(name, this.current);
  }

  outcome(step: Step): Outcome {
    try {
      return this.step(step);
    } catch (error) {
      if (error instanceof Refused) return { status: 'refused', detail: error.message };
      const detail = error instanceof Failed ? error.message : textOf(error);
      const running = 'action' in step ? this.running(step.action.instance) : undefined;
      if (running && 'exports' in running && running.lacking !== undefined) {
        return { status: 'refused', detail: running.lacking };
      }
      return isBoundary(error)
        ? { status: 'refused', detail: `JavaScript cannot carry it: ${detail}` }
        : { status: 'failed', detail };
    }
  }
}

/** The interface refuses v128 and exnref with a TypeError of its own; nothing can be asserted of such a call. */
const isBoundary = (error: unknown): boolean =>
  error instanceof TypeError && error.message.includes('type incompatibility when transforming from/to JS');

function exportsOf(running: Running): Exports {
  if ('refused' in running) throw new Refused(running.refused);
  if ('failed' in running) throw new Failed(running.failed);
  return running.exports;
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_, inner) =>
    typeof inner === 'bigint'
      ? `0x${inner.toString(16)}`
      : typeof inner === 'function'
        ? `function ${inner.name}`
        : Number.isNaN(inner) || Object.is(inner, -0)
          ? Object.is(inner, -0)
            ? '-0'
            : 'NaN'
          : inner,
  );
  return (text ?? 'undefined').slice(0, 300);
}

/** One outcome a step, in order. */
export function execute(W: Namespace, plan: Plan, judge: Judge): Outcome[] {
  const run = new Run(W, plan, judge);
  return plan.steps.map((step) => run.outcome(step));
}
