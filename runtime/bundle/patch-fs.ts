// node:fs with the files of an app in it: each function of the module looks at the path it is given, and does what it always
// did with any that is not the app's. What would change the app says that it is read-only; what is not here (watching, opendir)
// says what the kernel does: that the path lies below something that is no directory.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { systemError } from './errors.ts';
import { Files } from './files.ts';
import { type Mount, textOf } from './mount.ts';

type AnyFunction = (...args: never[]) => unknown;
type Callback = (error: unknown, ...results: unknown[]) => void;
type Table = Record<string, AnyFunction & Record<PropertyKey, unknown>>;
const { apply } = Reflect;

/** Replaces a function; name, length and what hangs on it stay. */
function replace(target: Table, name: string, make: (original: AnyFunction) => AnyFunction): void {
  const original = target[name];
  if (typeof original !== 'function') return;
  const made = make(original);
  const own = Object.getOwnPropertyDescriptors(original);
  for (const key of Reflect.ownKeys(own)) {
    const { configurable } = Object.getOwnPropertyDescriptor(made, key) ?? { configurable: true };
    if (configurable) Object.defineProperty(made, key, own[key as keyof typeof own] as PropertyDescriptor);
  }
  target[name] = made as Table[string];
}

/** With the path where it leads. */
const led = (mount: Mount, [path, ...rest]: unknown[]): unknown[] => [mount.outside(path), ...rest];

const callbackOf = (args: unknown[]): Callback | undefined =>
  typeof args.at(-1) === 'function' ? (args.at(-1) as Callback) : undefined;

/** Calls back later, as what asks the kernel would. */
function later(callback: Callback, act: () => unknown): void {
  let results: unknown[];
  try {
    const result = act();
    results = result === undefined ? [null] : [null, result];
  } catch (error) {
    results = [error];
  }
  process.nextTick(callback, ...(results as [unknown]));
}

export function patchFs(mount: Mount): void {
  const files = new Files(mount);
  const sync = fs as unknown as Table;
  for (const name of Object.keys(files.operations)) {
    const attempt = attemptOf(files, name);
    replace(sync, `${name}Sync`, (original) => (...args: unknown[]) => {
      const inner = mount.inside(args[0]);
      return inner === undefined ? apply(original, fs, led(mount, args)) : attempt(inner, args);
    });
    replace(sync, name, (original) => (...args: unknown[]) => {
      const inner = mount.inside(args[0]);
      const callback = callbackOf(args);
      if (inner === undefined || callback === undefined) return apply(original, fs, led(mount, args));
      return later(callback, () => attempt(inner, args.slice(0, -1)));
    });
  }
  patchExists(sync, files, mount);
  for (const suffix of ['', 'Sync'] as const) patchChanges(sync, suffix, false, files, mount);
  patchCopies(sync, files, mount);
  patchNative(sync, mount);
  patchWhenAsked(files, mount);
}

const attemptOf =
  (files: Files, name: string) =>
  (inner: string, args: unknown[]): unknown =>
    files.operations[name]?.(inner, textOf(args[0]) as string, ...args.slice(1));

/** Node loads fs.promises when it is first asked for, which takes 2 ms. */
function patchWhenAsked(files: Files, mount: Mount): void {
  const own = Object.getOwnPropertyDescriptor(fs, 'promises') as PropertyDescriptor;
  const ready = () => {
    Object.defineProperty(fs, 'promises', own);
    patchPromises(fs.promises as unknown as Table, files, mount);
    syncBuiltinESMExports();
    return fs.promises;
  };
  Object.defineProperty(fs, 'promises', { ...own, get: ready });
}

function patchPromises(promises: Table, files: Files, mount: Mount): void {
  for (const name of Object.keys(files.operations)) {
    if (name === 'open') continue; // gives a handle here
    const attempt = attemptOf(files, name);
    replace(promises, name, (original) => async (...args: unknown[]) => {
      const inner = mount.inside(args[0]);
      return inner === undefined ? apply(original, fs.promises, led(mount, args)) : attempt(inner, args);
    });
  }
  replace(promises, 'copyFile', (original) => async (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    return inner === undefined ? apply(original, fs.promises, led(mount, args)) : copyOut(files, inner, args);
  });
  patchHandles(promises, files, mount);
  patchChanges(promises, '', true, files, mount);
}

function patchExists(sync: Table, files: Files, mount: Mount): void {
  replace(sync, 'existsSync', (original) => (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    return inner === undefined
      ? apply(original, fs, led(mount, args))
      : files.exists(inner, textOf(args[0]) as string);
  });
  replace(sync, 'exists', (original) => (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    const callback = callbackOf(args) as ((exists: boolean) => void) | undefined;
    if (inner === undefined || callback === undefined) return apply(original, fs, led(mount, args));
    return process.nextTick(callback, files.exists(inner, textOf(args[0]) as string));
  });
}

/** Out of the app. */
function copyOut(files: Files, inner: string, [from, to, mode]: unknown[]): undefined {
  const isNew = ((mode as number) ?? 0) & fs.constants.COPYFILE_EXCL;
  const bytes = files.operations.readFile?.(inner, `${from}`) as Buffer;
  fs.writeFileSync(to as string, bytes, { flag: isNew ? 'wx' : 'w' });
}

function patchCopies(sync: Table, files: Files, mount: Mount): void {
  replace(sync, 'copyFileSync', (original) => (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    return inner === undefined ? apply(original, fs, led(mount, args)) : copyOut(files, inner, args);
  });
  replace(sync, 'copyFile', (original) => (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    const callback = callbackOf(args);
    if (inner === undefined || callback === undefined) return apply(original, fs, led(mount, args));
    return later(callback, () => copyOut(files, inner, args.slice(0, -1)));
  });
}

/** A handle of the descriptor's file, opened anew: it is the kernel's to say what may be done with it. */
function patchHandles(promises: Table, files: Files, mount: Mount): void {
  const { open } = fs.promises;
  replace(promises, 'open', (original) => async (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    if (inner === undefined) return apply(original, fs.promises, [mount.outside(args[0]), ...args.slice(1)]);
    const fd = attemptOf(files, 'open')(inner, args) as number;
    try {
      return await open(`/proc/self/fd/${fd}`, 'r');
    } finally {
      fs.closeSync(fd);
    }
  });
}

/** What would change something: by where the path that it changes stands among its arguments. */
const CHANGING: Record<string, readonly number[]> = {
  ...Object.fromEntries(
    'appendFile chmod chown lchown lutimes mkdir mkdtemp rm rmdir truncate unlink utimes writeFile'
      .split(' ')
      .map((name) => [name, [0]]),
  ),
  ...{ copyFile: [1], cp: [1], link: [1], rename: [0, 1], symlink: [1] },
};

/** The app is read-only, and its root is the region itself. */
function patchChanges(
  target: Table,
  suffix: '' | 'Sync',
  isPromises: boolean,
  files: Files,
  mount: Mount,
): void {
  for (const [name, places] of Object.entries(CHANGING))
    replace(target, name + suffix, (original) => (...args: unknown[]) => {
      const place = places.find((place) => mount.inside(args[place]) !== undefined);
      if (place === undefined) {
        const led = args.map((arg, i) => (places.includes(i) ? mount.outside(arg) : arg));
        return apply(original, isPromises ? fs.promises : fs, led);
      }
      const refuse = () => refuseChange(name, args, args[place], files, mount);
      if (isPromises) return new Promise((resolve) => resolve(refuse()));
      const callback = suffix === '' ? callbackOf(args) : undefined;
      return callback === undefined ? refuse() : later(callback, refuse);
    });
}

function refuseChange(name: string, args: unknown[], given: unknown, files: Files, mount: Mount): undefined {
  const path = textOf(given) as string;
  const isThere = files.exists(mount.inside(given) as string, path);
  const { recursive } = (name === 'mkdir' && typeof args[1] === 'object' && args[1] ? args[1] : {}) as {
    recursive?: boolean;
  };
  if (recursive && isThere) return undefined;
  throw systemError(
    'EROFS',
    name === 'writeFile' || name === 'appendFile' ? 'open' : name.toLowerCase(),
    path,
  );
}

/** A function of its own on each. */
function patchNative(sync: Table, mount: Mount): void {
  for (const name of ['realpath', 'realpathSync']) {
    const ours = sync[name] as Table[string];
    replace(ours as unknown as Table, 'native', (original) => (...args: unknown[]) => {
      const isInside = mount.inside(args[0]) !== undefined;
      return apply(isInside ? ours : original, fs, led(mount, args));
    });
  }
}
