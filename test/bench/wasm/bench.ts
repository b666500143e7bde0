// WebAssembly in place against V8, a copy and, where INSITU_WASMTIME names a libwasmtime.so, Wasmtime: start, instances
// made again, speed of kernels and real jobs, memory of many processes. Figures are printed, never asserted; what is
// computed is compared. Images are compiled first, at the best tier: minutes for esbuild. The part `compile` is what
// compiling takes; of these modules and two more, or those named, or files. Only when asked for.
//   node --import tsx test/bench/wasm/bench.ts [--store DIR] [--runs N] [--rounds N] [--parts start,again,kernels,jobs,memory]
//   node --import tsx test/bench/wasm/bench.ts --parts compile [--rounds N] [quickjs|sql.js|…|FILE…]
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { install } from '../../../loader/images/install.ts';
import { inPackage, temporaryDirectory } from '../../wasm/packages/places.ts';
import { bar, bars } from './bars.ts';
import { type Compiled, compile } from './compile.ts';
import { geometricMean } from './figures.ts';
import { esbuild, warmJobs } from './jobs.ts';
import { kernels } from './kernels.ts';
import { memory } from './memory.ts';
import { child, type Setting } from './setting.ts';
import { type Started, start } from './start.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    store: { type: 'string' }, // kept; else images are made anew
    runs: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '3' },
    parts: { type: 'string', default: 'start,again,kernels,jobs,memory' },
  },
});
const directory = temporaryDirectory('insitu-bench-');
const setting: Setting = {
  directory,
  store: values.store ?? join(directory, 'store'),
  runs: Number(values.runs),
  rounds: Number(values.rounds),
};
const parts = new Set(values.parts.split(','));

const modules: Started[] = [
  {
    name: 'quickjs',
    file: inPackage('@jitl/quickjs-wasmfile-release-sync/wasm'),
    call: ['v', '100'], // malloc
    bars: { v8: 20, copy: 5 },
  },
  { name: 'sql.js', file: inPackage('sql.js/dist/sql-wasm.wasm'), call: ['Ia', '100'], bars: null }, // malloc
  {
    name: 'resvg',
    file: inPackage('@resvg/resvg-wasm/index_bg.wasm'),
    call: ['__wbindgen_malloc', '100', '8'],
    bars: null,
  },
  {
    name: 'esbuild',
    file: inPackage('esbuild-wasm/esbuild.wasm'),
    call: ['getsp'],
    bars: { v8: 100, copy: 50 },
  },
];

const compiled: Compiled[] = [
  ...modules.slice(0, -1),
  { name: 'tree-sitter', file: inPackage('web-tree-sitter/web-tree-sitter.wasm') },
  { name: 'stockfish', file: inPackage('fairy-stockfish-nnue.wasm/stockfish.wasm') },
  ...modules.slice(-1),
];

function chosen(): Compiled[] {
  if (positionals.length === 0) return compiled;
  return positionals.map(
    (name) => compiled.find((one) => one.name === name) ?? { name: basename(name), file: name },
  );
}

function again(): void {
  console.log('\nan instance made again, of a module that is there: median µs');
  for (const { name, file } of modules) {
    const of = (way: string) => (JSON.parse(child(setting, 'again.mjs', [way, file])) as { us: number }).us;
    const [v8, place] = [of('v8'), of('in-place')];
    console.log(
      `${name.padEnd(10)} V8 ${v8.toFixed(1).padStart(8)}   in place ${place.toFixed(1).padStart(8)}`,
    );
    if (name === 'quickjs') bar('quickjs: an instance made again, µs', place, '<=', 25);
  }
}

const compiling = parts.delete('compile');
if (compiling) await compile(setting, chosen());
for (const { name, file } of parts.size > 0 ? modules : []) {
  const { status, elapsedNs } = await install(readFileSync(file), { root: setting.store, from: file });
  console.log(`${name}: image ${status}, ${(elapsedNs / 1e9).toFixed(1)} s`);
}
if (parts.has('start')) start(setting, modules);
if (parts.has('again')) again();
const ratios: number[] = [];
if (parts.has('kernels')) ratios.push(...(await kernels(setting)));
if (parts.has('jobs')) ratios.push(...warmJobs(setting), esbuild(setting));
if (ratios.length > 0) bar('CPU time in place / V8, geometric mean', geometricMean(ratios), '<=', 0.85);
if (parts.has('memory')) await memory(setting);
if (bars().length > 0) console.log(`\nbars\n${bars().join('\n')}`);
