// What compiling takes: insitu's tiers and Wasmtime's once, V8's at every start. Each run is a process of its own, and what
// it makes is made anew. V8's figures are of the call that compiles, the others' of the process, whose start is the smaller part.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { prebuilt } from '../../../loader/native.ts';
import { median } from './figures.ts';
import { type Measured, measured } from './measured.ts';
import { environment, here, root, type Setting } from './setting.ts';

export interface Compiled {
  name: string;
  file: string;
}

/** One run, in an empty directory for what it makes. */
type Run = (file: string, directory: string) => Promise<Measured>;

const insitu =
  (setting: Setting, tier: string): Run =>
  (file, directory) => {
    const args = [join(root, 'dist/runtime/cli/main.cjs'), 'install', `--tier=${tier}`, file];
    return measured(process.execPath, args, { ...environment(setting), INSITU_STORE: directory });
  };

const v8 =
  (setting: Setting, ...flags: string[]): Run =>
  async (file) => {
    const found = await measured(
      process.execPath,
      [...flags, here('compile.mjs'), file],
      environment(setting),
    );
    return { ...found, ...(JSON.parse(found.stdout) as Partial<Measured>) };
  };

const wasmtime =
  (setting: Setting, library: string): Run =>
  (file, directory) =>
    measured(
      prebuilt('wasmtime_start'),
      [library, 'compile', file, join(directory, 'm.cwasm')],
      environment(setting),
    );

const EAGER = ['--no-wasm-lazy-compilation', '--no-wasm-tier-up'];

function waysOf(setting: Setting): [name: string, run: Run][] {
  const { INSITU_WASMTIME } = process.env;
  return [
    ['insitu quick', insitu(setting, 'quick')],
    ['insitu best', insitu(setting, 'best')],
    ['V8 as it starts', v8(setting)],
    ['V8 Liftoff, all', v8(setting, ...EAGER)],
    ['V8 TurboFan, all', v8(setting, ...EAGER, '--no-liftoff')],
    ...(INSITU_WASMTIME ? ([['Wasmtime', wasmtime(setting, INSITU_WASMTIME)]] as [string, Run][]) : []),
  ];
}

/** Of what the store or the directory has been given that is mapped at a start. */
function madeBytes(directory: string): number {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(so|cwasm)$/.test(name))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

const head = ['wall s', 'CPU s', 'peak MiB', 'made MiB'].map((cell) => cell.padStart(10)).join('');

type Figures = Pick<Measured, 'wallMs' | 'cpuMs' | 'peakBytes'> & { made: number };

async function once(setting: Setting, run: Run, file: string): Promise<Figures> {
  const directory = mkdtempSync(join(setting.directory, 'compiled-'));
  try {
    const found = await run(file, directory);
    return { ...found, made: madeBytes(directory) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Blank where nothing was seen, or nothing made. */
const mebibytes = (bytes: number, digits: number): string =>
  bytes === 0 ? '' : (bytes / 2 ** 20).toFixed(digits);

const seconds = (ms: number): string => (ms / 1000).toFixed(ms < 1000 ? 3 : 1);

function row(name: string, runs: readonly Figures[]): string {
  const of = (figure: keyof Figures) => median(runs.map((one) => one[figure]));
  const cells = [
    seconds(of('wallMs')),
    seconds(of('cpuMs')),
    mebibytes(of('peakBytes'), 0),
    mebibytes(of('made'), 1),
  ];
  return `${name.padEnd(34)}${cells.map((cell) => cell.padStart(10)).join('')}`;
}

/** Printed. What one way cannot compile is said there. */
export async function compile(setting: Setting, modules: readonly Compiled[]): Promise<void> {
  const load = `${loadavg()[0]?.toFixed(1)} processes wanted the ${availableParallelism()} cores when it began`;
  console.log(`\ncompiling, ${setting.rounds} processes a way, medians; ${load}`);
  console.log(`${''.padEnd(34)}${head}`);
  for (const { name, file } of modules) {
    const label = `${name}, ${(statSync(file).size / 2 ** 20).toFixed(2)} MiB`;
    console.log(label);
    for (const [way, run] of waysOf(setting)) {
      const runs: Figures[] = [];
      try {
        for (let round = 0; round < setting.rounds; round++) runs.push(await once(setting, run, file));
        console.log(row(`  ${way}`, runs));
      } catch (error) {
        console.log(`  ${way}: ${(error as Error).message}`);
      }
    }
  }
}
