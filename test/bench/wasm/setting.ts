// What all parts of the benchmark share: where images are, how often, and how children are started.
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export interface Setting {
  store: string;
  /** On the same file system as the store. */
  directory: string;
  /** Fresh processes a way. */
  runs: number;
  /** Processes a way for what takes long in each. */
  rounds: number;
}

export const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export const root = here('../../..');

/** As the machine is, less what slows Node's start. */
export function environment({ store }: Setting): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, NODE_EXTRA_CA_CERTS: __, ...rest } = process.env;
  return { ...rest, INSITU_STORE: store };
}

/** What a script of this directory prints. @throws Error when it fails */
export function child(
  setting: Setting,
  script: string,
  args: readonly string[],
  flags: readonly string[] = [],
) {
  return execFileSync(process.execPath, [...flags, here(script), ...args], {
    env: environment(setting),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
