// Stacks of traps: what V8 writes of this loader's own functions gives way to the frames of compiled code. A trap that
// goes on through JavaScript into compiled code again gets the frames of that, too.
import { codeOf } from '../../loader/root.ts';
import { wasm } from '../../loader/wasm.ts';

/** In the URLs of frames, and in the paths that source maps make of them. */
const OWN = codeOf('runtime/wasm/');
/** At most this many frames of ours stand between two of a program's. */
const OWN_FRAMES = 8;

interface Pieces {
  head: string;
  /** Frames of compiled code, then those of JavaScript that called it; then again. */
  compiled: string[][];
  script: string[][];
  text: string;
}

const known = new WeakMap<Error, Pieces>();

function compiledFrames(): string[] {
  const trace = wasm.wasmTrace();
  const lines: string[] = [];
  for (let i = 0; i < trace.length; i += 2) {
    const place = `wasm-function[${trace[i]}]`;
    lines.push(`    at ${trace[i + 1] === '' ? place : `${trace[i + 1]} (${place})`}`);
  }
  return lines;
}

/** The frames that are not ours, parted where ours were. */
function scriptFrames(lines: string[]): string[][] {
  const parts: string[][] = [];
  let ours = false;
  for (const line of lines) {
    const isOurs = line.includes(OWN);
    if (!isOurs && (ours || parts.length === 0)) parts.push([]);
    if (!isOurs) parts.at(-1)?.push(line);
    ours = isOurs;
  }
  return parts;
}

function write(error: Error, pieces: Pieces): void {
  const { head, compiled, script } = pieces;
  const lines = script.flatMap((part, index) => [...(compiled[index] ?? []), ...part]);
  if (script.length < compiled.length) lines.push(...compiled.slice(script.length).flat());
  error.stack = [head, ...lines.slice(0, Error.stackTraceLimit)].join('\n');
  pieces.text = error.stack;
}

/** Makes an error that has more frames than are shown: ours are among them. */
export function withRoom<T>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = limit > 0 ? limit + OWN_FRAMES : limit;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** Of the trap that just was. */
export function addTrace(error: Error): void {
  const { stack } = error;
  const head = `${error.name}: ${error.message}`;
  if (typeof stack !== 'string' || !stack.startsWith(head)) return;
  const script = scriptFrames(stack.slice(head.length + 1).split('\n'));
  const pieces = { head, compiled: [compiledFrames()], script, text: stack };
  known.set(error, pieces);
  write(error, pieces);
}

/** The error of a trap went through compiled code once more. */
export function continueTrace(error: object): void {
  const pieces = known.get(error as Error);
  if (pieces === undefined || (error as Error).stack !== pieces.text) return;
  if (pieces.script.length === pieces.compiled.length) part(pieces.script);
  pieces.compiled.push(compiledFrames());
  write(error as Error, pieces);
}

/** Where no frame of ours tells, what called compiled code this time does: the same frames as then, and no more. */
function part(script: string[][]): void {
  const all = script.pop() as string[];
  const [first, ...others] = scriptFrames(
    (withRoom(() => new Error()).stack ?? '').split('\n').slice(1),
  ).flat();
  const whole = all.length - others.length - 1;
  const at = all[whole] === first ? whole : all.indexOf(first as string);
  if (at < 0) script.push(all);
  else script.push(all.slice(0, at), all.slice(at));
}
