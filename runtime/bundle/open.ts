// Opening the app of a region: its entry mapped, its space held for as long as the process lives.

import { fstatSync as fstat } from 'node:fs';
import { OpenFile } from '../../loader/backing.ts';
import { App } from '../../loader/bundle/app.ts';
import { inFile, LoadError } from '../../loader/error.ts';
import { native } from '../../loader/native.ts';
import { type Mount, mountOf } from './mount.ts';

const SHARED = 1; // enum RangeLock of native/file_range.h

/** What INSITU_BUNDLE says: PATH@OFFSET+SIZE of the app, and of V8's code cache for it, if there is one, ,OFFSET+SIZE. */
const REFERENCE = /^(.*)@(0x[0-9a-f]+)\+(0x[0-9a-f]+)(?:,(0x[0-9a-f]+)\+(0x[0-9a-f]+))?$/s;

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
}

/** @throws LoadError */
export function openApp(reference: string): OpenApp {
  const [, path, ...numbers] = REFERENCE.exec(reference) ?? [];
  if (path === undefined)
    throw new LoadError('ERR_REFERENCE', reference, 'is no part of a region; want PATH@OFFSET+SIZE');
  const [start, size, codeStart, codeSize] = numbers.map(Number) as [number, number, number, number];
  try {
    const file = new OpenFile(path, start, size); // not by node:fs, which may have the app itself there by now
    const { fd } = file;
    const statOf = ({ bigint }: { bigint: boolean }) => fstat(fd, { bigint } as { bigint: false });
    const view = (at: number, length: number) => {
      native.lockRange(file.fd, at, length, SHARED, false); // nobody uses its space again meanwhile
      return viewOf(file, at, length);
    };
    const mount = mountOf(
      new App(view(start, size), path),
      path,
      (at, length) => viewOf(file, at, length),
      statOf,
    );
    return { ...mount, code: numbers[2] === undefined ? undefined : view(codeStart, codeSize) };
  } catch (error) {
    throw inFile(path, error);
  }
}
