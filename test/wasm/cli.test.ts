// insitu inspect of modules, components and images.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { insitu } from '../cli/insitu.ts';
import { directory, env, install, sample, store, wasmFile } from './stage.ts';

const math = await sample('math');
const greet = await sample('greet');
const { installed, components } = install(math, greet);
const [{ sha256 }] = installed as [{ sha256: string }];
const entry = join(store, 'entries', sha256);
const image = join(entry, readdirSync(entry).find((name) => name.endsWith('.so')) ?? '');

const inspect = suite('insitu inspect of WebAssembly');

function json(...args: string[]) {
  const { status, stdout, stderr } = insitu(['inspect', '--json', ...args], { env });
  assert.equal([status, stderr], [0, ''], args.join(' '));
  return JSON.parse(stdout);
}

inspect('a module: what it imports and exports, its image, and how that would be mapped', () => {
  const { format, segments, wasm } = json(math);
  assert.equal([format, segments], ['wasm-module', []]);
  assert.equal(wasm.interface, { imports: {}, exports: { memory: 1, function: 6 } });
  assert.equal([wasm.malformed, wasm.cores], [null, null]);
  const { file, store: where, sha256: of, tier, sourceSize, memoryImageBytes } = wasm.image;
  assert.equal([file, where, of, tier], [image, store, sha256, 'quick']);
  assert.is(sourceSize, readFileSync(math).length);
  // Two letters 40 KiB apart: two pages at the least.
  assert.ok(
    memoryImageBytes >= 8192 && memoryImageBytes <= 65536 && memoryImageBytes % 4096 === 0,
    memoryImageBytes,
  );
  const protections = wasm.image.segments.map(({ prot }: { prot: string }) => prot);
  assert.equal(protections, ['r--', 'r-x', 'r--', 'rw-']);
  const placements = wasm.image.segments.map(({ placement }: { placement: string }) => placement);
  assert.equal(placements, ['in-place', 'in-place', 'in-place', 'cow']);
});

inspect('an image itself says of which module it is', () => {
  const { format, wasm } = json(image);
  assert.equal([format, wasm.image.sha256, wasm.image.store], ['elf-shared', sha256, null]);
  assert.is(wasm.interface.exports.function, 6);
  assert.not('wasm' in json('/usr/lib/x86_64-linux-gnu/libz.so.1'));
});

inspect('of an image of another format that alone is told', () => {
  const bytes = readFileSync(image);
  const note = bytes.indexOf('insitu\0');
  assert.ok(note > 0);
  bytes.writeUInt32LE(99, note + 8);
  const other = join(directory, 'other.so');
  writeFileSync(other, bytes);
  const { wasm } = json(other);
  assert.equal([wasm.image.imageFormat, wasm.image.tier, wasm.image.memoryImageBytes], [99, null, null]);
  assert.match(insitu(['inspect', other], { env }).stdout, /image format +99: of another version/);
});

inspect('modules that are not installed, and such that are none', async () => {
  const other = await wasmFile(
    'other.wasm',
    '(module (import "a" "b" (func)) (import "a" "c" (global i32)))',
  );
  const { wasm } = json(other);
  assert.equal([wasm.image, wasm.interface.imports], [null, { function: 1, global: 1 }]);
  assert.ok(insitu(['inspect', other], { env }).stdout.includes(`none in a store (insitu install ${other})`));
  const broken = join(directory, 'broken.wasm');
  writeFileSync(broken, Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1]));
  assert.match(json(broken).wasm.malformed, /\S/);
});

inspect('a component: each of its core modules', () => {
  const { format, wasm } = json(greet);
  assert.is(format, 'wasm-component');
  assert.equal(
    wasm.cores.map((core: { image: { sha256: string } }) => core.image.sha256),
    components[0].modules,
  );
  assert.match(insitu(['inspect', greet], { env }).stdout, /^core modules +2$/m);
});

inspect('--evidence shows where the pages of an image are', () => {
  for (const path of [math, image]) {
    const { evidence } = json('--evidence', path);
    const { pages, resident, private: own } = evidence.totals.text;
    if (resident !== null) assert.equal([resident, own ?? 0], [pages, 0]);
    else assert.is(evidence.source, 'none');
  }
  const refused = insitu(['inspect', '--evidence', join(directory, 'other.wasm')], { env });
  assert.is(refused.status, 2);
  assert.match(refused.stderr, /wants a library or a module that is installed/);
});

inspect.run();
