// Kernels in C, compiled to WebAssembly by clang: CPU time warm, in place against V8's optimised code.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { install } from '../../../loader/images/install.ts';
import { geometricMean, median } from './figures.ts';
import { child, here, type Setting } from './setting.ts';

const sources = here('../kernels');
const flags = [
  ...['--target=wasm32', '-O3', '-msimd128', '-ffreestanding', '-nostdlib', '-fno-strict-aliasing'],
  ...['-Wl,--no-entry', '-Wl,--strip-all'],
];

/** Paths of the modules, by the names of the kernels. @throws Error without clang and wasm-ld */
function compile(directory: string): Map<string, string> {
  const names = readdirSync(sources).filter((name) => name.endsWith('.c'));
  return new Map(
    names.map((name) => {
      const output = join(directory, `${basename(name, '.c')}.wasm`);
      execFileSync('clang', [...flags, '-o', output, join(sources, name)], { stdio: 'inherit' });
      return [basename(name, '.c'), output];
    }),
  );
}

interface Measured {
  checksum: number;
  times: number;
  ms: number;
}

function measure(setting: Setting, way: string, module: string, times?: number): Measured {
  const args = times === undefined ? [way, module] : [way, module, `${times}`];
  return JSON.parse(child(setting, 'kernel.mjs', args)) as Measured;
}

/** Ratios of the CPU times, in place over V8's, printed with their rows. */
export async function kernels(setting: Setting): Promise<number[]> {
  const modules = compile(setting.directory);
  for (const path of modules.values()) await install(readFileSync(path), { root: setting.store });
  console.log(`\nkernels: CPU ms of a call, warm, medians of ${setting.rounds} processes each, taking turns`);
  console.log(`${''.padEnd(14)}${'V8'.padStart(10)}${'in place'.padStart(10)}${'ratio'.padStart(8)}`);
  const ratios: number[] = [];
  for (const [name, module] of modules) {
    const { times, checksum } = measure(setting, 'v8', module);
    const ms: { v8: number[]; 'in-place': number[] } = { v8: [], 'in-place': [] };
    for (let round = 0; round < setting.rounds; round++)
      for (const way of ['v8', 'in-place'] as const) {
        const found = measure(setting, way, module, times);
        if (found.checksum !== checksum)
          throw new Error(`${name}, ${way}: answers ${found.checksum}; want ${checksum}`);
        ms[way].push(found.ms);
      }
    const [v8, place] = [median(ms.v8), median(ms['in-place'])];
    ratios.push(place / v8);
    const cells = [
      v8.toFixed(1).padStart(10),
      place.toFixed(1).padStart(10),
      (place / v8).toFixed(2).padStart(8),
    ];
    console.log(`${name.padEnd(14)}${cells.join('')}${place > v8 ? '  loses' : ''}`);
  }
  console.log(`${'geometric mean'.padEnd(34)}${geometricMean(ratios).toFixed(2).padStart(8)}`);
  return ratios;
}
