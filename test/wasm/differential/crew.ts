// A process that answers a list of messages one by one, and is replaced when it crashes or takes too long.
import { type ChildProcess, fork } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export interface Lost {
  /** How the process ended over it. */
  lost: string;
}

export class Crew<Task, Answer> {
  readonly #script: string;
  readonly #flags: readonly string[];
  readonly #seconds: number;
  #child: ChildProcess | undefined;

  /** `script` is beside this file; `seconds` is for each answer. */
  constructor(script: string, flags: readonly string[], seconds: number) {
    this.#script = fileURLToPath(new URL(script, import.meta.url));
    this.#flags = flags;
    this.#seconds = seconds;
  }

  /** An answer for each task; a task that ends the process has none, and those after it go to another one. */
  async ask(tasks: readonly Task[]): Promise<(Answer | Lost)[]> {
    const answers: (Answer | Lost)[] = [];
    while (answers.length < tasks.length) {
      const lost = await this.#askOne(tasks.slice(answers.length), (answer) => answers.push(answer));
      if (lost === undefined) break;
      this.close();
      answers.push({ lost });
    }
    return answers;
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  /** @returns how it was lost; undefined when everything is answered */
  #askOne(tasks: readonly Task[], got: (answer: Answer) => void): Promise<string | undefined> {
    this.#child ??= fork(this.#script, {
      execArgv: [...process.execArgv, ...this.#flags],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const child = this.#child;
    return new Promise((resolve) => {
      let left = tasks.length;
      let errors = '';
      let timer: NodeJS.Timeout | undefined;
      const end = (lost?: string) => {
        clearTimeout(timer);
        child.removeAllListeners();
        child.stderr?.removeAllListeners();
        resolve(lost);
      };
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => end(`no answer in ${this.#seconds} s`), this.#seconds * 1000);
      };
      child.stderr?.on('data', (chunk) => {
        errors = (errors + chunk).slice(-1500);
      });
      child.on('message', (answer: Answer) => {
        got(answer);
        left--;
        if (left === 0) end();
        else wait();
      });
      child.on('close', (code, signal) => end(`ended by ${signal ?? `exit code ${code}`} ${errors}`));
      child.on('error', (error) => end(error.message));
      child.send(tasks as Task[]);
      wait();
    });
  }
}
