// What node:fs answers of the files of an app: each call by itself, at once, as its Sync form would.
import fs from 'node:fs';
import type { FileRecord } from '../../loader/bundle/app.ts';
import { native } from '../../loader/native.ts';
import { systemError } from './errors.ts';
import type { Mount } from './mount.ts';

type Options = Record<string, unknown> | string | null | undefined;
/** @param path as the program gave it, for errors; `inner` from the app's root */
type Operation = (inner: string, path: string, ...rest: unknown[]) => unknown;

const { O_RDONLY, O_CREAT, O_TRUNC, O_APPEND } = fs.constants;
const O_ACCMODE = 3; // open(2)
const optionOf = (options: Options, name: string): unknown =>
  typeof options === 'object' && options !== null ? options[name] : undefined;
const encodingOf = (options: Options): BufferEncoding | undefined =>
  (typeof options === 'string' ? options : optionOf(options, 'encoding')) as BufferEncoding | undefined;

export class Files {
  readonly operations: Record<string, Operation>;
  readonly #mount: Mount;

  constructor(mount: Mount) {
    this.#mount = mount;
    this.operations = {
      access: (inner, path, mode) => this.#access(inner, path, (mode as number) ?? fs.constants.F_OK),
      readFile: (inner, path, options) => this.#readFile(inner, path, options as Options),
      stat: (inner, path, options) => this.#stat(inner, path, options as Options, 'stat', true),
      lstat: (inner, path, options) => this.#stat(inner, path, options as Options, 'lstat', false),
      readdir: (inner, path, options) => this.#readdir(inner, path, options as Options),
      readlink: (inner, path, options) => this.#readlink(inner, path, options as Options),
      realpath: (inner, path, options) => {
        const found = mount.pathOf(this.#existing(inner, path, 'lstat'));
        return encodingOf(options as Options) === ('buffer' as string) ? Buffer.from(found) : found;
      },
      open: (inner, path, flags) => this.#open(inner, path, flags as string | number | undefined),
    };
  }

  exists(inner: string, path: string): boolean {
    const record = this.#mount.app.resolve(inner);
    return record !== undefined && !(record.kind === 'file' && path.endsWith('/'));
  }

  #existing(inner: string, path: string, call: string, followLast = true): FileRecord {
    const { app } = this.#mount;
    const record = app.resolve(inner, followLast);
    if (record !== undefined) {
      if (record.kind === 'file' && path.endsWith('/')) throw systemError('ENOTDIR', call, path);
      return record;
    }
    const parent = app.resolve(inner.slice(0, Math.max(0, inner.lastIndexOf('/'))));
    throw systemError(parent?.kind === 'file' ? 'ENOTDIR' : 'ENOENT', call, path);
  }

  #access(inner: string, path: string, mode: number): undefined {
    const { mode: bits } = this.#existing(inner, path, 'access');
    if (mode & fs.constants.W_OK) throw systemError('EROFS', 'access', path);
    if (mode & fs.constants.X_OK && !(bits & 0o111)) throw systemError('EACCES', 'access', path);
    return undefined;
  }

  #fileAt(inner: string, path: string, call: string): FileRecord {
    const record = this.#existing(inner, path, 'open');
    if (record.kind === 'directory') throw systemError('EISDIR', call, call === 'read' ? undefined : path);
    return record;
  }

  #readFile(inner: string, path: string, options: Options): string | Buffer {
    checkFlags(optionOf(options, 'flag') as string | undefined, path);
    return this.#contentOf(this.#fileAt(inner, path, 'read'), options);
  }

  #contentOf(record: FileRecord, options: Options): string | Buffer {
    const encoding = encodingOf(options);
    if (encoding === undefined || encoding === null || (encoding as string) === 'buffer')
      return this.#mount.bytesOf(record);
    const isText = encoding === 'utf8' || encoding === 'utf-8';
    return isText ? this.#mount.textOf(record) : this.#mount.bytesOf(record).toString(encoding);
  }

  #stat(inner: string, path: string, options: Options, call: string, followLast: boolean): unknown {
    try {
      return this.#statsOf(this.#existing(inner, path, call, followLast), options);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (optionOf(options, 'throwIfNoEntry') === false && (code === 'ENOENT' || code === 'ENOTDIR'))
        return undefined;
      throw error;
    }
  }

  /** The region's, with what is the file's own. */
  #statsOf({ number, kind, mode, size, mtimeMs }: FileRecord, options: Options): fs.Stats {
    const isBig = optionOf(options, 'bigint') === true;
    const stats = this.#mount.statOf({ bigint: isBig }) as unknown as Record<string, unknown>;
    const type = { file: 0o100000, directory: 0o040000, link: 0o120000 }[kind];
    const as = (value: number) => (isBig ? BigInt(Math.trunc(value)) : value);
    const own = { mode: type | (mode & 0o7777), nlink: 1, size, blocks: Math.ceil(size / 512) };
    for (const [name, value] of Object.entries(own)) stats[name] = as(value);
    // Of the region's own number, so that no two files of a program are taken for one.
    stats.ino = isBig
      ? (stats.ino as bigint) * 0x100000n + BigInt(number)
      : (stats.ino as number) * 0x100000 + number;
    for (const time of ['atime', 'mtime', 'ctime', 'birthtime']) {
      stats[`${time}Ms`] = as(mtimeMs);
      if (isBig) stats[`${time}Ns`] = BigInt(Math.trunc(mtimeMs)) * 1_000_000n;
      Object.defineProperty(stats, time, {
        ...{ value: new Date(mtimeMs), enumerable: true, writable: true, configurable: true },
      });
    }
    return stats as unknown as fs.Stats;
  }

  #readdir(inner: string, path: string, options: Options): unknown[] {
    const record = this.#existing(inner, path, 'scandir');
    if (record.kind !== 'directory') throw systemError('ENOTDIR', 'scandir', path);
    const children = optionOf(options, 'recursive')
      ? [...this.#below(record)]
      : this.#mount.app.children(record);
    const from = record.path === '' ? 0 : record.path.length + 1;
    if (optionOf(options, 'withFileTypes')) return children.map((child) => this.#dirent(child, path, from));
    const names = children.map((child) => child.path.slice(from));
    return encodingOf(options) === ('buffer' as string) ? names.map((name) => Buffer.from(name)) : names;
  }

  *#below(record: FileRecord): Generator<FileRecord> {
    for (const child of this.#mount.app.children(record)) {
      yield child;
      if (child.kind === 'directory') yield* this.#below(child);
    }
  }

  /** The constructor is Node's, though it has not documented it. */
  #dirent({ path, kind }: FileRecord, parent: string, from: number): fs.Dirent {
    const { UV_DIRENT_FILE, UV_DIRENT_DIR, UV_DIRENT_LINK } = fs.constants as unknown as Record<
      string,
      number
    >;
    const type = { file: UV_DIRENT_FILE, directory: UV_DIRENT_DIR, link: UV_DIRENT_LINK }[kind];
    const slash = path.lastIndexOf('/');
    const between = slash < from ? '' : `/${path.slice(from, slash)}`;
    const Dirent = fs.Dirent as unknown as new (name: string, type: unknown, path: string) => fs.Dirent;
    return new Dirent(path.slice(slash + 1), type, parent.replace(/\/+$/, '') + between);
  }

  #readlink(inner: string, path: string, options: Options): string | Buffer {
    const record = this.#existing(inner, path, 'readlink', false);
    if (record.kind !== 'link') throw systemError('EINVAL', 'readlink', path);
    const { path: top } = this.#mount;
    const target = `${top}/${this.#mount.textOf(record)}`;
    return encodingOf(options) === ('buffer' as string) ? Buffer.from(target) : target;
  }

  /** A copy in memory: a descriptor is the kernel's, whoever is handed it. */
  #open(inner: string, path: string, flags: string | number = 'r'): number {
    checkFlags(flags, path);
    const record = this.#fileAt(inner, path, 'open');
    return native.memoryFile('insitu', this.#mount.bytesOf(record), record.mode & 0o777);
  }
}

/** Nothing can be written. */
function checkFlags(flags: string | number | undefined, path: string): void {
  const writes =
    typeof flags === 'number'
      ? (flags & O_ACCMODE) !== O_RDONLY || (flags & (O_CREAT | O_TRUNC | O_APPEND)) !== 0
      : flags !== undefined && !/^(?:r|rs|sr)$/.test(flags);
  if (writes) throw systemError('EROFS', 'open', path);
}
