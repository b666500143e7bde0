// V8's flags for proposals that a Node has but does not turn on by itself.
import { spawnSync } from 'node:child_process';
import process from 'node:process';

// Where typed references and GC have a flag, they are of an earlier draft, with other encodings.
const proposals = [
  'extended-const',
  'return-call',
  'relaxed-simd',
  'memory64',
  'multi-memory',
  'eh',
  'exnref',
  'threads',
  'custom-page-sizes',
  'wide-arithmetic',
];

/** Of these, the flags that this Node's V8 knows. */
export function proposalFlags(): string[] {
  const { stdout } = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  const known = new Set(stdout.match(/--experimental-wasm-[a-z0-9-]+/g));
  return proposals.map((proposal) => `--experimental-wasm-${proposal}`).filter((flag) => known.has(flag));
}
