// Builds the recorder, which is C++ and x86-64 only.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileC } from '../../build/compile.ts';

const sources = fileURLToPath(new URL('./recorder', import.meta.url));

/** @returns the path of the binary, in `directory` or else in this process's temporary one */
export function buildRecorder(directory?: string): string {
  const files = readdirSync(sources).sort();
  const text = (name: string) => readFileSync(join(sources, name), 'utf8');
  const headers = files.filter((name) => name.endsWith('.h')).map(text);
  const digest = createHash('sha256').update(headers.join()).digest('hex');
  const units = files
    .filter((name) => name.endsWith('.cc'))
    .map((name) => `#line 1 "${name}"\n${text(name)}`);
  // One unit of all; the headers' digest tells the cache of compileC when they change.
  return compileC(`// headers ${digest}\n${units.join('\n')}`, {
    name: 'recorder',
    kind: 'pie',
    language: 'c++',
    flags: ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Werror', `-I${sources}`],
    ...(directory === undefined ? {} : { dir: directory }),
  });
}
