// Sixteen processes with one module: what each has for itself, in place against V8.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { hook } from '../../wasm/packages/places.ts';
import { median } from './figures.ts';
import { environment, here, type Setting } from './setting.ts';

const PROCESSES = 16;

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${child.spawnargs.join(' ')}: ended with ${code}`)));
  });
}

/** Of smaps_rollup, in KiB. */
function rollup(pid: number): { private: number; anonymous: number; pss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1]);
  return { private: of('Private_Clean') + of('Private_Dirty'), anonymous: of('Anonymous'), pss: of('Pss') };
}

async function hold(setting: Setting, flags: readonly string[], script: string) {
  const children = Array.from({ length: PROCESSES }, () =>
    spawn(process.execPath, [...flags, here(script)], {
      env: environment(setting),
      stdio: ['pipe', 'pipe', 'ignore'],
    }),
  );
  try {
    for (const child of children) await ready(child);
    const found = children.map(({ pid }) => rollup(pid as number));
    const of = (name: 'private' | 'anonymous' | 'pss') => median(found.map((one) => one[name])) / 1024;
    return { private: of('private'), anonymous: of('anonymous'), pss: of('pss') };
  } finally {
    for (const child of children) {
      child.removeAllListeners('exit');
      child.kill('SIGKILL');
    }
  }
}

/** Medians of MiB a process, printed. */
export async function memory(setting: Setting): Promise<void> {
  const preload = ['--require', hook];
  console.log(`\nmemory: ${PROCESSES} processes with esbuild started; MiB each, medians`);
  console.log(`${''.padEnd(22)}${['private', 'anonymous', 'Pss'].map((name) => name.padStart(10)).join('')}`);
  for (const [name, flags, script] of [
    ['bare Node', [], 'bare.mjs'],
    ['bare Node, insitu/wasm', preload, 'bare.mjs'],
    ['esbuild in V8', [], 'holder.mjs'],
    ['esbuild in place', preload, 'holder.mjs'],
  ] as const) {
    const figures = await hold(setting, flags, script);
    const cells = [figures.private, figures.anonymous, figures.pss].map((mib) => mib.toFixed(1).padStart(10));
    console.log(`${name.padEnd(22)}${cells.join('')}`);
  }
}
