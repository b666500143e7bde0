// Every Node that is supported: this one, and the others from the registry, kept in build/.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { nodeOf, supported } from '../../../native/v8/nodes.ts';

export interface Node {
  version: string;
  path: string;
}

const binaryOf = (major: number): string =>
  process.versions.node.startsWith(`${major}.`) ? process.execPath : join(nodeOf(major), 'bin/node');

/** Those of these majors, in order; all of them if none is said. @throws Error when the registry does not give one */
export function nodes(wanted: readonly number[] = supported): Node[] {
  return wanted.map((major) => {
    const path = binaryOf(major);
    return { path, version: execFileSync(path, ['--version'], { encoding: 'utf8' }).trim() };
  });
}
