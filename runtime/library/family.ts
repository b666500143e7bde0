// What the first bytes of a file are, where it is to be had.
import { OpenFile } from '../../loader/backing.ts';
import { LoadError } from '../../loader/error.ts';
import { detect, type Family } from '../../loader/format.ts';

/** Undefined where there is no such file, or none that can be opened. */
export function familyOf(path: string): Family | undefined {
  try {
    using file = new OpenFile(path);
    return detect(file.head);
  } catch (error) {
    if (error instanceof LoadError) return undefined;
    throw error;
  }
}
