// Runs esbuild as its own script does and, asked to show its version, stays: its memory is looked at. In place with the
// preload, else under V8. Says "ready" when it has started.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import process from 'node:process';

const { resolve } = createRequire(import.meta.url);
const bytes = readFileSync(resolve('esbuild-wasm/esbuild.wasm'));
globalThis.require = createRequire(import.meta.url);
globalThis.fs = await import('node:fs');
await import(resolve('esbuild-wasm/wasm_exec.js'));
const go = new globalThis.Go();
go.argv = ['esbuild', '--service=0.28.2', '--ping'];
const { instance } = await WebAssembly.instantiate(bytes, go.importObject);
go.run(instance);
setTimeout(() => process.stdout.write('ready\n'), 500);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
