// An app in a region becomes what this thread runs: its files, its modules, its addons, its WebAssembly.
import { openSync, writeSync } from 'node:fs';
import type { AppImage, FileRecord } from '../../loader/bundle/app.ts';
import { encodeCode, isCodeOf } from '../../loader/bundle/code.ts';
import { inFile } from '../../loader/error.ts';
import type { Found } from '../../loader/images/find.ts';
import { sampleKey, sampleOf } from '../../loader/images/layout.ts';
import { native } from '../../loader/native.ts';
import { once } from '../../loader/once.ts';
import { moduleFile, requireHere } from '../../loader/root.ts';
import { note } from '../hook/opened.ts';
import { instantiateAddon } from '../library/addon.ts';
import type * as Reports from '../library/opened-report.ts';
import { type Compile, collector, fromCode } from './compiler.ts';
import { patchModules } from './modules.ts';
import { forOthers, type OpenApp, openApp } from './open.ts';
import { patchFs } from './patch-fs.ts';

/** What the rest of the hook asks of it. */
export interface AttachedApp {
  /** The image of a module that is at hand as bytes. */
  imageOf(bytes: Uint8Array): Found | undefined;
}

/** @param reference of the entry (open.ts) @throws LoadError */
export const attach = (reference: string): AttachedApp =>
  once('bundle', () => {
    const mount = openApp(reference);
    patchFs(mount);
    process.env.INSITU_BUNDLE = forOthers(reference, mount);
    patchModules(mount, process.env.INSITU_BUNDLE, compilerFor(mount));
    patchDlopen(mount);
    return { imageOf: (bytes: Uint8Array) => imageOf(mount, bytes) };
  });

/** INSITU_BUNDLE_CODE: a file for what V8 makes of the scripts of this process. */
function compilerFor({ code, app }: OpenApp): Compile {
  const { INSITU_BUNDLE_CODE: file } = process.env;
  delete process.env.INSITU_BUNDLE_CODE; // not of its threads and children
  if (file !== undefined) {
    const { compile, pieces } = collector();
    const write = openSync(file, 'w', 0o600);
    process.once('exit', () =>
      writeSync(write, encodeCode(app.header.identity, app.header.records, pieces())),
    );
    return compile;
  }
  return code !== undefined && isCodeOf(code, app.header.identity) ? fromCode(code) : () => undefined;
}

const partOf = (path: string, { offset, size }: AppImage | FileRecord): string =>
  `${path}@0x${offset.toString(16)}+0x${size.toString(16)}`;

function imageOf({ app, path, pathOf, openPath }: OpenApp, bytes: Uint8Array): Found | undefined {
  const key = sampleKey(bytes.length, (at, length) => bytes.subarray(at, at + length));
  for (const image of app.imagesOf(sampleOf(key))) {
    const module = app.record(image.module);
    if (module.size !== bytes.length || app.view(module).compare(bytes) !== 0) continue;
    const part = partOf(openPath(), image);
    return { root: path, sha256: image.sha256, image: part, baseline: part, source: pathOf(module) };
  }
  return undefined;
}

function patchDlopen(mount: OpenApp): void {
  const { dlopen } = process;
  const descriptor = Object.getOwnPropertyDescriptor(process, 'dlopen');
  const { dlopen: value } = {
    dlopen(...args: unknown[]): unknown {
      const inner = mount.inside(args[1]);
      const record = inner === undefined ? undefined : mount.app.resolve(inner);
      if (!record?.hasOwnEntry) return Reflect.apply(dlopen, process, args);
      return openAddon(mount, record, args[0] as { exports: unknown });
    },
  };
  Object.defineProperty(process, 'dlopen', { ...descriptor, value });
}

/** One of each for all threads; an environment for each call. */
function openAddon(
  { app, path, pathOf, openPath }: OpenApp,
  record: FileRecord,
  module: { exports: unknown },
): void {
  const name = pathOf(record);
  const needed = app.needed(record).reverse();
  const open = (file: FileRecord) => native.loadShared(openPath(), file.offset, file.size);
  const loaded = (file: FileRecord) => {
    try {
      return open(file);
    } catch (error) {
      const { message } = inFile(pathOf(file), error) as Error;
      throw Object.assign(new Error(message, { cause: error }), { code: 'ERR_DLOPEN_FAILED' });
    }
  };
  const mapped = () => {
    const { loadedReport } = requireHere(moduleFile('runtime/library/opened-report')) as typeof Reports;
    return [record, ...needed].map((file) => loadedReport(pathOf(file), partOf(path, file), open(file)));
  };
  note({ path: name, stored: partOf(path, record), reason: 'in place', size: record.size, mapped }, () => {
    for (const file of needed) loaded(file);
    instantiateAddon(loaded(record), name, module);
  });
}
