// What compiled code asks JavaScript to do with a memory: its operands stand in the slots (native/wasm/binding.cc).
import { i64, u32 } from './boundary.ts';
import { memoryById } from './memory.ts';

const SIZE = 0;
const GROW = 1;
const WAIT = 2;

const FAILED = -1n;

function grow(id: number, pages: number): bigint {
  try {
    return BigInt(memoryById(id).grow(pages));
  } catch {
    return FAILED;
  }
}

const OUTCOMES = { ok: 0n, 'not-equal': 1n, 'timed-out': 2n };

/** By V8's own Atomics: threads that wait in either are woken by either. */
function wait(id: number): bigint {
  const { memory } = memoryById(id);
  const at = Number(i64[2]);
  const nanoseconds = i64[4] as bigint;
  const timeout = nanoseconds < 0n ? Number.POSITIVE_INFINITY : Number(nanoseconds) / 1e6;
  const expected = i64[3] as bigint;
  const outcome =
    u32[10] === 8
      ? Atomics.wait(new BigInt64Array(memory.buffer), at / 8, expected, timeout)
      : Atomics.wait(new Int32Array(memory.buffer), at / 4, Number(BigInt.asIntN(32, expected)), timeout);
  return OUTCOMES[outcome];
}

function notify(id: number): bigint {
  const { memory } = memoryById(id);
  return BigInt(Atomics.notify(new Int32Array(memory.buffer), Number(i64[2]) / 4, u32[6]));
}

export function memoryService(): void {
  const operation = u32[0];
  const id = u32[2] as number;
  if (operation === SIZE) {
    const state = memoryById(id);
    state.refresh();
    i64[0] = BigInt(state.size / 65536);
  } else if (operation === GROW) i64[0] = grow(id, u32[4] as number);
  else if (operation === WAIT) i64[0] = wait(id);
  else i64[0] = notify(id);
}
