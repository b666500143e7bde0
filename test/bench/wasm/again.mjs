// What an instance takes that is made again from JavaScript, of a module that is there: node again.mjs v8|in-place MODULE.
// Median µs, by wall clock.
import { readFileSync } from 'node:fs';

const [way, file] = process.argv.slice(2);
const { Module, Instance, Memory, Table, Global } =
  way === 'v8' ? WebAssembly : await import('../../../dist/runtime/wasm/index.mjs');
const bytes = readFileSync(file);
const module = new Module(bytes);
const imports = {};
for (const { module: from, name, kind } of Module.imports(module)) {
  imports[from] ??= {};
  if (kind === 'function') imports[from][name] = () => 0;
  if (kind === 'memory') imports[from][name] = () => new Memory({ initial: 256, maximum: 32768 });
  if (kind === 'table') imports[from][name] = () => new Table({ initial: 0, element: 'anyfunc' });
  if (kind === 'global') imports[from][name] = () => new Global({ value: 'i32' }, 0);
}

/** As a package does it: what is imported besides functions is made for each instance. */
function fresh() {
  const made = {};
  for (const { module: from, name, kind } of Module.imports(module)) {
    made[from] ??= {};
    made[from][name] = kind === 'function' ? imports[from][name] : imports[from][name]();
  }
  return made;
}

const samples = [];
for (let i = 0; i < 300; i++) {
  const given = fresh();
  const began = process.hrtime.bigint();
  new Instance(module, given);
  samples.push(Number(process.hrtime.bigint() - began) / 1000);
  if (i % 20 === 0) await new Promise(setImmediate); // V8 lets memories go between tasks
}
console.log(JSON.stringify({ us: samples.sort((a, b) => a - b)[150] }));
