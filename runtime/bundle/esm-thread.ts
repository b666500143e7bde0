// The hooks of esm.ts on the thread that Node 20 has for them.

import { esmHooks } from './esm.ts';
import { openApp } from './open.ts';
import { Resolver } from './resolve.ts';

let hooks: ReturnType<typeof esmHooks> | undefined;

export function initialize({ reference }: { reference: string }): void {
  const mount = openApp(reference);
  hooks = esmHooks(mount, new Resolver(mount, () => ['.js', '.json', '.node']));
}

type Hooks = ReturnType<typeof esmHooks>;
export const resolve: Hooks['resolve'] = (specifier, context, next) =>
  hooks === undefined ? next(specifier, context) : hooks.resolve(specifier, context, next);
export const load: Hooks['load'] = (url, context, next) =>
  hooks === undefined ? next(url, context) : hooks.load(url, context, next);
