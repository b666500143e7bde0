import { readFileSync } from 'node:fs';
import { packageRoot } from '../../loader/root.ts';

/** The package's own package.json, from the source tree or from dist. */
export function packageInfo(): { version: string } {
  return JSON.parse(readFileSync(`${packageRoot}package.json`, 'utf8'));
}
