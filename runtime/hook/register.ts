// The preload: `node --require insitu/register app.js`, or `--import`. It replaces properties of WebAssembly by ones that load
// what they need when they are first asked for. Node itself goes through them for `import './x.wasm'` and `import source`, so
// no module hooks are needed, and a start that has nothing to do with WebAssembly pays for nothing else.
import { once } from '../../loader/once.ts';
import { moduleFile, requireHere } from '../../loader/root.ts';
import { startEnvironment } from '../../loader/start-environment.ts';
import { genuine } from '../wasm/genuine.ts';
import { reachChildren } from './children.ts';
import { loading } from './code.ts';
import type * as Namespace from './namespace.ts';

const names = [
  ...['compile', 'validate', 'instantiate', 'compileStreaming', 'instantiateStreaming'],
  ...['Module', 'Instance', 'Table', 'Memory', 'Global'],
];

type Target = Record<PropertyKey, unknown>;

/** Until it is first read, then the value; a program that sets it first has its way. */
function defineLate(target: Target, name: string, value: () => unknown): void {
  const enumerable = genuine[name]?.enumerable === true;
  const settle = (settled: unknown): unknown => {
    Object.defineProperty(target, name, { value: settled, writable: true, enumerable, configurable: true });
    return settled;
  };
  Object.defineProperty(target, name, {
    get: () => settle(value()),
    set: settle,
    enumerable,
    configurable: true,
  });
}

function register(): void {
  const target = (globalThis as unknown as { WebAssembly: Target }).WebAssembly;
  let namespace: typeof Namespace | undefined;
  for (const name of names) {
    if (!genuine[name]?.configurable) continue; // frozen intrinsics: V8's own it is
    defineLate(target, name, () => {
      if (namespace === undefined) {
        loading().ready('namespace');
        namespace = requireHere(moduleFile('runtime/hook/namespace')) as typeof Namespace;
      }
      return namespace.memberOf(name);
    });
  }
}

const { INSITU, INSITU_REPORT } = startEnvironment;

/** Once a thread, however often it is preloaded. */
function start(): object {
  register();
  reachChildren(moduleFile('runtime/hook/register'));
  if (INSITU_REPORT)
    process.once('exit', () => {
      (requireHere(moduleFile('runtime/hook/report')) as typeof import('./report.ts')).write(INSITU_REPORT);
    });
  return {};
}

if (INSITU !== 'off') once('register', start);
