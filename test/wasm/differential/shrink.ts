// A failing module with as few exports as still fail: what is not exported is not called.
import { decode } from '../../../loader/compile/decode.ts';
import { withExports } from './expose.ts';

const MOST_TRIALS = 40;

/** Drops exports by halves, quarters … as long as `fails` says so of what is left. */
export async function shrink(
  bytes: Uint8Array,
  fails: (candidate: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let kept = decode(bytes).exports;
  let trials = 0;
  for (let piece = Math.ceil(kept.length / 2); piece >= 1; piece = piece > 1 ? Math.ceil(piece / 2) : 0) {
    for (let at = 0; at < kept.length && trials < MOST_TRIALS; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + piece)];
      trials++;
      if (await fails(withExports(bytes, fewer))) kept = fewer;
      else at += piece;
    }
  }
  return withExports(bytes, kept);
}
