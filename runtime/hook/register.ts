// The preload: `node --require insitu/register app.js`, or `--import`. It replaces properties of WebAssembly by ones that load
// what they need when they are first used, and process.dlopen. Node itself goes through them for `import './x.wasm'`,
// `import source` and addons, so no module hooks are needed, and a start that has to do with none of these pays for nothing else.
//
// The program may have frozen, mocked or taken away whatever this needs by then: V8's own does it in that case.
import { once } from '../../loader/once.ts';
import { moduleFile, packageRoot, requireHere } from '../../loader/root.ts';
import { startEnvironment } from '../../loader/start-environment.ts';
import { genuine } from '../wasm/genuine.ts';
import { reachChildren } from './children.ts';
import { loading } from './code.ts';
import type * as Libraries from './libraries.ts';
import type * as Namespace from './namespace.ts';

type AnyFunction = (...args: unknown[]) => unknown;
type Target = Record<PropertyKey, unknown>;

const calls = ['compile', 'validate', 'instantiate', 'compileStreaming', 'instantiateStreaming', 'promising'];
const classes = ['Module', 'Instance', 'Table', 'Memory', 'Global'];
const { apply, defineProperty } = Reflect;

let namespace: typeof Namespace | undefined;

function memberOf(name: string): unknown {
  try {
    if (namespace === undefined) {
      loading().ready('namespace');
      namespace = requireHere(moduleFile('runtime/hook/namespace')) as typeof Namespace;
    }
    return namespace.memberOf(name);
  } catch {
    return genuine[name]?.value;
  }
}

/** A call like V8's, that finds out at its first use what it is. */
function lateCall(name: string, v8: AnyFunction): AnyFunction {
  let found: AnyFunction | undefined;
  const { [name]: call } = {
    [name](...args: unknown[]): unknown {
      found ??= memberOf(name) as AnyFunction;
      return apply(found, this, args);
    },
  };
  defineProperty(call as AnyFunction, 'length', { value: v8.length, configurable: true });
  return call as AnyFunction;
}

/** A class until it is first read; then it is an ordinary property, if that may still be changed. */
function defineClass(target: Target, name: string, enumerable: boolean): void {
  let [isSettled, value]: [boolean, unknown] = [false, undefined];
  const settle = (settled: unknown): unknown => {
    [isSettled, value] = [true, settled];
    defineProperty(target, name, { value, writable: true, enumerable, configurable: true });
    return value;
  };
  const get = () => (isSettled ? value : settle(memberOf(name)));
  defineProperty(target, name, { get, set: settle, enumerable, configurable: true });
}

/** Node's own loader of addons calls it, too. Relative names mean what ld.so makes of them. */
function registerDlopen(): void {
  const { dlopen } = process;
  const descriptor = Object.getOwnPropertyDescriptor(process, 'dlopen');
  if (!descriptor?.configurable || dlopen === undefined) return;
  let libraries: typeof Libraries | undefined;
  const { dlopen: value } = {
    dlopen(...args: unknown[]): unknown {
      const [, path] = args;
      if (typeof path !== 'string' || !path.startsWith('/') || path.startsWith(packageRoot))
        return apply(dlopen, process, args);
      try {
        libraries ??= requireHere(moduleFile('runtime/hook/libraries')) as typeof Libraries;
      } catch {
        return apply(dlopen, process, args);
      }
      return libraries.open((...same) => apply(dlopen, process, same), path, args);
    },
  };
  defineProperty(process, 'dlopen', { ...descriptor, value });
}

/**
 * Without WebAssembly (--jitless) there is nothing to do. With types of functions (--experimental-wasm-type-reflection) its
 * objects have members that compiled code's have not.
 */
function registerWasm(): void {
  if (genuine.Module === undefined || genuine.Function !== undefined) return;
  const target = (globalThis as unknown as { WebAssembly: Target }).WebAssembly;
  for (const name of [...calls, ...classes]) {
    const { value, configurable, enumerable = false } = genuine[name] ?? {};
    if (!configurable) continue;
    if (classes.includes(name)) defineClass(target, name, enumerable);
    else
      defineProperty(target, name, {
        value: lateCall(name, value),
        writable: true,
        enumerable,
        configurable,
      });
  }
}

/** A process that has nothing to do with the app goes on without. @throws LoadError where it is the app */
function attachApp(reference: string): void {
  try {
    loading().ready('bundle');
    (requireHere(moduleFile('runtime/bundle/attach')) as typeof import('../bundle/attach.ts')).attach(
      reference,
    );
  } catch (error) {
    const region = reference.slice(0, reference.lastIndexOf('@'));
    if (process.argv[1]?.startsWith(region)) throw error;
  }
}

/** Never in the way of how the program ends. */
function report(path: string): void {
  try {
    (requireHere(moduleFile('runtime/hook/report')) as typeof import('./report.ts')).write(path);
  } catch (error) {
    try {
      process.stderr.write(`insitu: INSITU_REPORT: ${(error as Error).message}\n`);
    } catch {}
  }
}

const { INSITU, INSITU_BUNDLE, INSITU_REPORT } = startEnvironment;

/** Once a thread, however often it is preloaded. */
function start(): object {
  if (INSITU !== 'off') {
    registerWasm();
    registerDlopen();
  }
  if (INSITU_BUNDLE !== undefined) attachApp(INSITU_BUNDLE);
  reachChildren(moduleFile('runtime/hook/register'));
  if (INSITU_REPORT) process.once('exit', () => report(INSITU_REPORT));
  return {};
}

if (INSITU !== 'off' || INSITU_BUNDLE !== undefined) once('register', start);
