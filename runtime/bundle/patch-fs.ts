// node:fs with the files of an app in it: each function of the module looks at the path it is given, and does what it always
// did with any that is not the app's. What is not here (watching, writing) says of the app's paths what the kernel does: that
// they lie below something that is no directory.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { systemError } from './errors.ts';
import { Files, type OpenFile } from './files.ts';
import type { Mount } from './mount.ts';

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
      return inner === undefined ? apply(original, fs, args) : attempt(inner, args);
    });
    replace(sync, name, (original) => (...args: unknown[]) => {
      const inner = mount.inside(args[0]);
      const callback = callbackOf(args);
      if (inner === undefined || callback === undefined) return apply(original, fs, args);
      return later(callback, () => attempt(inner, args.slice(0, -1)));
    });
  }
  patchExists(sync, files, mount);
  patchDescriptors(sync, files);
  patchCopies(sync, files, mount);
  patchNative(sync, mount);
  patchWhenAsked(files, mount);
}

const attemptOf =
  (files: Files, name: string) =>
  (inner: string, args: unknown[]): unknown =>
    files.operations[name]?.(inner, `${args[0]}`, ...args.slice(1));

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
      return inner === undefined ? apply(original, fs.promises, args) : attempt(inner, args);
    });
  }
  replace(promises, 'copyFile', (original) => async (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    return inner === undefined ? apply(original, fs.promises, args) : copyOut(files, inner, args);
  });
  patchHandles(promises, files, mount);
}

function patchExists(sync: Table, files: Files, mount: Mount): void {
  replace(sync, 'existsSync', (original) => (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    return inner === undefined ? apply(original, fs, args) : files.exists(inner);
  });
  replace(sync, 'exists', (original) => (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    const callback = callbackOf(args) as ((exists: boolean) => void) | undefined;
    if (inner === undefined || callback === undefined) return apply(original, fs, args);
    return process.nextTick(callback, files.exists(inner));
  });
}

/** (fd, buffer, offset, length, position) in any of the ways that fs.read takes. */
function readArguments(args: unknown[]): [NodeJS.ArrayBufferView, number, number, number | null] {
  const isBuffer = ArrayBuffer.isView(args[1]);
  const options = (isBuffer ? (typeof args[2] === 'object' ? args[2] : undefined) : args[1]) as
    | Record<string, unknown>
    | null
    | undefined;
  const buffer = (isBuffer ? args[1] : (options?.buffer ?? Buffer.alloc(16384))) as NodeJS.ArrayBufferView;
  const isPlain = isBuffer && (typeof args[2] !== 'object' || args[2] === null);
  const named = options ?? {};
  const offset = Number((isPlain ? args[2] : named.offset) ?? 0);
  const length = Number((isPlain ? args[3] : named.length) ?? buffer.byteLength - offset);
  const position = (isPlain ? args[4] : named.position) as number | bigint | null | undefined;
  const isFromHere = position === null || position === undefined || Number(position) < 0;
  return [buffer, offset, length, isFromHere ? null : Number(position)];
}

/** Of descriptors that `open` gave. There are none as a rule. */
function patchDescriptors(sync: Table, files: Files): void {
  const fileOf = (fd: unknown): OpenFile | undefined =>
    files.open.size === 0 ? undefined : files.open.get(fd as number);
  const operations: Record<string, (file: OpenFile, args: unknown[]) => unknown> = {
    read: (file, args) => files.read(file, ...readArguments(args)),
    fstat: (file, args) => files.statsOf(file.record, args[1] as Record<string, unknown> | undefined),
    readFile: (file, args) => files.readOpen(file, args[1] as string | undefined),
    readv: (file, [, buffers, position]) =>
      readInto(files, file, buffers as NodeJS.ArrayBufferView[], position),
  };
  for (const [name, act] of Object.entries(operations)) {
    replace(sync, `${name}Sync`, (original) => (...args: unknown[]) => {
      const file = fileOf(args[0]);
      return file === undefined ? apply(original, fs, args) : act(file, args);
    });
    replace(sync, name, (original) => (...args: unknown[]) => {
      const file = fileOf(args[0]);
      const callback = callbackOf(args);
      if (file === undefined || callback === undefined) return apply(original, fs, args);
      const given = args.slice(0, -1);
      if (name !== 'read') return later(callback, () => act(file, given));
      const [buffer] = readArguments(given);
      const into = ArrayBuffer.isView(given[1]) ? given : [given[0], { ...(given[1] as object), buffer }];
      return later(
        (error, count) => callback(error, count ?? 0, buffer),
        () => act(file, into),
      );
    });
  }
  for (const name of ['close', 'closeSync'])
    replace(sync, name, (original) => (...args: unknown[]) => {
      if (files.open.size > 0) files.open.delete(args[0] as number);
      return apply(original, fs, args);
    });
}

function readInto(
  files: Files,
  file: OpenFile,
  buffers: NodeJS.ArrayBufferView[],
  position: unknown,
): number {
  let at = typeof position === 'number' ? position : null;
  let count = 0;
  for (const buffer of buffers) {
    const got = files.read(file, buffer, 0, buffer.byteLength, at);
    count += got;
    if (at !== null) at += got;
  }
  return count;
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
    return inner === undefined ? apply(original, fs, args) : copyOut(files, inner, args);
  });
  replace(sync, 'copyFile', (original) => (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    const callback = callbackOf(args);
    if (inner === undefined || callback === undefined) return apply(original, fs, args);
    return later(callback, () => copyOut(files, inner, args.slice(0, -1)));
  });
}

/** A handle of /dev/null that answers for the file. */
function patchHandles(promises: Table, files: Files, mount: Mount): void {
  const { open } = fs.promises;
  replace(promises, 'open', (original) => async (...args: unknown[]) => {
    const inner = mount.inside(args[0]);
    if (inner === undefined) return apply(original, fs.promises, args);
    const fd = files.operations.open?.(inner, `${args[0]}`, args[1]) as number;
    const file = files.open.get(fd) as OpenFile;
    fs.closeSync(fd);
    const handle = await open('/dev/null', 'r');
    const own = {
      read: async (...given: unknown[]) => {
        const [buffer, offset, length, position] = readArguments([0, ...given]);
        return { bytesRead: files.read(file, buffer, offset, length, position), buffer };
      },
      readFile: async (options?: object) => files.readOpen(file, options as Record<string, unknown>),
      stat: async (options?: object) => files.statsOf(file.record, options as Record<string, unknown>),
      createReadStream: (options?: object) => fs.createReadStream(mount.pathOf(file.record), options),
      readLines: () => {
        throw systemError('EINVAL', 'read');
      },
    };
    return Object.defineProperties(
      handle,
      Object.fromEntries(Object.entries(own).map(([name, value]) => [name, { value, configurable: true }])),
    );
  });
}

/** A function of its own on each. */
function patchNative(sync: Table, mount: Mount): void {
  for (const name of ['realpath', 'realpathSync']) {
    const ours = sync[name] as Table[string];
    replace(ours as unknown as Table, 'native', (original) => (...args: unknown[]) => {
      const isInside = mount.inside(args[0]) !== undefined;
      return apply(isInside ? ours : original, fs, args);
    });
  }
}
