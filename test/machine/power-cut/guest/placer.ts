// Runs in the guest: places files of changing content under the same names, and tells of each once it is placed.
// usage: placer.js WHERE FIRST DEVICE NAME=DIRECTORY…   FIRST is the version to begin with.
import { mkdirSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createRegion } from '../../../../loader/store/create.ts';
import { placeInDirectory } from '../../../../loader/store/directory.ts';
import { placeInRegion } from '../../../../loader/store/place.ts';
import { contentOf, KEPT, names, PLANTED } from '../placed.ts';
import { heldIn } from './held.ts';

const sources = '/run/to-place';
const source = (name: string) => join(sources, name);
const tell = (line: string) => writeSync(1, `${line}\n`);

const [where = '', first = '', device = '', ...given] = process.argv.slice(2);
const directories = given.map((pair) => pair.split('=') as [medium: string, path: string]);
mkdirSync(sources, { recursive: true });
for (const [medium, path] of directories) {
  mkdirSync(path, { recursive: true });
  tell(`held ${where} ${medium} ${heldIn(path)}`);
}
if (where === 'start') {
  createRegion(device);
  writeFileSync(source(KEPT), contentOf(KEPT, 0));
  placeInRegion([{ path: source(KEPT), name: KEPT }], device);
  tell(`placed region ${KEPT} 0`);
}
tell(`placing ${where}`);
if (process.env.ONLY_LOOK) process.exit();

for (let version = Number(first); ; version++) {
  for (const name of names) writeFileSync(source(name), contentOf(name, version));
  placeInRegion(
    names.map((name) => ({ path: source(name), name })),
    device,
  );
  for (const name of names) tell(`placed region ${name} ${version}`);
  for (const [medium, path] of directories) {
    if (medium === 'planted') plant(path, version);
    else
      for (const name of names) {
        placeInDirectory(source(name), path);
        tell(`placed ${medium} ${name} ${version}`);
      }
  }
}

function plant(directory: string, version: number): void {
  const temporary = join(directory, '.insitu-place-planted');
  writeFileSync(temporary, contentOf(PLANTED, version));
  renameSync(temporary, join(directory, PLANTED));
  tell(`placed planted ${PLANTED} ${version}`);
}
