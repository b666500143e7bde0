// From a component to its core modules and the JavaScript that lifts and lowers between them and a host, by jco.
import { createHash } from 'node:crypto';
import { LoadError } from '../error.ts';
import { optional } from './optional.ts';

interface Jco {
  transpileBytes(
    component: Uint8Array,
    options: object,
  ): Promise<{ files: Record<string, Uint8Array>; imports: string[]; exports: [string, string][] }>;
}

export interface Transpiled {
  /** In the order of their numbers. */
  cores: Uint8Array[];
  /** Of an ES module: { facts, default(WebAssembly) -> instantiate } (runtime/component/binding.ts). */
  binding: string;
}

/** What is known of a component without running it: the binding's first line. */
export interface ComponentFacts {
  /** Of the component, in bytes. */
  size: number;
  /** Interfaces and functions, without their versions. */
  imports: string[];
  exports: string[];
  /** What jco's code calls its core modules, by their numbers, and the SHA-256 of each. */
  cores: { name: string; sha256: string }[];
}

const NAME = 'component';
const CORE = new RegExp(`^${NAME}\\.core(\\d*)\\.wasm$`);

/** @throws LoadError ERR_PACKAGE, ERR_FORMAT of what is no component that jco can transpile */
export async function transpile(path: string, bytes: Uint8Array): Promise<Transpiled> {
  const { transpileBytes } = await optional<Jco>('@bytecodealliance/jco-transpile', path);
  const options = { name: NAME, instantiation: 'sync', emitTypescriptDeclarations: false };
  const { files, imports, exports } = await transpileBytes(bytes, options).catch((error) => {
    throw new LoadError('ERR_FORMAT', path, `can't be transpiled: ${textOf(error)}`);
  });
  const names = Object.keys(files)
    .filter((name) => CORE.test(name))
    .sort((a, b) => numberOf(a) - numberOf(b));
  const code = Buffer.from(files[`${NAME}.js`] ?? []).toString('utf8');
  const cores = names.map((name) => files[name] as Uint8Array);
  const hashes = names.map((name, i) => ({ name, sha256: hashOf(cores[i] as Uint8Array) }));
  const facts = { size: bytes.length, imports, exports: exports.map(([name]) => name), cores: hashes };
  return { cores, binding: bind(path, code, facts) };
}

/** component.core.wasm is the first, component.core2.wasm the second. */
const numberOf = (name: string): number => Number(CORE.exec(name)?.[1] || 1);

const textOf = (error: unknown): string =>
  String((error as Error).message ?? error)
    .split('\n')
    .filter(Boolean)
    .slice(0, 3)
    .join(': ');

const hashOf = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

const FIRST = 'export const facts = ';
const LAST = '\n// sha256 ';

/** The namespace becomes a parameter: what is run in place needs tables and globals of ours, and the rest V8's. */
function bind(path: string, code: string, facts: ComponentFacts): string {
  if (/^import\b/m.test(code))
    throw new LoadError('ERR_UNSUPPORTED', path, 'imports JavaScript modules of its own');
  const body = code.replace(/^export (?=(async )?function|const)/gm, '');
  const head = `${FIRST}${JSON.stringify(facts)};`;
  const text = [head, 'export default (WebAssembly) => {', body, 'return instantiate;', '};'].join('\n');
  return `${text}${LAST}${hashOf(text)}\n`;
}

/** @throws LoadError ERR_CONTENT of a binding that is not as it was written */
export function factsOf(path: string, binding: string): ComponentFacts {
  const [text = '', sum] = binding.split(LAST);
  if (sum !== `${hashOf(text)}\n`)
    throw new LoadError('ERR_CONTENT', path, 'its bytes are not those that were written');
  return JSON.parse(text.slice(FIRST.length, text.indexOf('\n') - 1)) as ComponentFacts;
}
