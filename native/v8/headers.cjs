// Prints where the headers of the Node that runs this lie, when they lie beside it and are its own.
const { readFileSync } = require('node:fs');
const { resolve } = require('node:path');

const directory = resolve(process.execPath, '../../include/node');
try {
  const text = readFileSync(`${directory}/node_version.h`, 'latin1');
  const [, modules] = /define NODE_MODULE_VERSION (\d+)/.exec(text);
  if (modules === process.versions.modules) console.log(directory);
} catch {
  // None: no accelerator is built.
}
