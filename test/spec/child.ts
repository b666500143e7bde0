// Runs plans on one way, one after another, in a process of its own: a crash loses the file that was run, no other.
import process from 'node:process';
import { namespaceOf } from './engine.ts';
import { execute, type Judge, type Outcome } from './execute.ts';
import type { Plan } from './plan.ts';
import { type Compiled, type Namespace, v8, type Way } from './ways.ts';

export interface Job {
  plan: Plan;
  way: Way;
  /** What compiling ahead made of plan.modules, by position. */
  compiled: Compiled[];
}
export type Answer = { outcomes: Outcome[] } | { failed: string };

const keyOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** V8's reason not to compile a module, without the place. */
function refusedByV8(bytes: Uint8Array): string | undefined {
  try {
    new v8.Module(bytes);
    return undefined;
  } catch (error) {
    const message = (error as Error).message.replace(/^WebAssembly\.Module\(\): /, '');
    return `V8: ${message.replace(/^Compiling function #\d+(:"[^"]*")? failed: /, '').replace(/ @\+\d+.*$/s, '')}`;
  }
}

/** With a fallback, what V8 cannot run may be refused; without one, what compiling ahead does not support. */
function judgeOf(way: Way, compiled: (bytes: Uint8Array) => Compiled | undefined): Judge {
  const byV8 = (bytes: Uint8Array) => {
    const refused = refusedByV8(bytes);
    return refused === undefined ? undefined : { refused };
  };
  if (way === 'v8') return byV8;
  return (bytes) => {
    const known = compiled(bytes);
    if (known && 'image' in known) return undefined;
    if (way === 'insitu') return byV8(bytes);
    if (known && 'unsupported' in known) return { refused: known.unsupported };
    return known ?? { failed: 'not compiled ahead' };
  };
}

async function answer({ plan, way, compiled }: Job): Promise<Answer> {
  const known = new Map(plan.modules.map((bytes, index) => [keyOf(bytes), compiled[index]]));
  const compiledOf = (bytes: Uint8Array) => known.get(keyOf(bytes));
  const W: Namespace = await namespaceOf(way, compiledOf);
  return { outcomes: execute(W, plan, judgeOf(way, compiledOf)) };
}

process.on('message', async (job: Job) => {
  const answered = await answer(job).catch((error: unknown): Answer => ({ failed: String(error) }));
  process.send?.(answered);
});
