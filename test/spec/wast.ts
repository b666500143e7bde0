// The script language of the WebAssembly test suite: a .wast file as commands.
import { type FloatType, floatBits, integerBits, type NaNPattern } from './literal.ts';
import { type Form, headOf, parseForms } from './sexpr.ts';

/** A module as it stands in the script; `text` is parsed by a text parser, `quote` too, and may be malformed. */
export interface Source {
  form: 'text' | 'quote' | 'binary';
  bytes: Uint8Array;
}

export type NumberType = 'i32' | 'i64' | FloatType;
export type Constant =
  | { type: NumberType | 'v128'; bits: bigint }
  | { type: 'null' }
  /** A value of the host, told apart by its number. */
  | { type: 'extern' | 'host'; id: number };

/** 16 bytes lane by lane, lane 0 first. */
export interface Lanes {
  type: 'v128';
  lane: FloatType;
  lanes: (bigint | NaNPattern)[];
}
export type Pattern =
  | Constant
  | { type: FloatType; nan: NaNPattern }
  | Lanes
  /** Any reference of this kind that is not null. */
  | { type: 'reference'; kind: string }
  | { type: 'either'; patterns: Pattern[] };

export interface Action {
  kind: 'invoke' | 'get';
  /** The module's name in the script; without one, the last module. */
  instance?: string;
  field: string;
  args: Constant[];
}

export type Command = { line: number } & (
  | { kind: 'module'; name?: string; source: Source; definition: boolean }
  | { kind: 'instance'; name?: string; definition?: string }
  | { kind: 'register'; as: string; name?: string }
  | { kind: 'action'; action: Action }
  | { kind: 'assert_return'; action: Action; expected: Pattern[] }
  | { kind: 'assert_trap' | 'assert_exhaustion'; action: Action; message: string }
  | { kind: 'assert_exception'; action: Action }
  | { kind: 'assert_trap_module' | 'assert_unlinkable'; source: Source; message: string }
  | { kind: 'assert_invalid' | 'assert_malformed'; source: Source; message: string }
  /** What this reader does not know. */
  | { kind: 'unknown'; command: string; reason: string }
);

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const nameOf = (bytes: string): string => Buffer.from(bytes, 'latin1').toString();

function atom(form: Form | undefined): string | undefined {
  return form?.kind === 'atom' ? form.text : undefined;
}

function string(form: Form | undefined): string {
  if (form?.kind !== 'string') throw new Error('wanted a string');
  return form.bytes;
}

function listItems(form: Form | undefined): Form[] {
  if (form?.kind !== 'list') throw new Error('wanted a list');
  return form.items;
}

/** The identifier `$name` at the front, and what follows. */
function identifier(forms: Form[]): { name?: string; rest: Form[] } {
  const first = atom(forms[0]);
  return first?.startsWith('$') ? { name: first, rest: forms.slice(1) } : { rest: forms };
}

const laneWidths: Record<string, number> = {
  i8x16: 8,
  i16x8: 16,
  i32x4: 32,
  i64x2: 64,
  f32x4: 32,
  f64x2: 64,
};

function isNaNPattern(text: string): NaNPattern | undefined {
  return text === 'nan:canonical' ? 'canonical' : text === 'nan:arithmetic' ? 'arithmetic' : undefined;
}

function vector(shape: string, texts: string[]): Constant | Lanes {
  const width = laneWidths[shape];
  if (width === undefined || texts.length !== 128 / width) throw new Error(`a v128 of the shape ${shape}`);
  const float = shape.startsWith('f') ? (`f${width}` as FloatType) : undefined;
  const lanes = texts.map((text) =>
    float ? (isNaNPattern(text) ?? floatBits(text, float)) : integerBits(text, width),
  );
  if (float && lanes.some((lane) => typeof lane === 'string')) return { type: 'v128', lane: float, lanes };
  const bits = lanes.reduceRight<bigint>((sum, lane) => (sum << BigInt(width)) | (lane as bigint), 0n);
  return { type: 'v128', bits };
}

function pattern(form: Form): Pattern {
  const [first, ...rest] = listItems(form);
  const head = atom(first) ?? '';
  const texts = rest.map((item) => atom(item) ?? '');
  const text = texts[0] ?? '';
  if (head === 'either') return { type: 'either', patterns: rest.map(pattern) };
  if (head === 'ref.null') return { type: 'null' };
  if (head === 'ref.extern' || head === 'ref.host') {
    const type = head === 'ref.extern' ? 'extern' : 'host';
    return text === '' ? { type: 'reference', kind: type } : { type, id: Number(text) };
  }
  if (head.startsWith('ref.')) return { type: 'reference', kind: head.slice('ref.'.length) };
  if (head === 'v128.const') return vector(text, texts.slice(1));
  const type = head.replace(/\.const$/, '');
  if (type === 'i32' || type === 'i64') return { type, bits: integerBits(text, type === 'i32' ? 32 : 64) };
  if (type === 'f32' || type === 'f64') {
    const nan = isNaNPattern(text);
    return nan ? { type, nan } : { type, bits: floatBits(text, type) };
  }
  throw new Error(`the value (${head})`);
}

function constant(form: Form): Constant {
  const value = pattern(form);
  if ('bits' in value || 'id' in value || value.type === 'null') return value;
  throw new Error(`the argument (${headOf(form)})`);
}

function action(form: Form | undefined): Action {
  const kind = headOf(form);
  if (kind !== 'invoke' && kind !== 'get') throw new Error(`the action (${kind})`);
  const { name, rest } = identifier(listItems(form).slice(1));
  const args = rest.slice(1).map(constant);
  return { kind, ...(name && { instance: name }), field: nameOf(string(rest[0])), args };
}

const moduleForms = new Set(['module', 'binary', 'quote']);

/** Commands of one script. */
class Script {
  readonly source: string;
  private at = 0;
  private line = 1;
  constructor(source: string) {
    this.source = source;
  }

  lineOf(offset: number): number {
    for (; this.at < offset; this.at++) if (this.source[this.at] === '\n') this.line++;
    return this.line;
  }

  private module(form: Form): { name?: string; source: Source; definition: boolean } {
    const items = listItems(form).slice(1);
    const definition = atom(items[0]) === 'definition';
    const { name, rest } = identifier(definition ? items.slice(1) : items);
    const kind = atom(rest[0]);
    const written = (form: 'binary' | 'quote'): Source => ({
      form,
      bytes: bytesOf(rest.slice(1).map(string).join('')),
    });
    const source =
      kind === 'binary' ? written('binary') : kind === 'quote' ? written('quote') : this.text(form);
    return { ...(name && { name }), source, definition };
  }

  // A definition differs from a module by its keyword only, which no text parser knows.
  private text(form: Form): Source {
    const text = this.source.slice(form.start, form.end).replace(/^(\(\s*module\s+)definition\b/, '$1');
    return { form: 'text', bytes: bytesOf(text) };
  }

  command(form: Form): Command {
    const line = this.lineOf(form.start);
    const command = headOf(form) ?? '';
    try {
      return { line, ...this.read(form, command) };
    } catch (error) {
      return { line, kind: 'unknown', command, reason: `not read: ${(error as Error).message}` };
    }
  }

  private read(form: Form, kind: string) {
    const items = listItems(form).slice(1);
    const [first, second] = items;
    switch (kind) {
      case 'module': {
        if (atom(first) !== 'instance') return { kind, ...this.module(form) } as const;
        const [name, definition] = items.slice(1).map(atom);
        return { kind: 'instance', ...(name && { name }), ...(definition && { definition }) } as const;
      }
      case 'register': {
        const name = atom(second);
        return { kind, as: nameOf(string(first)), ...(name && { name }) } as const;
      }
      case 'invoke':
      case 'get':
        return { kind: 'action', action: action(form) } as const;
      case 'assert_return':
        return { kind, action: action(first), expected: items.slice(1).map(pattern) } as const;
      case 'assert_exception':
        return { kind, action: action(first) } as const;
      case 'assert_trap':
      case 'assert_exhaustion': {
        const message = string(second);
        if (headOf(first) !== 'module') return { kind, action: action(first), message } as const;
        return { kind: 'assert_trap_module', source: this.asserted(first), message } as const;
      }
      case 'assert_unlinkable':
      case 'assert_invalid':
      case 'assert_malformed':
        return { kind, source: this.asserted(first), message: string(second) } as const;
      default:
        throw new Error(`the command (${kind})`);
    }
  }

  private asserted(form: Form | undefined): Source {
    if (!form || headOf(form) !== 'module') throw new Error('wanted a module');
    return this.module(form).source;
  }
}

const isCommand = (form: Form): boolean =>
  moduleForms.has(headOf(form) ?? '') ||
  /^(assert_|register$|invoke$|get$|thread$|wait$)/.test(headOf(form) ?? '');

/** Reads a script. A file without any command is the text of one module (core specification 6.6.13). */
export function parseScript(bytes: Uint8Array): Command[] {
  const source = Buffer.from(bytes).toString('latin1');
  const forms = parseForms(source);
  if (forms.length > 0 && !forms.some(isCommand)) {
    return [{ line: 1, kind: 'module', source: { form: 'text', bytes }, definition: false }];
  }
  const script = new Script(source);
  return forms.map((form) => script.command(form));
}
