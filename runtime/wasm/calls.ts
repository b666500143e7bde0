// compile, instantiate, validate and the streaming calls (JS API 4): they answer promises, never throw.
import { isObject } from './face.ts';
import { Instance, importsForV8, instanceOf, settled } from './instance-class.ts';
import { engineNow } from './late.ts';
import { imageOf, moduleFor, moduleIsMade } from './module-class.ts';
import { choose, compilable, isKnown } from './source.ts';
import { emptyModule, V8 } from './v8.ts';

export type Both = { module: object; instance: object };

const isImports = (imports: unknown): boolean => imports === undefined || isObject(imports);

/** What V8 made, of our classes. */
const dressed = (object: object, { prototype }: { prototype: object }): object =>
  Object.setPrototypeOf(object, prototype);

function dressedAll(made: unknown): object {
  if (made instanceof V8.Instance) return dressed(settled(made), Instance);
  const { instance } = made as Both;
  moduleIsMade();
  dressed(settled(instance), Instance);
  return made as Both;
}

/** V8 compiles while the program goes on: what is waiting for its turn by then has had it. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The image is chosen before this returns: what happens to the bytes afterwards is not seen. */
export async function compile(...args: unknown[]): Promise<object> {
  const { image, ready } = choose(args[0], args[1]);
  if (image !== undefined) {
    const module = moduleFor(image);
    await turn();
    return module;
  }
  const module = await Reflect.apply(V8.compile, V8, args);
  moduleIsMade();
  ready();
  return module;
}

async function inV8(args: unknown[]): Promise<object> {
  const [source, imports, ...options] = args;
  const given = args.length > 1 ? [source, importsForV8(imports), ...options] : args;
  return dressedAll(await Reflect.apply(V8.instantiate, V8, given));
}

async function instantiateAs(text: string, args: unknown[]): Promise<object> {
  const [source, imports] = args;
  const image = imageOf(source);
  if (!isImports(imports)) return inV8(image === undefined ? args : [emptyModule(), imports]);
  if (image !== undefined) return instanceOf(image, imports, text, Instance);
  const { image: found, ready } = choose(source, args[2]);
  if (found === undefined) {
    const made = await inV8(args);
    ready();
    return made;
  }
  const module = moduleFor(found);
  await turn(); // V8 compiles before it reads imports
  return { module, instance: instanceOf(found, imports, text, Instance) };
}

export const instantiate = (...args: unknown[]): Promise<object> =>
  instantiateAs('WebAssembly.instantiate()', args);

/** JavaScript Promise Integration: V8 wants a function of its own. */
export const promising = (f: unknown, ...rest: unknown[]): unknown =>
  (V8.promising as (...args: unknown[]) => unknown)(
    (isObject(f) && engineNow()?.functionForV8(f)) || f,
    ...rest,
  );

/** Also true of modules that this V8 does not know and that have an image. */
export const validate = (...args: unknown[]): boolean => {
  if (Reflect.apply(V8.validate, V8, args)) return true;
  const bytes = args.length > 1 ? undefined : compilable(args[0]);
  return bytes !== undefined && isKnown(bytes);
};

/** The bytes of a response that V8 would compile; null for what Node's own words are needed for. */
async function bytesOfResponse(response: unknown): Promise<ArrayBuffer | null> {
  if (!(response instanceof Response) || !response.ok || response.bodyUsed) return null;
  if (response.headers.get('content-type') !== 'application/wasm') return null;
  return response.arrayBuffer();
}

export async function compileStreaming(...args: unknown[]): Promise<object> {
  const response = await args[0];
  const bytes = args.length > 1 ? null : await bytesOfResponse(response);
  if (bytes !== null) return compile(bytes);
  const module = await (V8.compileStreaming as typeof V8.compile)(response, ...args.slice(1));
  moduleIsMade();
  return module;
}

export async function instantiateStreaming(...args: unknown[]): Promise<object> {
  const [source, imports, ...options] = args;
  const response = await source;
  const isPlain = options.length === 0 && isImports(imports);
  const bytes = isPlain ? await bytesOfResponse(response) : null;
  if (bytes !== null) return instantiateAs('WebAssembly.instantiateStreaming()', [bytes, imports]);
  const call = V8.instantiateStreaming as typeof V8.instantiate;
  return dressedAll(await call(response, importsForV8(imports), ...options));
}
