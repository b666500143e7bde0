// Puts insitu/wasm where packages look for WebAssembly, before they are loaded. What became of each module goes to the
// file that INSITU_EXPLAIN names when the process ends; taken now, since programs change their environment.
import { appendFileSync } from 'node:fs';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';
import * as wasm from '../../../dist/runtime/wasm/index.mjs';

const { setPolicy, explain, ...names } = wasm;
const { INSITU_EXPLAIN: file, INSITU_PLACE: place = 'in-place' } = process.env;
// What workers are posted is in place, or an error: what they explain is lost when they are terminated.
setPolicy({ place, fallback: isMainThread });
Object.defineProperty(globalThis, 'WebAssembly', {
  value: Object.assign(Object.create(null), names),
  configurable: true,
  writable: true,
});
if (file)
  process.on('exit', () => {
    for (const explanation of explain()) appendFileSync(file, `${JSON.stringify(explanation)}\n`);
  });
