// brotli-wasm (Rust, wasm-bindgen), against Node's own brotli.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';

const require = createRequire(import.meta.url);
const brotli = require('brotli-wasm');
const text = readFileSync(require.resolve('esbuild-wasm/lib/main.js'));
const packed = brotli.compress(text, { quality: 6 });
const results = [packed.length, Buffer.compare(brotliDecompressSync(packed), text)];
results.push(Buffer.compare(Buffer.from(brotli.decompress(brotliCompressSync(text))), text));
try {
  brotli.decompress(Uint8Array.of(1, 2, 3));
} catch (error) {
  results.push(String(error));
}
console.log(JSON.stringify(results));
