// Builds the accelerator of every Node that is supported, for the package.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeOf, supported } from './nodes.ts';

const native = fileURLToPath(new URL('..', import.meta.url));
for (const major of supported) {
  const headers = `V8_HEADERS=${join(nodeOf(major), 'include/node')}`;
  execFileSync('make', ['-s', '-C', native, 'accelerator', headers], { stdio: 'inherit' });
}
