// An app in a region as files below the region's own path, where there can be no others: /mnt/pmem/app.region/index.js.
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { App, FileRecord } from '../../loader/bundle/app.ts';

export interface Mount {
  readonly app: App;
  /** Of the region. */
  readonly path: string;
  /** From the app's root; undefined of any other path. */
  inside(path: unknown): string | undefined;
  /** As Node is given it. */
  pathOf(record: FileRecord): string;
  /** A copy, which is the caller's to change. */
  bytesOf(record: FileRecord): Buffer;
  textOf(record: FileRecord): string;
}

/** @param view of a part of the region, which nothing writes to */
export function mountOf(app: App, path: string, view: (start: number, size: number) => Buffer): Mount {
  const name = basename(path);
  const textFrom = (given: unknown): string | undefined => {
    if (typeof given === 'string') return given;
    if (given instanceof URL && given.protocol === 'file:') return fileURLToPath(given);
    return Buffer.isBuffer(given) ? given.toString() : undefined;
  };
  const viewOf = (record: FileRecord): Buffer =>
    record.hasOwnEntry ? view(record.offset, record.size) : app.view(record);
  return {
    app,
    path,
    inside(given) {
      const text = textFrom(given);
      if (text === undefined || !text.includes(name) || text.includes('\0')) return undefined;
      const full = resolve(text);
      if (full === path) return '';
      return full.startsWith(`${path}/`) ? full.slice(path.length + 1) : undefined;
    },
    pathOf: (record) => (record.path === '' ? path : `${path}/${record.path}`),
    bytesOf: (record) => Buffer.from(viewOf(record)),
    textOf: (record) => viewOf(record).toString(record.isAscii ? 'latin1' : 'utf8'),
  };
}
