// Turns text modules into binaries, in a process of its own: a text parser may hang or abort. npm's wabt reads first,
// as the suite is of its revision; what it does not read is given to wasm-tools' reader, which comes with jco.
import process from 'node:process';
import loadWabt from 'wabt';

export type Reader = 'wabt' | 'wasm-tools';
export interface Request {
  id: number;
  text: Uint8Array;
  /** In this order; the first one that reads it. */
  readers: Reader[];
}
export type Parsed = { binary: Uint8Array } | { rejected: string };
export type Reply = { id: number } & Parsed;

type Parser = Awaited<ReturnType<typeof loadWabt>>;
const features = {
  exceptions: true,
  mutable_globals: true,
  sat_float_to_int: true,
  sign_extension: true,
  simd: true,
  threads: true,
  multi_value: true,
  tail_call: true,
  bulk_memory: true,
  reference_types: true,
  annotations: true,
  memory64: true,
  multi_memory: true,
  extended_const: true,
  relaxed_simd: true,
  custom_page_sizes: true,
};

let wabt: Parser | undefined;

async function byWabt(text: Uint8Array): Promise<Parsed> {
  wabt ??= await loadWabt();
  // Of a view, wabt takes the size of the whole buffer under it.
  const copy = Uint8Array.from(text);
  try {
    const module = wabt.parseWat('module.wat', copy, features);
    try {
      return { binary: Uint8Array.from(module.toBinary({ log: false, write_debug_names: true }).buffer) };
    } finally {
      module.destroy();
    }
  } catch (error) {
    // An abort leaves its memory in any state.
    if (error instanceof Error && error.name === 'RuntimeError') wabt = undefined;
    return { rejected: `wabt: ${String(error).split('\n')[1] ?? error}` };
  }
}

async function byWasmTools(text: Uint8Array): Promise<Parsed> {
  const { parse } = await import('@bytecodealliance/jco');
  try {
    return { binary: Uint8Array.from(await parse(new TextDecoder('utf-8', { fatal: true }).decode(text))) };
  } catch (error) {
    return { rejected: `wasm-tools: ${String(error).slice(0, 200)}` };
  }
}

async function parse({ text, readers }: Request): Promise<Parsed> {
  let rejected = 'no reader is left';
  for (const reader of readers) {
    const parsed = await (reader === 'wabt' ? byWabt(text) : byWasmTools(text));
    if ('binary' in parsed) return parsed;
    rejected = parsed.rejected;
  }
  return { rejected };
}

let queue = Promise.resolve();
process.on('message', (request: Request) => {
  queue = queue.then(async () => {
    process.send?.({ id: request.id, ...(await parse(request)) } satisfies Reply);
  });
});
