// Processes that run plans: each runs several files, one that crashes or hangs is replaced.
import { type ChildProcess, fork } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Answer, Job } from './child.ts';

const FILES_A_PROCESS = 24;
const script = fileURLToPath(new URL('./child.ts', import.meta.url));

class Runner {
  private child: ChildProcess | undefined;
  private files = 0;
  private readonly options: PoolOptions;
  constructor(options: PoolOptions) {
    this.options = options;
  }

  async run(job: Job): Promise<Answer> {
    if (this.files >= FILES_A_PROCESS) this.close();
    this.files++;
    const answer = await this.ask(job);
    if ('failed' in answer) this.close();
    return answer;
  }

  private ask(job: Job): Promise<Answer> {
    const [execPath, ...own] = this.options.node ?? [process.execPath, ...process.execArgv];
    this.child ??= fork(script, {
      execPath,
      execArgv: [...own, ...this.options.flags],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const { child } = this;
    const { seconds } = this.options;
    return new Promise((resolve) => {
      let errors = '';
      const end = (answer: Answer) => {
        clearTimeout(timer);
        child.removeAllListeners();
        child.stderr?.removeAllListeners();
        resolve(answer);
      };
      const timer = setTimeout(() => end({ failed: `no answer in ${seconds} s` }), seconds * 1000);
      child.stderr?.on('data', (chunk) => {
        errors = (errors + chunk).slice(-500);
      });
      child.on('message', (answer: Answer) => end(answer));
      child.on('close', (code, signal) =>
        end({ failed: `ended by ${signal ?? `exit code ${code}`}: ${errors}` }),
      );
      child.on('error', (error) => end({ failed: error.message }));
      child.send(job, (error) => {
        if (error) end({ failed: error.message });
      });
    });
  }

  close(): void {
    this.child?.kill('SIGKILL');
    this.child = undefined;
    this.files = 0;
  }
}

export interface PoolOptions {
  /** Processes at once. */
  count: number;
  /** Of V8. */
  flags: string[];
  /** For one file. */
  seconds: number;
  /** Another Node than this one, which reads TypeScript by itself: what is run, and what comes before all arguments. */
  node?: readonly [string, ...string[]];
}

/** Runs all jobs and gives each answer to `done` as it comes. */
export async function runAll(
  jobs: (() => Job)[],
  options: PoolOptions,
  done: (index: number, answer: Answer) => void,
): Promise<void> {
  let next = 0;
  const work = async () => {
    const runner = new Runner(options);
    try {
      for (let index = next++; index < jobs.length; index = next++) {
        const job = jobs[index];
        if (job) done(index, await runner.run(job()));
      }
    } finally {
      runner.close();
    }
  };
  await Promise.all(Array.from({ length: options.count }, work));
}
