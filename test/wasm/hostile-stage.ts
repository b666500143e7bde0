// Runs one act over modules that were compiled ahead, in this process or in a worker of it, and prints what it answers.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as insitu from '../../runtime/wasm/index.ts';

export interface Compiled {
  image: string;
  source: string;
}
export interface Play {
  modules: Record<string, Compiled>;
  /** Source of a function of a Stage. */
  act: string;
  fallback: boolean;
}

type Exports = Record<string, (...args: unknown[]) => unknown>;

/** What an act sees; nothing of its own file. */
export interface Stage {
  /** Exports of a new instance. */
  make(name: string, imports?: object): Exports;
  module(name: string): InstanceType<typeof insitu.Module>;
  insitu: typeof insitu;
  /** What a call answers, or the name and text of what it throws. */
  told(call: () => unknown): unknown;
  /** Lets everything be collected that can be, and finalized. */
  collect(): Promise<void>;
  pause(milliseconds: number): Promise<void>;
  /** Runs an act of its own in a worker: the exit code. `ready` is called when the worker posts something. */
  inWorker(act: (stage: Stage) => unknown, ready?: (worker: Worker) => unknown): Promise<number>;
  post(message: unknown): void;
  /** Leaves this process so many bytes of addresses more than it has now. */
  limitAddresses(more: number): void;
  process: NodeJS.Process;
}

/** Node 20 does not run the preloads of the process in a worker's loader. */
const bootstrap = `
  const { register } = require(${JSON.stringify(fileURLToPath(import.meta.resolve('tsx/esm/api')))});
  register();
  import(${JSON.stringify(import.meta.url)});`;

async function collect(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) {
    (globalThis as { gc?: () => void }).gc?.();
    await pause(5);
  }
}

function told(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : `thrown ${String(error)}`;
  }
}

function limitAddresses(more: number): void {
  const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0]);
  execFileSync('prlimit', [`--pid=${process.pid}`, `--as=${pages * 4096 + more}`]);
}

function play({ modules, act, fallback }: Play): unknown {
  insitu.setPolicy({
    fallback,
    find(bytes) {
      const found = Object.values(modules).find(({ source }) => readFileSync(source).equals(bytes));
      return found && { ...found, root: '', sha256: '', baseline: found.image };
    },
  });
  const module = (name: string) => new insitu.Module(readFileSync((modules[name] as Compiled).source));
  const stage: Stage = {
    make: (name, imports = {}) => new insitu.Instance(module(name), imports).exports as Exports,
    module,
    insitu,
    told,
    collect,
    pause,
    inWorker: (inner, ready) =>
      new Promise((resolve, reject) => {
        const own: Play = { modules, act: String(inner), fallback };
        const worker = new Worker(bootstrap, { eval: true, workerData: own });
        worker.on('message', () => ready?.(worker));
        worker.on('error', reject);
        worker.on('exit', resolve);
      }),
    post: (message) => parentPort?.postMessage(message),
    limitAddresses,
    process,
  };
  // esbuild names functions by a function of its own.
  return new Function('__name', `return ${act}`)((named: unknown) => named)(stage);
}

const answer = await play(
  isMainThread ? (JSON.parse(readFileSync(0, 'utf8')) as Play) : (workerData as Play),
);
const json = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);
if (isMainThread) writeSync(1, `${JSON.stringify(answer, json) ?? 'undefined'}\n`);
