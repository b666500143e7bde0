// Makes WebAssembly of the samples' text (*.wat) and, where clang can, of words.c: into build/samples, or a directory that
// is said. The text is read by npm's @bytecodealliance/jco-transpile.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';

const here = fileURLToPath(new URL('.', import.meta.url));
const [, , directory = join(here, '../build/samples')] = argv;
mkdirSync(directory, { recursive: true });

for (const name of readdirSync(here).filter((file) => file.endsWith('.wat'))) {
  const output = join(directory, `${basename(name, '.wat')}.wasm`);
  writeFileSync(output, await parse(readFileSync(join(here, name), 'utf8')));
  console.log(output);
}

const output = join(directory, 'words.wasm');
const args = ['--target=wasm32-wasi', '-O2', '-o', output, join(here, 'words.c')];
const { status } = spawnSync('clang', args, { stdio: 'ignore' });
if (status === 0) console.log(output);
else
  console.error(
    'words.c: clang makes no WASI program (apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32)',
  );
