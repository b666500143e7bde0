// The start, load to first call, by insitu compare, against the bars of what it is meant to reach.
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { bar } from './bars.ts';
import { environment, root, type Setting } from './setting.ts';

interface Way {
  name: string;
  medianNs: number;
  minNs: number;
  firstMedianNs: number;
  privateBytes: number;
}

interface Comparison {
  ways: Way[];
  notes: string[];
}

/** A module, and an export that needs no imports. */
export interface Started {
  name: string;
  file: string;
  call: string[];
  /** How many times faster in place has to be than V8, and than the copy; null where no bar is set. */
  bars: { v8: number; copy: number } | null;
}

function compare(setting: Setting, { file, call }: Started): Comparison {
  const args = [
    'dist/runtime/cli/main.cjs',
    'compare',
    '--json',
    '--runs',
    `${setting.runs}`,
    file,
    '--call',
    ...call,
  ];
  const text = execFileSync(process.execPath, args, {
    ...{ cwd: root, env: environment(setting), encoding: 'utf8', maxBuffer: 1 << 26 },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(text) as Comparison;
}

const us = (ns: number): string => (ns / 1000).toFixed(0).padStart(9);

export function start(setting: Setting, modules: readonly Started[]): void {
  console.log(
    `\nstart: load, instantiate, first call; µs, ${setting.runs} fresh processes a way, taking turns`,
  );
  console.log('                            median      min    first  private KiB');
  for (const module of modules) {
    const { ways } = compare(setting, module);
    for (const { name, medianNs, minNs, firstMedianNs, privateBytes } of ways) {
      const label = `${module.name} ${name}`.padEnd(25);
      const memory = (privateBytes / 1024).toFixed(0).padStart(13);
      console.log(`${label}${us(medianNs)}${us(minNs)}${us(firstMedianNs)}${memory}`);
    }
    judge(module, ways);
  }
}

function judge({ name, bars }: Started, ways: readonly Way[]): void {
  if (bars === null) return;
  const of = (wanted: string): Way | undefined => ways.find((way) => way.name === wanted);
  const [place, copy, v8, wasmtime] = ['in-place', 'copy-load', 'v8', 'wasmtime'].map(of);
  if (place === undefined || copy === undefined || v8 === undefined)
    throw new Error(`${name}: a way is missing: ${ways.map((way) => way.name)}`);
  bar(`${name}: V8 / in place`, v8.medianNs / place.medianNs, '>=', bars.v8);
  bar(`${name}: copy-load / in place`, copy.medianNs / place.medianNs, '>=', bars.copy);
  bar(`${name}: first less later load in place, ms`, (place.firstMedianNs - place.medianNs) / 1e6, '<=', 1);
  if (wasmtime) bar(`${name}: in place / Wasmtime`, place.medianNs / wasmtime.medianNs, '<=', 0.5);
}
