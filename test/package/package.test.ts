// What package.json promises of the built tree. nodes.ts packs, installs and uses it.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { bin, dependencies, peerDependencies, peerDependenciesMeta, exports, files, os, version } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
) as {
  bin: Record<string, string>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
  exports: Record<string, string | Record<string, string>>;
  files: string[];
  os: string[];
  version: string;
};

const pack = suite('package.json');

pack('the exports map names files that are there, types first', () => {
  for (const [name, target] of Object.entries(exports)) {
    const targets = typeof target === 'string' ? [target] : Object.values(target);
    for (const path of targets) assert.ok(existsSync(join(root, path)), `${name}: ${path}`);
    if (typeof target !== 'string') assert.is(Object.keys(target)[0], 'types', name);
  }
});

pack('commands can be executed', () => {
  for (const [name, path] of Object.entries(bin)) {
    const file = join(root, path);
    assert.is(statSync(file).mode & 0o111, 0o111, `${name} is not executable`);
    const head = readFileSync(file).subarray(0, 4).toString('latin1');
    assert.ok(head === '\x7fELF' || head.startsWith('#!'), `${name} starts with ${JSON.stringify(head)}`);
    assert.is(execFileSync(file, ['--version'], { encoding: 'utf8' }), `${version}\n`, name);
  }
  const [shebang] = readFileSync(join(root, bin.insitu as string), 'utf8').split('\n');
  assert.is(shebang, '#!/usr/bin/env node');
});

pack('what is compiled imports Node, its dependencies and itself, nothing else', () => {
  assert.equal(os, ['linux']);
  const dist = join(root, 'dist');
  const compiled = readdirSync(dist, { recursive: true, encoding: 'utf8' });
  for (const file of compiled.filter((name) => /\.([cm]js|d\.ts)$/.test(name))) {
    const text = readFileSync(join(dist, file), 'utf8');
    for (const [, name = ''] of text.matchAll(
      /(?:\bfrom\s+|^import\s+|\bimport\(|\brequire\)?\()['"]([^'"\s]+)['"]/gm,
    )) {
      const own = name.startsWith('.') && existsSync(join(dist, file, '..', name.replace(/\.ts$/, '.d.ts')));
      assert.ok(own || name.startsWith('node:') || name in dependencies, `${file} imports ${name}`);
    }
  }
});

pack('required and imported, it is the same', () => {
  const code = `const { strictEqual } = require('node:assert');
    for (const name of ['insitu', 'insitu/wasm'])
      import(name).then((imported) => {
        const required = require(name);
        for (const key of Object.keys(imported)) strictEqual(imported[key], required[key], key);
        process.stdout.write(Object.keys(imported).length > 1 ? '.' : '-');
      });`;
  assert.is(execFileSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8' }), '..');
});

pack('packages that are wanted when they are there are declared so', () => {
  const dist = join(root, 'dist');
  const compiled = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.cjs'),
  );
  const wanted = compiled.flatMap((file) =>
    [...readFileSync(join(dist, file), 'utf8').matchAll(/\boptional\("((@[^/"]+\/)?[^/"]+)/g)].map(
      ([, name]) => name,
    ),
  );
  assert.equal([...new Set(wanted)].sort(), Object.keys(peerDependencies).sort());
  for (const name of Object.keys(peerDependencies))
    assert.is(peerDependenciesMeta[name]?.optional, true, name);
});

pack('the tarball holds dist, what is prebuilt and the papers, no tests and no leftovers', () => {
  for (const name of files.filter((entry) => !entry.startsWith('!')))
    assert.ok(existsSync(join(root, name)), `files: ${name}`);
  const listed = execFileSync(
    'npm',
    ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=silent'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  const answer = JSON.parse(listed) as
    | { files: { path: string }[] }[]
    | Record<string, { files: { path: string }[] }>;
  const paths = Object.values(answer)[0]?.files.map(({ path }) => path) ?? [];
  for (const name of ['insitu.node', 'insitu-exec', 'small.so', 'wasmtime_start'])
    assert.ok(paths.includes(`prebuilds/linux-x64/${name}`), name);
  for (const name of ['README.md', 'RATIONALE.md', 'CHANGELOG.md', 'LICENSE', 'dist/runtime/index.mjs'])
    assert.ok(paths.includes(name), name);
  const unwanted = paths.filter((path) => /^(test|build)\/|\.(o|new|tsbuildinfo|tgz)$|\.test\./.test(path));
  assert.equal(unwanted, []);
});

pack.run();
