// An app of packages with addons: what node_modules of the project has of them, in a directory of its own.
import { copyFileSync, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { here, root } from '../wasm/packages/places.ts';

export const packages = ['bcrypt', 'sharp', 'lmdb', 'classic-level', '@node-rs/argon2', 'sodium-native'];

interface Manifest {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/** A package and all that it depends on, as far as that is installed here. */
function copyPackage(app: string, name: string, from = join(root, 'node_modules')): void {
  const source = [join(from, name), join(root, 'node_modules', name)].find((path) => existsSync(path));
  const target = join(app, 'node_modules', name);
  if (source === undefined || existsSync(target)) return;
  cpSync(source, target, { recursive: true });
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(source, 'package.json'), 'utf8'),
  ) as Manifest;
  for (const needed of Object.keys({ ...dependencies, ...optionalDependencies }))
    copyPackage(app, needed, join(source, 'node_modules'));
}

/** `node jobs.cjs NAME` does what NAME is asked to do. */
export function makeApp(app: string): void {
  for (const name of packages) copyPackage(app, name);
  copyFileSync(here('../../addons/jobs.cjs'), join(app, 'jobs.cjs'));
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "main": "jobs.cjs" }');
}
