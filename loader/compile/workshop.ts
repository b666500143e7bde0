// Where compilers run: a directory of their own and processes that none survives, however it ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LoadError } from '../error.ts';

const MOST_ERRORS = 64 << 10; // bytes of stderr that are kept
const LINES_TOLD = 4;
/** Empty lines, and those of the source that compilers show below a message. */
const QUOTED = /^\s*(\d+ )?(\||$)/;

/**
 * Outlives this process: SIGKILL leaves no other chance. stdin is the life line. Unless it hears before its end that all
 * is well, it kills whatever has the directory for its temporary files and removes that; again, as some may just begin.
 */
const GUARD = `
read -r well && exit
for round in 1 2 3 4; do
  for process in /proc/[0-9]*; do
    grep -qsF "TMPDIR=$1" "$process/environ" && kill -KILL "\${process#/proc/}"
  done
  rm -rf -- "$1"
  sleep 0.05
done
`;

/** What each process of a program may take. */
export interface Limits {
  /** Of CPU. */
  readonly seconds: number;
  /** Of memory that is its own. */
  readonly bytes: number;
}

/** Runs what follows under limits: seconds, and KiB or 'unlimited'. */
const LIMITED = 'ulimit -S -t "$0"; ulimit -S -d "$1"; shift; exec "$@"';
const kib = (bytes: number): string => (bytes === Infinity ? 'unlimited' : `${Math.floor(bytes / 1024)}`);
const NOT_FOUND = 127; // sh(1)

/** Compiler processes in a directory; `await using` ends them all and removes it. */
export class Workshop implements AsyncDisposable {
  readonly directory: string;
  readonly #guard: ChildProcess;
  readonly #running = new Set<ChildProcess>();
  readonly #signal: AbortSignal | undefined;
  readonly #end = () => this.#kill();

  /** @throws Error of the system call; the signal's reason when it has been given already */
  constructor(within: string, signal?: AbortSignal) {
    signal?.throwIfAborted();
    this.directory = mkdtempSync(join(within, 'insitu-compile-'));
    this.#guard = spawn('/bin/sh', ['-c', GUARD, 'insitu', this.directory], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#guard.on('error', () => {}); // no shell: then only SIGKILL leaves something
    this.#guard.stdin?.on('error', () => {});
    this.#guard.unref();
    this.#signal = signal;
    signal?.addEventListener('abort', this.#end);
  }

  /** A directory in it that nobody else has been given. */
  room(): string {
    return mkdtempSync(join(this.directory, 'room-'));
  }

  /**
   * Runs a program to its end.
   * @param about what the messages are about: a source, a unit
   * @param directory what file names in `args` are relative to
   * @throws LoadError ERR_COMPILE with its exit code and the first lines of its stderr, ERR_LIMIT with what it took more
   *   of than it may; ENOSPC; the signal's reason
   */
  async run(
    program: string,
    args: readonly string[],
    about: string,
    directory: string,
    limits: Limits,
  ): Promise<void> {
    this.#signal?.throwIfAborted();
    const child = spawn(
      '/bin/sh',
      ['-c', LIMITED, `${limits.seconds}`, kib(limits.bytes), program, ...args],
      {
        cwd: directory,
        env: environmentOf(this.directory),
        stdio: ['ignore', 'ignore', 'pipe'],
        detached: true, // a group of its own: compilers start others
      },
    );
    this.#running.add(child);
    try {
      const outcome = await ended(child);
      this.#signal?.throwIfAborted();
      const failure = failureOf(program, outcome, limits);
      if (failure) throw new LoadError(failure.code, about, failure.text);
    } finally {
      this.#running.delete(child);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#end);
    const waited = [...this.#running].map(ended);
    this.#kill();
    await Promise.all(waited);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
    this.#guard.stdin?.end('well\n');
  }

  #kill(): void {
    for (const { pid } of this.#running) {
      if (pid === undefined) continue;
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // gone already
      }
    }
  }
}

/** Messages in English, temporary files here, and nothing of the caller's that changes what comes out. */
function environmentOf(directory: string): NodeJS.ProcessEnv {
  const { CPATH: _, C_INCLUDE_PATH: __, LIBRARY_PATH: ___, ...inherited } = process.env;
  // zig compiles a library of its own first, for 3 s, and keeps that in the user's cache.
  const zig: NodeJS.ProcessEnv = { ZIG_LOCAL_CACHE_DIR: join(directory, 'zig') };
  if (!inherited.HOME && !inherited.XDG_CACHE_HOME) zig.ZIG_GLOBAL_CACHE_DIR = join(directory, 'zig');
  return { ...inherited, LC_ALL: 'C', TMPDIR: directory, ...zig };
}

interface Outcome {
  error: NodeJS.ErrnoException | undefined;
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  errors: string;
}

function ended(child: ChildProcess): Promise<Outcome> {
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    if (errors.length < MOST_ERRORS) errors += chunk;
  });
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null)
      resolve({ error: undefined, exitCode: child.exitCode, signal: child.signalCode, errors });
    child.on('error', (error) => resolve({ error, exitCode: null, signal: null, errors }));
    child.on('close', (exitCode, signal) => resolve({ error: undefined, exitCode, signal, errors }));
  });
}

function failureOf(
  program: string,
  { error, exitCode, signal, errors }: Outcome,
  { seconds, bytes }: Limits,
): { code: string; text: string } | undefined {
  if (error) return { code: error.code ?? 'ERR_COMPILE', text: `${program} cannot be run: ${error.message}` };
  if (exitCode === 0) return undefined;
  if (exitCode === NOT_FOUND) return { code: 'ENOENT', text: `${program} cannot be run: ${errors.trim()}` };
  if (signal === 'SIGXCPU' || /CPU time limit exceeded/.test(errors))
    return { code: 'ERR_LIMIT', text: `more than ${seconds} s` };
  if (/out of memory|memory exhausted|bad_alloc/i.test(errors))
    return { code: 'ERR_LIMIT', text: `more than ${Math.floor(bytes / 2 ** 20)} MiB` };
  const lines = errors.split('\n').filter((line) => !QUOTED.test(line));
  const told = lines.slice(0, LINES_TOLD).join('; ') || 'it said nothing';
  const how = signal === null ? `exit code ${exitCode}` : `${signal}`;
  const code = /No space left on device/.test(errors) ? 'ENOSPC' : 'ERR_COMPILE';
  return { code, text: `${program} ended with ${how}: ${told}` };
}
