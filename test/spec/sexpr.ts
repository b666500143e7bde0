// S-expressions of the WebAssembly text format (core specification 6.3), of a source read as latin1: a character is a
// byte, so that a form's [start, end) is a span of the file's bytes.

export type Form = { start: number; end: number } & (
  | { kind: 'atom'; text: string }
  /** `bytes` is what the literal stands for, a character a byte. */
  | { kind: 'string'; bytes: string }
  | { kind: 'list'; items: Form[] }
);

const blank = new Set([' ', '\t', '\n', '\r']);
const single: Record<string, string> = { t: '\t', n: '\n', r: '\r', '"': '"', "'": "'", '\\': '\\' };

class Lexer {
  at = 0;
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }

  fail(what: string): never {
    const line = this.source.slice(0, this.at).split('\n').length;
    throw new Error(`line ${line}: ${what}`);
  }

  skipBlanks(): void {
    for (;;) {
      while (blank.has(this.source[this.at] ?? '')) this.at++;
      if (this.source.startsWith(';;', this.at)) this.skipLine();
      else if (this.source.startsWith('(;', this.at)) this.skipBlock();
      else return;
    }
  }

  // A line ends with a line feed or with a carriage return.
  private skipLine(): void {
    while (this.at < this.source.length && !'\n\r'.includes(this.source[this.at] ?? '')) this.at++;
  }

  private skipBlock(): void {
    let depth = 0;
    do {
      if (this.at >= this.source.length) this.fail('a block comment does not end');
      if (this.source.startsWith('(;', this.at)) {
        depth++;
        this.at += 2;
      } else if (this.source.startsWith(';)', this.at)) {
        depth--;
        this.at += 2;
      } else this.at++;
    } while (depth > 0);
  }

  string(): string {
    let bytes = '';
    this.at++;
    for (;;) {
      const character = this.source[this.at++];
      if (character === undefined) this.fail('a string does not end');
      if (character === '"') return bytes;
      bytes += character === '\\' ? this.escape() : character;
    }
  }

  private escape(): string {
    const character = this.source[this.at++] ?? '';
    const plain = single[character];
    if (plain !== undefined) return plain;
    if (character === 'u' && this.source[this.at] === '{') {
      const end = this.source.indexOf('}', this.at);
      const point = Number.parseInt(this.source.slice(this.at + 1, end).replaceAll('_', ''), 16);
      this.at = end + 1;
      return Buffer.from(String.fromCodePoint(point)).toString('latin1');
    }
    const digits = character + (this.source[this.at++] ?? '');
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) this.fail(`a string has the escape \\${digits}`);
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  atom(): string {
    const start = this.at;
    while (this.at < this.source.length && !this.endsAtom()) this.at++;
    return this.source.slice(start, this.at);
  }

  private endsAtom(): boolean {
    const character = this.source[this.at] ?? '';
    if (blank.has(character) || '()"'.includes(character)) return true;
    return character === ';' && this.source[this.at + 1] === ';';
  }
}

function parseForm(lexer: Lexer): Form {
  const start = lexer.at;
  const character = lexer.source[start];
  if (character === '"') return { kind: 'string', bytes: lexer.string(), start, end: lexer.at };
  if (character !== '(') {
    const text = lexer.atom();
    if (text === '') lexer.fail(`found ${JSON.stringify(character)}`);
    return { kind: 'atom', text, start, end: lexer.at };
  }
  lexer.at++;
  const items = parseUntil(lexer, ')');
  lexer.at++;
  return { kind: 'list', items, start, end: lexer.at };
}

/** Forms up to a closing parenthesis, or to the end of the source; annotations, `(@id …)`, are left out. */
function parseUntil(lexer: Lexer, closing: ')' | undefined): Form[] {
  const items: Form[] = [];
  for (;;) {
    lexer.skipBlanks();
    if (lexer.source[lexer.at] === closing) return items;
    if (lexer.at >= lexer.source.length) lexer.fail('a parenthesis is not closed');
    const isAnnotation = lexer.source.startsWith('(@', lexer.at);
    const form = parseForm(lexer);
    if (!isAnnotation) items.push(form);
  }
}

/** The forms of a source whose characters are bytes (latin1). Throws an Error with the line where it is malformed. */
export function parseForms(source: string): Form[] {
  return parseUntil(new Lexer(source), undefined);
}

/** The first word of a list, or undefined. */
export function headOf(form: Form | undefined): string | undefined {
  const first = form?.kind === 'list' ? form.items[0] : undefined;
  return first?.kind === 'atom' ? first.text : undefined;
}
