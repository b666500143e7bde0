// Assertions of the older scripts that later versions of the specification took back: what they call invalid or malformed
// has become valid. They are refused by name where a way accepts the module; wasm-3.0's scripts have none.
import type { Step } from './plan.ts';

const table: { message: string; file?: string; since: string }[] = [
  { message: 'multiple tables', since: 'reference types' },
  { message: 'multiple memories', since: 'multiple memories' },
  { message: 'zero byte expected', since: 'multiple memories' }, // the byte is an index now
  { message: 'unknown global', since: 'extended constant expressions of WebAssembly 3.0' },
  { message: 'unknown type', file: 'function-references/type-equivalence', since: 'recursive types of GC' },
];

/** Why a module that was accepted may be, or undefined. */
export function superseded(file: string, step: Step): string | undefined {
  if (step.kind !== 'assert_invalid' && step.kind !== 'assert_malformed') return undefined;
  if (file.includes('wasm-3.0')) return undefined;
  const row = table.find((known) => step.message === known.message && file.includes(known.file ?? ''));
  return row && `no longer ${step.kind.slice('assert_'.length)}, since ${row.since}`;
}
