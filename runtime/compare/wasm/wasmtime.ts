// Wasmtime's own way of not compiling at the start: a .cwasm that is mapped. Of the libwasmtime.so that INSITU_WASMTIME names.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { prebuilt } from '../../../loader/native.ts';
import { runSample } from '../samples.ts';
import type { CallRequest, SmallModule } from './request.ts';

const run = promisify(execFile);
const program = prebuilt('wasmtime_start');

export interface Wasmtime {
  library: string;
  module: string;
  small: string;
}

/** Compiles both modules. @throws Error with what Wasmtime says */
export async function prepareWasmtime(
  library: string,
  file: string,
  small: SmallModule,
  directory: string,
): Promise<Wasmtime> {
  const compile = async (source: string, name: string) => {
    const compiled = join(directory, name);
    await run(program, [library, 'compile', source, compiled]);
    return compiled;
  };
  const module = await compile(file, 'module.cwasm');
  return { library, module, small: await compile(small.file, 'small.cwasm') };
}

export function sampleWasmtime(
  { library, module, small }: Wasmtime,
  warm: boolean,
  call: CallRequest | undefined,
  file: string,
) {
  const wanted = call
    ? [call.name, `${call.results}`, ...call.args.map(({ type, text }) => `${type}:${text}`)]
    : [];
  const args = [library, 'start', warm ? small : '-', module, ...wanted];
  return runSample(program, args, { file, way: 'wasmtime' });
}
