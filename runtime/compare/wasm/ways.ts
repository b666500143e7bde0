// How a sample gets from a file to an instance, in V8 and from an image. Steps end where the clock is read.
import { readFileSync } from 'node:fs';
import { LoadError } from '../../../loader/error.ts';
import { imageOfFile } from '../../../loader/images/find-file.ts';
import { Report } from '../../../loader/report.ts';
import type { CompiledImage } from '../../wasm/image.ts';
import type { Exports, Namespace } from '../../wasm/v8.ts';
import type { Sample } from '../request.ts';
import type { SmallModule } from './request.ts';

export type Instantiate = (imports: object) => Exports;

export interface Engine {
  namespace: Namespace;
  /** From a file to a module that can be instantiated; `tell` is called behind each step. */
  load(file: string, tell: (step: string) => void): Instantiate;
  /** The small module, once. */
  loadSmall(small: SmallModule, tell: (step: string) => void): Instantiate;
  /** Of what was loaded last. */
  bytes(): Pick<Sample, 'bytesInPlace' | 'bytesCopied'>;
  report(): Report | undefined;
}

export function engineOfV8(): Engine {
  const { WebAssembly: V8 } = globalThis as unknown as { WebAssembly: Namespace };
  let size = 0;
  const load: Engine['load'] = (file, tell) => {
    const bytes = readFileSync(file);
    tell('read');
    const module = new V8.Module(bytes);
    tell('compile');
    size = bytes.length;
    return (imports) => new V8.Instance(module, imports).exports;
  };
  return {
    namespace: V8,
    load,
    loadSmall: ({ file }, tell) => load(file, tell),
    bytes: () => ({ bytesInPlace: 0, bytesCopied: size }),
    report: () => undefined,
  };
}

export async function engineOfImages(place: 'in-place' | 'copy'): Promise<Engine> {
  const { setPolicy, ...namespace } = await import('../../wasm/index.ts');
  const { openFound } = await import('../../wasm/image.ts');
  const { instantiate } = await import('../../wasm/module.ts');
  setPolicy({ place, fallback: false });
  let image: CompiledImage;
  let report: Report | undefined;
  const load = (file: string, tell: (step: string) => void, roots?: readonly string[]): Instantiate => {
    const found = imageOfFile(file, roots === undefined ? {} : { roots });
    if (found === undefined) throw new LoadError('ENOENT', file, 'has no image any more');
    tell('find');
    image = openFound(found);
    tell('load');
    return (imports) => instantiate(image, imports, 'WebAssembly.Instance()');
  };
  const reportNow = () => {
    report ??= new Report(image.path, place, image.handle);
    return report;
  };
  return {
    namespace: namespace as unknown as Namespace,
    load,
    loadSmall: ({ file, root }, tell) => {
      imageOfFile(file); // looks for the stores, once a process
      return load(file, tell, [root]);
    },
    bytes: () => ({ bytesInPlace: reportNow().bytesInPlace, bytesCopied: reportNow().bytesCopied }),
    report: reportNow,
  };
}
