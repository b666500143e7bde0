// Text modules to binaries through child processes: one that hangs or dies is replaced, and its text goes to the reader
// that is left.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Parsed, Reader, Reply, Request } from './text-child.ts';

const TIMEOUT_MS = 20_000;
const script = fileURLToPath(new URL('./text-child.ts', import.meta.url));

class TextReader {
  private child: ChildProcess | undefined;
  private id = 0;
  private closed = false;

  /** A malformed text is `rejected`, with the last reader's words. */
  async parse(text: Uint8Array, readers: Reader[]): Promise<Parsed> {
    if (this.closed) return { rejected: 'the reader is closed' };
    const parsed = await this.ask({ id: ++this.id, text, readers });
    if (parsed) return parsed;
    this.end();
    return readers.length > 1
      ? this.parse(text, readers.slice(1))
      : { rejected: `${readers[0]}: hung or crashed` };
  }

  private ask(request: Request): Promise<Parsed | undefined> {
    this.child ??= fork(script, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const { child } = this;
    return new Promise((resolve) => {
      const end = (parsed: Parsed | undefined) => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(parsed);
      };
      const timer = setTimeout(end, TIMEOUT_MS, undefined);
      child.on('message', (reply: Reply) => end(reply));
      child.on('error', () => end(undefined));
      child.on('exit', () => end(undefined));
      child.send(request, (error) => {
        if (error) end(undefined);
      });
    });
  }

  private end(): void {
    this.child?.kill('SIGKILL');
    this.child = undefined;
  }

  close(): void {
    this.closed = true;
    this.end();
  }
}

/** Readers of text modules, `count` at once; the same text is read once. */
export class TextReaders {
  private readonly idle: TextReader[];
  private readonly all: TextReader[];
  private readonly waiting: ((reader: TextReader) => void)[] = [];
  private readonly known = new Map<string, Promise<Parsed>>();

  constructor(count: number) {
    this.all = Array.from({ length: count }, () => new TextReader());
    this.idle = [...this.all];
  }

  parse(text: Uint8Array, readers: Reader[]): Promise<Parsed> {
    const key = `${readers}:${Buffer.from(text).toString('latin1')}`;
    const parsed = this.known.get(key) ?? this.parseByAny(text, readers);
    this.known.set(key, parsed);
    return parsed;
  }

  private async parseByAny(text: Uint8Array, readers: Reader[]): Promise<Parsed> {
    const reader = this.idle.pop() ?? (await new Promise<TextReader>((take) => this.waiting.push(take)));
    try {
      return await reader.parse(text, readers);
    } finally {
      const next = this.waiting.shift();
      if (next) next(reader);
      else this.idle.push(reader);
    }
  }

  close(): void {
    for (const reader of this.all) reader.close();
  }
}
