// What the load of an image did, and the last instantiation from it.
import type { ImageHandle } from '../../loader/native.ts';
import { Report } from '../../loader/report.ts';
import { wasm } from '../../loader/wasm.ts';

const tiers = [undefined, 'quick', 'best'] as const; // enum of native/wasm/description.h

/** As a library's report, of the image: `file` is the image, `module` what was asked for. */
export class ModuleReport extends Report {
  readonly module: string;
  /** Of the module, in hexadecimal. */
  readonly sha256: string;
  /** How it was compiled. */
  readonly tier: 'quick' | 'best' | undefined;

  constructor(
    module: string,
    image: string,
    place: 'in-place' | 'copy',
    handle: ImageHandle,
    instantiateNs: number | null,
  ) {
    super(
      image,
      place,
      handle,
      false,
      instantiateNs === null ? [] : [{ name: 'instantiate', ns: instantiateNs }],
    );
    const { sha256, tier } = wasm.wasmFacts(handle);
    this.module = module;
    this.sha256 = sha256.toString('hex');
    this.tier = tiers[tier];
  }

  override toJSON() {
    const { module, sha256, tier } = this;
    return { module, sha256, tier: tier ?? null, ...super.toJSON() };
  }
}
