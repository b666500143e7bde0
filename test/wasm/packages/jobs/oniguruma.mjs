// vscode-oniguruma (Emscripten): the regular expressions that editors colour text with.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import oniguruma from 'vscode-oniguruma';

const { loadWASM, OnigScanner, OnigString } = oniguruma;
const { resolve } = createRequire(import.meta.url);
await loadWASM(readFileSync(resolve('vscode-oniguruma/release/onig.wasm')));
const scanner = new OnigScanner([
  '\\b(function|return|const)\\b',
  '(?<quote>["\'`]).*?\\k<quote>',
  '\\p{Lu}\\w*',
  '/\\*(?>[^*]|\\*(?!/))*\\*/',
]);
const text = new OnigString(readFileSync(resolve('esbuild-wasm/lib/main.js'), 'utf8').slice(0, 60_000));
const matches = [];
for (let at = 0; ; ) {
  const match = scanner.findNextMatchSync(text, at);
  if (match === null) break;
  const [{ start, end }] = match.captureIndices;
  matches.push([match.index, start, end]);
  at = Math.max(end, at + 1);
}
console.log(matches.length, JSON.stringify(matches.filter((_, i) => i % 40 === 0)));
