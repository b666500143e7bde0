// binaryen's wasm-opt in this process: its script is compiled once, each run has an instance of its own. Starting a
// process for each module would cost twenty times as much.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import type * as V8Type from '../../../runtime/wasm/v8.ts';
import { V8 } from '../../../runtime/wasm/v8.ts';

type Start = (
  module: object,
  require: NodeJS.Require,
  process: object,
  path: string,
  directory: string,
) => void;

/** Where the script has its WebAssembly: a call with one string. */
const BINARY = "binaryDecode('";

export class WasmOpt {
  readonly #directory: string;
  readonly #script: string;
  readonly #require: NodeJS.Require;
  readonly #start: Start;
  readonly #compiled: V8Type.Module;

  /** Its files are written into `directory`. @throws Error when the package is not what is known of it */
  constructor(directory: string) {
    this.#directory = directory;
    const require = createRequire(import.meta.url);
    this.#script = join(dirname(require.resolve('binaryen')), 'bin', 'wasm-opt');
    this.#require = createRequire(this.#script);
    const text = readFileSync(this.#script, 'utf8').replace(/^#!.*/, '');
    this.#compiled = new V8.Module(binaryOf(text));
    this.#start = new Function('Module', 'require', 'process', '__filename', '__dirname', text) as Start;
  }

  /** Runs it on a file with that content. @throws Error with what it printed, when nothing came out */
  async run(input: Uint8Array, args: readonly string[]): Promise<Buffer> {
    const [from, to] = ['in', 'out'].map((end) =>
      join(this.#directory, `wasm-opt-${process.pid}.${end}`),
    ) as [string, string];
    writeFileSync(from, input);
    rmSync(to, { force: true });
    const printed = await this.#main([from, '-o', to, '--quiet', ...args]);
    try {
      return readFileSync(to);
    } catch {
      throw new Error(`wasm-opt ${args.join(' ')}: ${printed.slice(0, 500)}`);
    }
  }

  async #main(args: string[]): Promise<string> {
    const printed: string[] = [];
    const print = (line: string) => printed.push(line);
    const module = {
      arguments: args,
      print,
      printErr: print,
      quit() {},
      instantiateWasm: (imports: object, done: (instance: V8Type.Instance) => void) =>
        done(new V8.Instance(this.#compiled, imports)),
    };
    // It sets the exit code, which is not this process's.
    const own = Object.create(process, { exitCode: { value: 0, writable: true } });
    this.#start(module, this.#require, own, this.#script, this.#directory);
    await new Promise((resolve) => setImmediate(resolve)); // all it waits for is its own promises
    return printed.join('\n');
  }
}

/** The script holds its WebAssembly as a string, a character a byte, complemented below 256. */
function binaryOf(script: string): Uint8Array {
  const from = script.indexOf(BINARY);
  const decode = /function binaryDecode\(bin\)\{.*?return o\}/s.exec(script);
  if (from < 0 || !decode) throw new Error('binaryen: its wasm-opt is not laid out as it was');
  const to = script.indexOf("')}", from) + 2;
  return new Function(`${decode[0]};return ${script.slice(from, to)}`)() as Uint8Array;
}
