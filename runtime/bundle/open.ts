// Opening the app of a region: its entry mapped, its space held for as long as the process lives.
import { OpenFile } from '../../loader/backing.ts';
import { App } from '../../loader/bundle/app.ts';
import { inFile, LoadError } from '../../loader/error.ts';
import { native } from '../../loader/native.ts';
import { parseReference } from '../../loader/store/reference.ts';
import { type Mount, mountOf } from './mount.ts';

const SHARED = 1; // enum RangeLock of native/file_range.h

/** @param reference PATH@OFFSET+SIZE of the entry @throws LoadError */
export function openApp(reference: string): Mount {
  const found = parseReference(reference);
  if (found.is !== 'part' || found.size === undefined)
    throw new LoadError('ERR_REFERENCE', reference, 'is no part of a region; want PATH@OFFSET+SIZE');
  const { path, start, size } = found;
  try {
    const file = new OpenFile(path, start, size); // not by node:fs, which may have the app itself there by now
    native.lockRange(file.fd, start, size, SHARED, false); // nobody uses its space again meanwhile
    return mountOf(new App(native.view(file.fd, start, size, path), path), path, file.fd);
  } catch (error) {
    throw inFile(path, error);
  }
}
