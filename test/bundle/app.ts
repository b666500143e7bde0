// What the app of the tests does: whatever programs do with their own files, said in lines that hold no path.
export const files: Record<string, string> = {
  'package.json':
    '{ "name": "app", "main": "./main.cjs", "imports": { "#inner/*": "./inner/*.cjs", "#path": "path" }, "exports": { "./self": "./self.cjs" } }',
  'data/text.txt': 'a text\nof lines é\n',
  'data/more/deep.txt': 'deep',
  'self.cjs': 'module.exports = "itself";',
  'inner/one.cjs': 'module.exports = "one of imports";',
  'value.json': '\ufeff{ "value": 7 }',
  'sloppy.js': 'module.exports = typeof this + typeof arguments;',
  'syntax.js':
    'export const by = "syntax"; export default import.meta.filename?.split("/").at(-1) ?? "none";',
  'node_modules/dual/package.json':
    '{ "name": "dual", "exports": { ".": { "import": "./index.mjs", "require": "./index.cjs" }, "./deep/*.js": "./lib/*.js", "./data.json": "./data.json" } }',
  'node_modules/dual/index.mjs':
    'import { createRequire } from "node:module"; export const kind = "module"; export const other = createRequire(import.meta.url)("./index.cjs").kind;',
  'node_modules/dual/index.cjs': 'exports.kind = "commonjs";',
  'node_modules/dual/lib/x.js': 'exports.x = "deep x";',
  'node_modules/dual/data.json': '{ "d": 1 }',
  'node_modules/old/package.json': '{ "name": "old", "main": "lib" }',
  'node_modules/old/lib/index.js':
    'exports.named = "old"; exports.where = require("path").basename(__dirname); exports.inner = require("./inner");',
  'node_modules/old/lib/inner.js':
    'module.exports = require("old/package.json").name + require("dual").kind;',
  'node_modules/@scope/pkg/package.json':
    '{ "name": "@scope/pkg", "type": "module", "exports": "./index.js" }',
  'node_modules/@scope/pkg/index.js':
    'import old, { named } from "old"; import { x } from "dual/deep/x.js"; export default [old.inner, named, x].join();',
  'node_modules/alias/package.json': '{ "name": "by-another-name", "exports": "./i.js" }',
  'node_modules/alias/i.js': 'module.exports = "alias";',
  'node_modules/nested/package.json':
    '{ "exports": { ".": { "node": { "import": "./i.mjs" }, "default": "./d.js" }, "./x?y": "./d.js", "./out": "./../alias/i.js", "./*": "./*.js", "./no/*": null } }',
  'node_modules/nested/i.mjs': 'export default "by import";',
  'node_modules/nested/d.js': 'module.exports = "by default";',
  'whole.cjs': `#!/usr/bin/env node
    const process = 1, Symbol = 2, globalThis = 3;
    exports.has = [typeof require.cache, typeof require.extensions, typeof require.resolve.paths, require.cache[__filename] === module].join();`,
  'module.mjs': `
    import fs, { readFileSync } from 'node:fs';
    import { readFile } from 'node:fs/promises';
    import scoped from '@scope/pkg';
    import { kind, other } from 'dual';
    import { by } from './syntax.js';
    import one from '#inner/one';
    import join from '#path';
    import nested from 'nested';
    import alias from 'alias';
    import { has } from './whole.cjs';
    export default async function () {
      const text = readFileSync(new URL('./data/text.txt', import.meta.url), 'utf8');
      const same = await readFile(new URL('data/text.txt', import.meta.url), 'utf8');
      const late = await import('./late.mjs?query#hash');
      const { default: json } = await import('./value.json', { with: { type: 'json' } });
      const missing = await import('./none.mjs').catch(({ code }) => code);
      const unknown = await import('no-such-package').catch(({ code }) => code);
      return [join.join('a', 'b'), nested, alias, has, text === same, scoped, kind, other, by, one, late.default, late.url, json.value, missing, unknown, fs.existsSync(new URL('.', import.meta.url))];
    }`,
  'late.mjs': 'export default "late"; export const url = import.meta.url.replace(/^.*\\//, "");',
  'thread.mjs': `
    import { parentPort, workerData } from 'node:worker_threads';
    import { kind } from 'dual';
    parentPort.postMessage(workerData + kind);`,
  'child.cjs':
    'process.send?.(require("dual").kind + process.argv[2]); if (!process.send) console.log("spawned", require("old").named);',
  'main.cjs': `
    const fs = require('node:fs');
    const path = require('node:path');
    const { Worker } = require('node:worker_threads');
    const { execFileSync, fork } = require('node:child_process');
    const { pathToFileURL } = require('node:url');
    const at = (name) => path.join(__dirname, name);
    const say = (...what) => console.log(...what);
    const failing = (act) => { try { return act(); } catch ({ code, syscall, path: of, errno }) { return [code, syscall, of && path.relative(__dirname, of), typeof errno].join(); } };
    const promised = (act) => act().catch(({ code, syscall }) => [code, syscall].join());
    (async () => {
      say(require.main === module, module.id, path.basename(__filename), path.relative(__dirname, process.argv[1]), process.argv.slice(2));
      say(require('./value').value, require('./sloppy'), require('old').where, require('dual').kind, require('app/self'), require('#inner/one'));
      say(path.relative(__dirname, require.resolve('old')), path.relative(__dirname, require.resolve('./data/text.txt')), failing(() => require('./none')), failing(() => require('dual/lib/x.js')));
      say(require.resolve('dual', { paths: [at('node_modules/old/lib')] }).split('/').at(-1), require('node:module').createRequire(at('x.js'))('old').named);
      say(require.cache[__filename] === module, module.paths[0] === at('node_modules'), module.children.length > 3);
      say(require('nested'), require('alias'), require('nested/x?y'), failing(() => require('nested/out')), failing(() => require('nested/no/d')), require('nested/d'));
      // what is there
      const { parentPath, path: parent } = fs.readdirSync(new URL('./data/', pathToFileURL(__filename)), { withFileTypes: true })[0];
      say(path.relative(__dirname, parentPath ?? parent), fs.existsSync(__dirname + '/../package.json'), fs.existsSync(at('data/text.txt') + '/'), failing(() => fs.statSync(at('data/text.txt') + '/')), fs.existsSync(new URL('file:///a%2Fb')));
      fs.mkdirSync(at('data'), { recursive: true });
      const names = (entries) => entries.map((entry) => typeof entry === 'string' ? entry : [entry.name, entry.isDirectory(), entry.isFile()].join(':')).sort().join(' ');
      say(names(fs.readdirSync(at('data'))), names(fs.readdirSync(at('data'), { withFileTypes: true })), names(await fs.promises.readdir(at('data'))));
      if (+process.versions.node.split('.')[0] > 20) say(names(fs.readdirSync(at('data'), { recursive: true })));
      const stat = fs.statSync(at('data/text.txt'));
      say(stat.isFile(), stat.size, stat.mode.toString(8).slice(0, 4), stat.mtime instanceof Date, fs.statSync(at('data')).isDirectory(), fs.lstatSync(at('link')).isSymbolicLink());
      say(fs.statSync(at('data/text.txt'), { bigint: true }).size, (await fs.promises.stat(at('data/text.txt'))).size, fs.statSync(at('none'), { throwIfNoEntry: false }));
      say(fs.readFileSync(at('link'), 'utf8'), path.relative(__dirname, fs.realpathSync(at('link'))), path.relative(__dirname, fs.realpathSync.native(at('linked/deep.txt'))), fs.readFileSync(at('linked/deep.txt'), 'latin1'));
      say(fs.existsSync(at('data')), fs.existsSync(at('none')), fs.accessSync(at('data/text.txt')), failing(() => fs.accessSync(at('none'))));
      for (const act of [() => fs.readFileSync(at('none')), () => fs.readFileSync(at('data')), () => fs.statSync(at('none')), () => fs.readdirSync(at('main.cjs')),
        () => fs.readFileSync(at('main.cjs/x')), () => fs.openSync(at('none')), () => fs.readlinkSync(at('main.cjs')), () => fs.realpathSync(at('none'))]) say(failing(act));
      say(await promised(() => fs.promises.readFile(at('none'))), await promised(() => fs.promises.access(at('none'))));
      // reading
      const fd = fs.openSync(at('data/text.txt'), 'r');
      const buffer = Buffer.alloc(6);
      say(fs.readSync(fd, buffer), buffer.toString(), fs.readSync(fd, buffer, 0, 3, 2), buffer.toString(), fs.readSync(fd, buffer, { position: 0, length: 2 }), fs.fstatSync(fd).size, fs.readFileSync(fd, 'utf8').length);
      fs.closeSync(fd);
      say(failing(() => fs.readSync(fd, buffer)));
      const handle = await fs.promises.open(at('data/text.txt'));
      say((await handle.read(Buffer.alloc(4))).bytesRead, (await handle.stat()).size, (await handle.readFile('utf8')).length);
      await handle.close();
      say(await promised(() => handle.read(Buffer.alloc(4))));
      const lined = await fs.promises.open(at('data/text.txt'));
      for await (const line of lined.readLines()) say(line);
      const again = await fs.promises.open(at('data/text.txt'));
      const [one, two] = [Buffer.alloc(2), Buffer.alloc(3)];
      say((await again.readv([one, two])).bytesRead, one + two, fs.fstatSync(again.fd).size);
      for await (const chunk of again.createReadStream({ encoding: 'utf8' })) say(chunk.length);
      const given = fs.openSync(at('data/text.txt'));
      say(execFileSync('cat', { stdio: [given, 'pipe', 'inherit'] }).length);
      fs.closeSync(given);
      let streamed = '';
      for await (const chunk of fs.createReadStream(at('data/text.txt'), { encoding: 'utf8', start: 2, end: 6 })) streamed += chunk;
      say(streamed);
      await new Promise((done) => fs.readFile(at('data/text.txt'), 'utf8', (error, text) => { say(error, text.length); done(); }));
      await new Promise((done) => fs.readFile(at('none'), (error, text) => { say(error.code, text); done(); }));
      await new Promise((done) => fs.exists(at('data'), (is) => { say(is); done(); }));
      say((await require('node:util').promisify(fs.stat)(at('data/text.txt'))).size, await require('node:util').promisify(fs.exists)(at('data')));
      const copy = path.join(process.env.OUT, 'copy' + process.pid);
      fs.copyFileSync(at('data/text.txt'), copy);
      say(fs.readFileSync(copy, 'utf8').length);
      fs.rmSync(copy);
      say(path.relative(__dirname, path.relative(process.cwd(), at('data')) && at('data')), fs.readFileSync(path.relative(process.cwd(), at('data/more/../more/deep.txt')), 'utf8'), fs.readFileSync(Buffer.from(at('data/more/deep.txt')), 'utf8'));
      // modules, threads, children
      say(await (await import(pathToFileURL(at('module.mjs')))).default());
      say(await new Promise((done, fail) => new Worker(at('thread.mjs'), { workerData: 'to ' }).on('message', done).on('error', fail)));
      say(await new Promise((done, fail) => new Worker('require("node:worker_threads").parentPort.postMessage(require(' + JSON.stringify(at('value.json')) + ').value)', { eval: true }).on('message', done).on('error', fail)));
      say(await new Promise((done) => fork(at('child.cjs'), ['!']).on('message', done)));
      process.stdout.write(execFileSync(process.execPath, [at('child.cjs')]));
      say(new Error('x').stack.includes(__filename));
    })();`,
};
