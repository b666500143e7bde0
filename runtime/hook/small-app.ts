// A small app in a region, which does what most apps do with their files when they start.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../../loader/bundle/write.ts';
import { encodeReference } from '../bundle/open.ts';

const FILES: Record<string, string> = {
  'package.json': '{ "name": "small", "imports": { "#one": "./one.js" } }',
  'one.js': 'exports.one = 1;',
  'value.json': '{ "value": 1 }',
  'node_modules/mapped/package.json': '{ "name": "mapped", "exports": { ".": { "require": "./index.js" } } }',
  'node_modules/mapped/index.js': 'module.exports = require(`plain`);',
  'node_modules/plain/package.json': '{ "name": "plain", "main": "lib" }',
  'node_modules/plain/lib/index.js': 'module.exports = require.resolve(`../package.json`);',
  'index.js': [
    'const fs = require(`node:fs`);',
    'for (const name of [`./one`, `#one`, `mapped`, `./value`]) require(name);',
    'const value = require.resolve(`./value.json`);',
    'fs.readFileSync(value, `utf8`), fs.existsSync(value), fs.statSync(value);',
    'fs.readdirSync(__dirname), fs.realpathSync(value);',
  ].join('\n'),
};

/** @returns what INSITU_BUNDLE would say of it */
export function makeApp(directory: string): string {
  const app = join(directory, 'app');
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(join(app, name, '..'), { recursive: true });
    writeFileSync(join(app, name), text);
  }
  const { region, place } = bundle(app, join(directory, 'app.region'), { store: join(directory, 'store') });
  return encodeReference(region, place, undefined);
}
