// Makes the modules of a batch, in a process with V8's flags for proposals.
import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { V8 } from '../../../runtime/wasm/v8.ts';
import { type GenerateOptions, Generator } from './generate.ts';

export type Order = GenerateOptions & { seed: string; source: string };
/** `refused` is V8's reason. */
export type Made = { ok: true } | { refused: string };

let generator: Generator | undefined;

async function make({ seed, source, denan }: Order): Promise<Made> {
  // Beside the batches, which come and go.
  generator ??= new Generator(dirname(dirname(source)));
  const bytes = await generator.module(seed, { denan });
  writeFileSync(source, bytes);
  try {
    new V8.Module(bytes);
    return { ok: true };
  } catch (error) {
    const reason = (error as Error).message
      .replace(/ @\+\d+.*$/s, '')
      .replace(/function #\d+(:"[^"]*")?/, 'function');
    return { refused: `V8: ${reason}` };
  }
}

process.on('message', async (orders: Order[]) => {
  for (const order of orders) process.send?.(await make(order));
});
