// npm start: the main job, on whatever this machine has. A library and a program are put into a region (DAX if there is
// some, else the RAM file system), sensed, mapped where they lie, run, and compared with a copy-load.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultRegion } from '../loader/default-region.ts';
import { generateLibrary } from '../test/build/generate.ts';
import { buildSamples } from './build.ts';

const cli = fileURLToPath(new URL('../dist/runtime/cli/main.cjs', import.meta.url));

function insitu(...args: string[]): void {
  const shown = args.map((arg) => (/[\s(]/.test(arg) ? `'${arg}'` : arg)).join(' ');
  console.log(`\n$ npx insitu ${shown}`);
  const { NO_COLOR, TERM } = process.env;
  const env = { PATH: '/usr/bin:/bin', NO_COLOR, TERM }; // hello-static prints all of its environment
  const { status, signal } = spawnSync(process.execPath, [cli, ...args], { stdio: 'inherit', env });
  if (status !== 0) throw new Error(`insitu ${args[0]} ended with ${signal ?? `exit code ${status}`}`);
}

const region = defaultRegion();
console.log(
  region.medium === 'dax'
    ? `A DAX file system is mounted at ${region.directory}: code runs from NVM.`
    : `No DAX file system here (insitu doctor tells how to get one). ${region.directory} (${region.medium}) stands in for NVM: ${
        region.medium === 'ram'
          ? 'the same code path, no copy, but volatile.'
          : 'the page cache, a copy of the disk.'
      }`,
);
for (const { directory, reason } of region.passedOver) {
  if (directory === '/dev/shm') console.log(`Passed over ${directory}: ${reason}.`);
}

const samples = buildSamples(fileURLToPath(new URL('../build/samples', import.meta.url)));
const directory = mkdtempSync(join(region.directory, 'insitu-start-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

const place = (file: string): string => {
  const path = join(directory, basename(file));
  copyFileSync(file, path);
  return path;
};

const hash = place(samples.hash);
insitu('inspect', '--evidence', hash);
insitu('call', hash, 'ulong crc32(ulong, str, uint)', '0', 'hello', '5');
insitu('run', '--report', place(samples['hello-static']), 'from', 'the', 'region');
const large = generateLibrary({ textMiB: 16, relocations: 'none', dir: directory });
insitu('compare', '--runs', '10', large, '--call', 'int answer(void)');
