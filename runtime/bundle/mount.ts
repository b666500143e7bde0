// An app in a region as files below the region's own path, where there can be no others: /mnt/pmem/app.region/index.js.
import type { Stats } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { App, FileRecord } from '../../loader/bundle/app.ts';

export interface Mount {
  readonly app: App;
  /** Of the region. */
  readonly path: string;
  /** From the app's root; undefined of any other path. */
  inside(path: unknown): string | undefined;
  /** What it means where it leads out of the app again, which the kernel cannot follow; else as it is given. */
  outside(path: unknown): unknown;
  /** As Node is given it. */
  pathOf(record: FileRecord): string;
  /** A copy, which is the caller's to change. */
  bytesOf(record: FileRecord): Buffer;
  textOf(record: FileRecord): string;
  /** Of the region, however it is called by now. */
  statOf(options: { bigint: boolean }): Stats;
}

/** Of what names a file for node:fs; undefined of anything else. */
export function textOf(given: unknown): string | undefined {
  if (typeof given === 'string') return given;
  if (Buffer.isBuffer(given)) return given.toString();
  try {
    return given instanceof URL && given.protocol === 'file:' ? fileURLToPath(given) : undefined;
  } catch {
    return undefined; // of another host, or with a slash in a name
  }
}

/** @param view of a part of the region, which nothing writes to */
export function mountOf(
  app: App,
  path: string,
  view: (start: number, size: number) => Buffer,
  statOf: Mount['statOf'],
): Mount {
  const name = basename(path);
  const own = new Map<number, Buffer>();
  const viewOf = (record: FileRecord): Buffer => {
    if (!record.hasOwnEntry) return app.view(record);
    const known = own.get(record.number) ?? view(record.offset, record.size);
    own.set(record.number, known);
    return known;
  };
  return {
    app,
    path,
    statOf,
    inside(given) {
      const text = textOf(given);
      if (text === undefined || !text.includes(name) || text.includes('\0')) return undefined;
      const full = resolve(text);
      if (full === path) return '';
      return full.startsWith(`${path}/`) ? full.slice(path.length + 1) : undefined;
    },
    outside(given) {
      const text = textOf(given);
      return text?.startsWith(`${path}/`) ? resolve(text) : given;
    },
    pathOf: (record) => (record.path === '' ? path : `${path}/${record.path}`),
    bytesOf: (record) => Buffer.from(viewOf(record)),
    textOf: (record) => viewOf(record).toString(record.isAscii ? 'latin1' : 'utf8'),
  };
}
