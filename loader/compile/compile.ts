// From a module's bytes to an image. Never on the way of a load.
import { type BuildOptions, buildIn, type InWorkshop } from './build.ts';
import { hostArch } from './toolchain.ts';
import { translate } from './translate.ts';
import { Workshop } from './workshop.ts';

export type CompileInOptions = Omit<InWorkshop, 'units'>;
export type CompileOptions = Omit<BuildOptions, 'units'>;

/** As compileIn. */
export type Compile = (workshop: Workshop, bytes: Uint8Array, options: CompileInOptions) => Promise<void>;

/**
 * Compiles a module into an image.
 * @throws ModuleError for a malformed or invalid module, UnsupportedFeature for what is not compiled, and what buildImage
 *   throws
 */
export async function compile(bytes: Uint8Array, options: CompileOptions): Promise<void> {
  await using workshop = new Workshop(options.directory, options.signal);
  await compileIn(workshop, bytes, options);
}

/** As compile, in a workshop that others use too. */
export const compileIn: Compile = async (workshop, bytes, options) => {
  const arch = options.arch ?? hostArch();
  const units = translate(bytes, { tier: options.tier, arch });
  await buildIn(workshop, { ...options, arch, units });
};
