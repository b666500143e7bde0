import { readFileSync } from 'node:fs';

/** The package's own package.json, from the source tree or from dist. */
export function packageInfo(): { version: string } {
  const up = import.meta.url.endsWith('.ts') ? '../../package.json' : '../../../package.json';
  return JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8'));
}
