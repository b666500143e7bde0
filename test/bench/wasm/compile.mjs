// What V8 takes to compile a module by the flags it was started with: node compile.mjs MODULE. Milliseconds and bytes.
import { readFileSync } from 'node:fs';
import process from 'node:process';

const bytes = readFileSync(process.argv[2]);
const before = process.cpuUsage();
const began = performance.now();
new WebAssembly.Module(bytes);
const wallMs = performance.now() - began;
const { user, system } = process.cpuUsage(before); // of all threads
const peakBytes = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ wallMs, cpuMs: (user + system) / 1000, peakBytes }));
