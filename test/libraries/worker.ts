// Runs in worker threads: see loadInWorker.
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { loadSync } from '../../runtime/index.ts';
import { addonAnswers } from './addons.ts';
import { places } from './loading.ts';

const { path, kind } = workerData as { path: string; kind: 'busy' | 'addon' };

function busy(): number {
  let rounds = 0;
  for (; rounds < 50; rounds++) {
    using library = loadSync(path, { place: places[rounds % 2] ?? 'in-place' });
    const work = library.func('int work(int)');
    assert.equal(work(rounds), 2 * rounds + 1 + 1);
    assert.equal(work(7), 14 + 1 + 2);
  }
  return rounds;
}

parentPort?.postMessage(kind === 'busy' ? busy() : addonAnswers(path));
