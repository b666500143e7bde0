// A random module for a seed: binaryen's, or our own where the seed says so.
import { exposeAll } from './expose.ts';
import { chooseFeatures } from './features.ts';
import { ownModule } from './own/module.ts';
import { Random, seededBytes } from './random.ts';
import { WasmOpt } from './wasm-opt.ts';

/** In the seed of a module of our own generator. */
export const OWN = '/own/';

const LEAST_BYTES = 100;
const MOST_BYTES = 4000;

export interface GenerateOptions {
  /** Without NaN ever in a value: then no bits of one can differ. Our own generator's modules are always so. */
  denan: boolean;
}

export class Generator {
  readonly #wasmOpt: WasmOpt;

  constructor(directory: string) {
    this.#wasmOpt = new WasmOpt(directory);
  }

  /** Everything in it is exported. */
  async module(seed: string, { denan }: GenerateOptions): Promise<Uint8Array> {
    const random = new Random(seed);
    if (seed.includes(OWN)) return exposeAll(ownModule(random));
    const features = chooseFeatures(random).map((name) => `--enable-${name}`);
    const optimize = random.once(3) ? [`-O${1 + random.below(3)}`] : [];
    const input = seededBytes(`${seed} input`, LEAST_BYTES + random.below(MOST_BYTES));
    // It makes exceptions of both forms in one module, which is left to V8.
    const form = features.includes('--enable-exception-handling') ? ['--emit-exnref'] : [];
    const args = ['-ttf', '--disable-gc', ...features, ...form, ...optimize, ...(denan ? ['--denan'] : [])];
    return exposeAll(await this.#wasmOpt.run(input, args));
  }
}
