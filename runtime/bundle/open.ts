// Opening the app of a region: its entry mapped, its space held for as long as the process lives.

import fs from 'node:fs';
import { OpenFile } from '../../loader/backing.ts';
import { App } from '../../loader/bundle/app.ts';
import { inFile, LoadError } from '../../loader/error.ts';
import { native } from '../../loader/native.ts';
import { type Mount, mountOf } from './mount.ts';

const { fstatSync: fstat, statSync: stat } = fs; // as they were before the app was there
const SHARED = 1; // enum RangeLock of native/file_range.h

/**
 * What INSITU_BUNDLE says: PATH@OFFSET+SIZE of the app; of V8's code cache for it, if there is one, ,OFFSET+SIZE; and from a
 * process that runs it to its threads and children ;IDENTITY:PID:FD of the region that it has open.
 */
const REFERENCE =
  /^(.*)@(0x[0-9a-f]+)\+(0x[0-9a-f]+)(?:,(0x[0-9a-f]+)\+(0x[0-9a-f]+))?(?:;([0-9a-f]{32}):(\d+):(\d+))?$/s;

interface Part {
  start: number;
  size: number;
}

export function encodeReference(path: string, app: Part, code: Part | undefined): string {
  const text = ({ start, size }: Part) => `0x${start.toString(16)}+0x${size.toString(16)}`;
  return `${path}@${text(app)}${code === undefined ? '' : `,${text(code)}`}`;
}

/** Nothing writes to it. If the file loses pages meanwhile, reading them ends the process. */
const viewOf = ({ fd, path, backing }: OpenFile, start: number, size: number): Buffer =>
  native.view(fd, start, size, path, backing.medium === 'devdax' ? backing.granule : 0, true);

export interface OpenApp extends Mount {
  /** V8's code cache, mapped. */
  readonly code: Buffer | undefined;
  /** Of the region, open for as long as the process lives. */
  readonly fd: number;
  /** A path that leads to it, also when its own does not any more. */
  openPath(): string;
}

/** The region may have been replaced since: what a process runs goes on in its threads and children. @throws LoadError */
export function openApp(reference: string): OpenApp {
  const [, path, start, size, codeStart, codeSize, identity, pid, held] = REFERENCE.exec(reference) ?? [];
  if (path === undefined)
    throw new LoadError('ERR_REFERENCE', reference, 'is no part of a region; want PATH@OFFSET+SIZE');
  const app = { start: Number(start), size: Number(size) };
  const code = codeStart === undefined ? undefined : { start: Number(codeStart), size: Number(codeSize) };
  try {
    return openAt(path, path, app, code, identity);
  } catch (error) {
    if (identity === undefined) throw inFile(path, error);
    return openAt(`/proc/${pid}/fd/${held}`, path, app, code, identity);
  }
}

/** @param at the file; `path`: what it is called */
function openAt(
  at: string,
  path: string,
  { start, size }: Part,
  code: Part | undefined,
  identity: string | undefined,
): OpenApp {
  const file = new OpenFile(at, start, size); // not by node:fs, which may have the app itself there by now
  const { fd } = file;
  const view = (from: number, length: number) => {
    native.lockRange(fd, from, length, SHARED, false); // nobody uses its space again meanwhile
    return viewOf(file, from, length);
  };
  const app = new App(view(start, size), path);
  if (identity !== undefined && app.header.identity !== identity)
    throw new LoadError('ERR_CHANGED', path, 'is another app by now; want the one that runs');
  const statOf = ({ bigint }: { bigint: boolean }) => fstat(fd, { bigint } as { bigint: false });
  const mount = mountOf(app, path, (from, length) => viewOf(file, from, length), statOf);
  const isNamed = () => stat(path, { throwIfNoEntry: false })?.ino === fstat(fd).ino;
  return {
    ...mount,
    fd,
    openPath: () => (isNamed() ? path : `/proc/self/fd/${fd}`),
    code: code && view(code.start, code.size),
  };
}

/** What the threads and children of this process are to find. */
export const forOthers = (reference: string, { app, fd }: OpenApp): string =>
  `${reference.replace(/;[^;]*$/, '')};${app.header.identity}:${process.pid}:${fd}`;
