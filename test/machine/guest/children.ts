// Programs that the suite watches while they run.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The project, its compiled code being at build/test/machine/guest. */
export const root = fileURLToPath(new URL('../../../..', import.meta.url));
export const payload = join(root, 'build/machine');
export const cli = join(root, 'dist/runtime/cli/main.cjs');
const truth = join(payload, 'truth');

export interface Count {
  pages: number;
  present: number;
  nvm: number;
  ram: number;
}

export interface MappedPart extends Count {
  protection: string;
  start: bigint;
  offset: number;
  path: string;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

const ask = (...args: string[]) => execFileSync(truth, args, { encoding: 'utf8' }).trim();

/** Mappings of a process whose files' names start so; 'anonymous' for memory without a file. */
export function partsOf(pid: number, ...prefixes: string[]): MappedPart[] {
  return ask('pages', String(pid), ...prefixes)
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [protection = '', pages, present, nvm, ram, start = '', offset, ...path] = line.split(' ');
      const count = { pages: Number(pages), present: Number(present), nvm: Number(nvm), ram: Number(ram) };
      return { protection, ...count, start: BigInt(start), offset: Number(offset), path: path.join(' ') };
    });
}

export function countOf(pid: number, address: bigint, length: number): Count {
  const [pages = 0, present = 0, nvm = 0, ram = 0] = ask(
    'range',
    String(pid),
    String(address),
    String(length),
  )
    .split(' ')
    .map(Number);
  return { pages, present, nvm, ram };
}

/** Addresses of the pages of a range that are in System RAM. */
export const pagesInRam = (pid: number, address: bigint, length: number): bigint[] =>
  ask('in-ram', String(pid), String(address), String(length)).split('\n').filter(Boolean).map(BigInt);

export const grantsMapSync = (file: string) => ask('map-sync', file) === 'yes';

export const faultsOf = (file: string, offset: number, length: number) =>
  Number(ask('faults', file, String(offset), String(length)));

export function add(counts: readonly Count[]): Count {
  const sum = (key: keyof Count) => counts.reduce((n, count) => n + count[key], 0);
  return { pages: sum('pages'), present: sum('present'), nvm: sum('nvm'), ram: sum('ram') };
}

/** A program that says `ready PID` and then waits for the end of its input. */
export class Resident {
  readonly pid: number;
  readonly line: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;

  private constructor(child: ChildProcess, line: string, ended: Promise<Ended>) {
    this.#child = child;
    this.#ended = ended;
    this.line = line;
    this.pid = Number(line.split(' ')[1]);
  }

  /** @throws Error with what it said when it ends before it is ready */
  static start(
    command: string,
    args: readonly string[],
    options: { argv0?: string } = {},
  ): Promise<Resident> {
    const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    let stdout = '';
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, stdout, stderr }));
    });
    return new Promise((resolve, reject) => {
      child.stdout.on('data', (chunk) => {
        stdout += chunk;
        const line = /^ready .*$/m.exec(stdout)?.[0];
        if (line !== undefined && stdout.includes(`${line}\n`)) resolve(new Resident(child, line, ended));
      });
      ended.then(
        ({ code }) =>
          reject(new Error(`${command} ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`)),
        reject,
      );
    });
  }

  /** Lets it end by itself. */
  async end(): Promise<Ended> {
    this.#child.stdin?.end();
    return this.#ended;
  }
}

export const insitu = (...args: string[]) => Resident.start(process.execPath, [cli, ...args]);

/** `insitu args…` to its end. */
export async function insituToEnd(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
