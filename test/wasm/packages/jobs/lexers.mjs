// es-module-lexer and cjs-module-lexer, over the sources of a package.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as cjs from 'cjs-module-lexer';
import * as es from 'es-module-lexer';

await cjs.init();
await es.init;
const directory = join(dirname(createRequire(import.meta.url).resolve('undici')), 'lib/web/fetch');
const results = [];
for (const name of readdirSync(directory)
  .filter((file) => file.endsWith('.js'))
  .sort()) {
  const { exports, reexports } = cjs.parse(readFileSync(join(directory, name), 'utf8'));
  results.push([name, exports, reexports]);
}
const [imports, exports] = es.parse(readFileSync(new URL(import.meta.url), 'utf8'));
results.push(
  imports.map(({ n, s, e, d }) => [n, s, e, d]),
  exports,
  es.parse('export const a = 1, b = import("x")')[1],
);
console.log(JSON.stringify(results));
