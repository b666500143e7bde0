// One kernel one way: node kernel.mjs v8|in-place MODULE [TIMES]. Warmed up until V8 has optimised it, then CPU time of
// a call with TIMES, in ms, several times; without TIMES, how many of them take some 60 ms. A line of JSON.
import { readFileSync } from 'node:fs';
import process from 'node:process';

const [way, file, given] = process.argv.slice(2);
const SAMPLES = 9;
const WARM_MS = 400;
const WANTED_MS = 60;

async function load() {
  if (way === 'v8') return WebAssembly;
  const insitu = await import('../../../dist/runtime/wasm/index.mjs');
  insitu.setPolicy({ fallback: false });
  return insitu;
}

function cpuMs(act) {
  const before = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function calibrate(run) {
  for (let times = 1; times < 1 << 24; times *= 2) if (cpuMs(() => run(times)) >= WANTED_MS) return times;
  throw new Error(`${file}: takes no time; want it to take more for more`);
}

const { Module, Instance } = await load();
const { run } = new Instance(new Module(readFileSync(file))).exports;
const checksum = run(3);
for (const until = performance.now() + WARM_MS; performance.now() < until; ) run(1);
const times = given === undefined ? calibrate(run) : Number(given);
run(times);
const samples = Array.from({ length: SAMPLES }, () => cpuMs(() => run(times))).sort((a, b) => a - b);
console.log(JSON.stringify({ checksum, times, ms: samples[SAMPLES >> 1] }));
