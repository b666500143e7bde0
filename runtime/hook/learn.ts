// INSITU=learn: what runs in V8 for want of an image is kept in the store, and compiled in the background by a process of its
// own, which outlives this one. INSITU=collect leaves the compiling to whoever started this (insitu install --from).
import { spawn } from 'node:child_process';
import { openStore } from '../../loader/images/choose.ts';
import { keepLearned } from '../../loader/images/learned.ts';
import { moduleFile } from '../../loader/root.ts';
import { startEnvironment } from '../../loader/start-environment.ts';

const { whole, ...environment } = startEnvironment;
let compiling = false;

function startCompiling(): void {
  if (compiling || startEnvironment.INSITU === 'collect') return;
  compiling = true;
  const child = spawn(process.execPath, [moduleFile('runtime/cli/main'), 'install', '--learned'], {
    detached: true,
    stdio: 'ignore',
    env: { ...whole, INSITU: 'off', NODE_OPTIONS: '' },
  });
  child.on('error', () => {}); // the module stays kept: another process will come to it
  child.on('exit', () => {
    compiling = false;
  });
  child.unref();
}

/** @returns what is to be said of it */
export function learn(bytes: Uint8Array): string {
  try {
    const root = openStore(undefined, environment);
    const refused = keepLearned(root, bytes, process.argv[1] ?? '');
    if (refused !== undefined) return `no image in a store: ${refused}`;
    startCompiling();
    return 'no image in a store: learnt';
  } catch (error) {
    return `no image in a store: not learnt: ${(error as Error).message}`;
  }
}
