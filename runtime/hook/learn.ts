// INSITU=learn: what runs in V8 for want of an image is kept in the store, and compiled in the background by a process of its
// own, which outlives this one; addons are copied by it. INSITU=collect leaves that to whoever started this (install --from).
import { spawn } from 'node:child_process';
import { openStore } from '../../loader/images/choose.ts';
import { keepLearned, keepLearnedFile } from '../../loader/images/learned.ts';
import { moduleFile } from '../../loader/root.ts';
import { startEnvironment } from '../../loader/start-environment.ts';

const { whole, ...environment } = startEnvironment;
let installing = false;

function startInstalling(): void {
  if (installing || startEnvironment.INSITU === 'collect') return;
  installing = true;
  const child = spawn(process.execPath, [moduleFile('runtime/cli/main'), 'install', '--learned'], {
    detached: true,
    stdio: 'ignore',
    env: { ...whole, INSITU: 'off', NODE_OPTIONS: '' },
  });
  child.on('error', () => {}); // the module stays kept: another process will come to it
  child.on('exit', () => {
    installing = false;
  });
  child.unref();
}

/** @param keep returns why no install would be of use, if one has tried */
function learnBy(keep: (root: string) => string | undefined): string {
  try {
    const refused = keep(openStore(undefined, environment));
    if (refused !== undefined) return refused;
    startInstalling();
    return 'learnt';
  } catch (error) {
    return `not learnt: ${(error as Error).message}`;
  }
}

/** @returns what is to be said of a module */
export const learn = (bytes: Uint8Array): string =>
  `no image in a store: ${learnBy((root) => keepLearned(root, bytes, process.argv[1] ?? ''))}`;

/** @returns what is to be said of a shared object */
export const learnFile = (path: string): string =>
  `not in a store: ${learnBy((root) => keepLearnedFile(root, path))}`;
