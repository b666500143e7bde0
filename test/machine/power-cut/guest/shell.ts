// A shell that stays: starting a program out of Node is what costs most on an emulated processor.
import { spawn } from 'node:child_process';

export class Shell {
  readonly #child = spawn('busybox', ['sh'], { stdio: ['pipe', 'pipe', 'inherit'] });
  #heard: (() => void) | undefined;

  constructor() {
    this.#child.stdout.on('data', () => this.#heard?.());
  }

  /** Runs the lines to their end. They are not to write to standard output, errors go to ours. */
  run(lines: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      this.#heard = resolve;
      this.#child.stdin.write(`${lines.join('\n')}\necho\n`);
    });
  }
}
