// What insitu says of WebAssembly that it runs itself.
import { writeSync } from 'node:fs';

/** Exit code of a trap, as wasmtime's: that of a program that abort(3) ended, 128 + SIGABRT. */
export const TRAPPED = 134;

/** Not by process.stderr: opening that changes the descriptor for the program. */
export function say(text: string): void {
  writeSync(2, `insitu: ${text}\n`);
}
