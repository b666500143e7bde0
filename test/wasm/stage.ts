// Modules and components of the samples, and a store that they are installed in, for as long as this process lives.
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { environment, insitu } from '../cli/insitu.ts';

const TMPFS = 0x01021994;
const inRam = () => {
  try {
    return statfsSync('/dev/shm').type === TMPFS;
  } catch {
    return false;
  }
};

/** On a RAM file system, where there is one. */
export const directory = mkdtempSync(join(inRam() ? '/dev/shm' : tmpdir(), 'insitu-wasm-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

export const store = join(directory, 'store');
export const env: NodeJS.ProcessEnv = { ...environment, INSITU_STORE: store };

/** A file of a module or component, from its text. */
export async function wasmFile(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  writeFileSync(path, await parse(text));
  return path;
}

/** Of samples/NAME.wat, as another file than others of it where `as` says so. */
export const sample = (name: string, as = `${name}.wasm`): Promise<string> =>
  wasmFile(as, readFileSync(fileURLToPath(new URL(`../../samples/${name}.wat`, import.meta.url)), 'utf8'));

/** Compiles them at the quick tier. @returns what `insitu install --json` says */
export function install(...paths: string[]) {
  const { status, stdout, stderr } = insitu(['install', '--tier=quick', '--json', ...paths], {
    env,
    timeout: 100_000,
  });
  if (status !== 0) throw new Error(`insitu install: status ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
