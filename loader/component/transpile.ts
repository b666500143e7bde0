// From a component to its core modules and the JavaScript that lifts and lowers between them and a host, by jco.
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
  /** Of an ES module: { imports, exports, cores, default(WebAssembly) -> instantiate } (runtime/component/binding.ts). */
  binding: string;
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
  const binding = bind(path, code, { imports, exports: exports.map(([name]) => name), cores: names });
  return { cores: names.map((name) => files[name] as Uint8Array), binding };
}

/** component.core.wasm is the first, component.core2.wasm the second. */
const numberOf = (name: string): number => Number(CORE.exec(name)?.[1] || 1);

const textOf = (error: unknown): string =>
  String((error as Error).message ?? error)
    .split('\n')
    .filter(Boolean)
    .slice(0, 3)
    .join(': ');

/** The namespace becomes a parameter: what is run in place needs tables and globals of ours, and the rest V8's. */
function bind(path: string, code: string, facts: Record<string, string[]>): string {
  if (/^import\b/m.test(code))
    throw new LoadError('ERR_UNSUPPORTED', path, 'imports JavaScript modules of its own');
  const body = code.replace(/^export (?=(async )?function|const)/gm, '');
  const list = Object.entries(facts).map(
    ([name, value]) => `export const ${name} = ${JSON.stringify(value)};`,
  );
  return [...list, 'export default (WebAssembly) => {', body, 'return instantiate;', '};', ''].join('\n');
}
