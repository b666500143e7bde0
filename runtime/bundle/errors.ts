// System errors as Node makes them, of files that no system call has seen.
import { constants } from 'node:os';

const TEXTS = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EISDIR: 'illegal operation on a directory',
  EROFS: 'read-only file system',
  EINVAL: 'invalid argument',
  EACCES: 'permission denied',
} as const;
export type Code = keyof typeof TEXTS;

export function systemError(code: Code, syscall: string, path?: string): NodeJS.ErrnoException {
  const where = path === undefined ? '' : ` '${path}'`;
  const error: NodeJS.ErrnoException = new Error(`${code}: ${TEXTS[code]}, ${syscall}${where}`);
  Object.assign(error, { errno: -constants.errno[code], code, syscall });
  if (path !== undefined) error.path = path;
  return error;
}
