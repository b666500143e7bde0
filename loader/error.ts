/** What kind of failure a LoadError tells of. System calls that fail give Node's codes (ENODEV …) instead. */
export type LoadErrorCode =
  | 'ERR_TRUNCATED' // the file ends before something it promises
  | 'ERR_CHANGED' // the file changed while it was read
  | 'ERR_FORMAT' // not the kind of file asked for
  | 'ERR_UNSUPPORTED' // another class, machine, byte order, version or type
  | 'ERR_HEADER' // ELF header or program header table
  | 'ERR_SEGMENT' // a program header
  | 'ERR_WX' // writable and executable
  | 'ERR_TEXTREL' // text relocations
  | 'ERR_DYNAMIC' // dynamic section and its tables
  | 'ERR_HASH' // symbol hash tables
  | 'ERR_SYMBOL' // symbol index or name, missing symbols
  | 'ERR_RELOCATION'
  | 'ERR_TLS' // thread-local storage that cannot be given
  | 'ERR_NEEDED' // a needed library: missing or cyclic
  | 'ERR_NOT_MAPPABLE' // a directory, FIFO, socket, other device, or noexec mount
  | 'ERR_NOT_IN_PLACE' // --require-in-place, and something would not be
  | 'ERR_REFERENCE' // FILE@OFFSET, devdax:NAME, region:PATH/NAME: one that means nothing, or several things
  | 'ERR_REGION' // no region, one of another version, or something that is not to be overwritten
  | 'ERR_CATALOG' // a region's superblock or catalog is damaged
  | 'ERR_NO_ENTRY' // a region has no entry of this name
  | 'ERR_NAME' // a name that no entry can have, or two of the same
  | 'ERR_FULL' // a region without a place large enough
  | 'ERR_CONTENT' // an entry whose bytes are not those that were placed
  | 'ERR_IMAGE' // no image of a WebAssembly module, a damaged one, or of another format or machine
  | 'ERR_CPU' // an image for another CPU
  | 'ERR_COMPILER' // no C compiler, or one that cannot
  | 'ERR_COMPILE' // what a C compiler or linker made of a module
  | 'ERR_STORE' // a store of images that cannot be used
  | 'ERR_PRIVILEGED' // set-user-ID, set-group-ID or file capabilities
  | 'ERR_PLAN' // a plan that does not fit its image
  | 'ERR_STATE' // steps out of order
  | 'ERR_CLOSED' // use after close
  | 'ERR_NO_IMAGE' // a WebAssembly module that is not installed
  | 'ERR_PACKAGE' // a package of npm that something optional needs is not installed
  | 'ERR_PROTOTYPE' // a C prototype that could not be used
  | 'ERR_SYSTEM';

/**
 * A file that can't be loaded. The message is one line: file, place, found and wanted.
 * `offset` is the place in the file in bytes; 0 where the whole file is meant.
 */
export class LoadError extends Error {
  override readonly name = 'LoadError';
  readonly code: LoadErrorCode | string;
  readonly path: string;
  readonly offset: number;
  /** As on Node's own system errors, where a system call failed. */
  declare readonly errno?: number;
  declare readonly syscall?: string;

  constructor(code: LoadErrorCode | string, path: string, text: string, offset = 0, system?: SystemPart) {
    // One line: names in it may come out of a hostile file.
    super(`${path}: ${text}`.replace(/\p{Cc}/gu, '?'));
    this.code = code;
    this.path = path;
    this.offset = offset;
    if (system) {
      this.errno = system.errno;
      this.syscall = system.syscall;
    }
  }
}

/** System calls take a name up to its first NUL, and that would be another file. @throws TypeError */
export function checkName(path: string): string {
  if (typeof path !== 'string') throw new TypeError('path is not a string');
  if (path.includes('\0')) throw new TypeError(`path has a NUL in it: ${JSON.stringify(path)}`);
  return path;
}

interface SystemPart {
  errno: number;
  syscall: string;
}

interface NativeError extends Error {
  code?: string;
  offset?: number;
  errno?: number;
  syscall?: string;
}

/** The same failure of what the user calls by another name: an entry, and not its region. */
export function calledSo(name: string, path: string, thrown: unknown): unknown {
  if (!(thrown instanceof LoadError) || thrown.path !== path) return thrown;
  const { code, message, offset, errno, syscall } = thrown;
  const system = errno === undefined || syscall === undefined ? undefined : { errno, syscall };
  return new LoadError(code, name, message.slice(path.length + 2), offset, system);
}

/** Gives an error of the addon its file; anything else passes unchanged. */
export function inFile(path: string, thrown: unknown): unknown {
  const error = thrown as NativeError;
  if (!(error instanceof Error) || error instanceof LoadError || typeof error.code !== 'string')
    return thrown;
  if (error.syscall === undefined || error.errno === undefined)
    return new LoadError(error.code, path, error.message, error.offset);
  // Node's own, of node:fs, say code, system call and path already.
  const ofNode = error.message.startsWith(`${error.code}: `);
  const reason = ofNode
    ? error.message.slice(error.code.length + 2).split(`, ${error.syscall}`, 1)[0]
    : error.message;
  const text = `${error.code}: ${reason}, ${error.syscall}`;
  return new LoadError(error.code, path, text, 0, { errno: error.errno, syscall: error.syscall });
}
