// Which features a random module may have: those that this V8 runs.
import { V8 } from '../../../runtime/wasm/v8.ts';
import type { Random } from './random.ts';

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** As wasm-opt names them. Their results are the same everywhere: relaxed SIMD is not among them. */
const ALWAYS = [
  'mutable-globals',
  'sign-ext',
  'nontrapping-float-to-int',
  'bulk-memory',
  'bulk-memory-opt',
  'reference-types',
  'multivalue',
];
const SOMETIMES = ['simd', 'tail-call'];

/** Features that not every V8 has, each with the smallest module that needs it. */
const PROBES: Record<string, number[]> = {
  threads: [5, 4, 1, 3, 1, 1], // a shared memory
  'extended-const': [6, 9, 1, 0x7f, 0, 0x41, 0, 0x41, 0, 0x6a, 0x0b],
  multimemory: [5, 5, 2, 0, 0, 0, 0],
  memory64: [4, 4, 1, 0x70, 4, 0, 5, 3, 1, 4, 0], // its tables have 64-bit addresses, too
  'exception-handling': [4, 4, 1, 0x69, 0, 0], // a table of exnref
};

/** For our own generator: wasm-opt has no names for these. */
const OWN_PROBES: Record<string, number[]> = {
  'tail-call': [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 6, 1, 4, 0, 0x12, 0, 0x0b],
  'memory64 alone': [5, 3, 1, 4, 0],
  'legacy-exceptions': [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 8, 1, 6, 0, 0x06, 0x40, 0x19, 0x0b, 0x0b],
};

const valid = (sections: number[]): boolean => V8.validate(Uint8Array.from([...HEADER, ...sections]));

const known = new Map<string, boolean>();

/** Whether a feature is to be had, by its name above. */
export function has(name: string): boolean {
  const probe = PROBES[name] ?? OWN_PROBES[name];
  if (probe === undefined) throw new Error(`no feature is named ${name}`);
  const found = known.get(name) ?? valid(probe);
  known.set(name, found);
  return found;
}

/** Of the optional ones, each once in three times: every pair of them is met. */
export function chooseFeatures(random: Random): string[] {
  return [
    ...ALWAYS,
    ...SOMETIMES.filter(() => !random.once(3)),
    ...Object.keys(PROBES).filter((name) => has(name) && random.once(3)),
  ];
}
