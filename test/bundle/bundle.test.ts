// insitu bundle and insitu run of what it makes.
import { renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { files } from './app.ts';
import { bundled, directory, insitu, node, write } from './stage.ts';

const bundles = suite('bundle');

const app = write(files, join(directory, 'app'));
symlinkSync('data/text.txt', join(app, 'link'));
symlinkSync('data/more', join(app, 'linked'));
symlinkSync('nowhere', join(app, 'dangling'));
const region = bundled(app);
const out = { OUT: directory, NODE_NO_WARNINGS: '1' }; // of syntax.js, which says nothing of its type

bundles('an app sees and does the same as from its directory, which is not needed any more', () => {
  const plain = node([join(app, 'main.cjs'), 'x', 'y'], out);
  renameSync(app, `${app}.away`);
  const placed = insitu(['run', region, 'x', 'y'], out);
  renameSync(`${app}.away`, app);
  assert.equal([plain.status, plain.stderr], [0, '']);
  assert.equal([placed.status, placed.stderr, placed.stdout], [0, '', plain.stdout]);
});

bundles.run();
