/**
 * What a thread has one of, though its code may be there twice: the preload is a file by itself, so that a start that does
 * not need more loads no more.
 */
export function once<T extends object>(name: string, make: () => T): T {
  const key = Symbol.for(`insitu.${name}`);
  const kept = process as unknown as Record<symbol, T | undefined>;
  if (kept[key] === undefined) Object.defineProperty(process, key, { value: make() });
  return kept[key] as T;
}

/** Undefined where nobody has made it. */
export const madeOnce = <T extends object>(name: string): T | undefined =>
  (process as unknown as Record<symbol, T | undefined>)[Symbol.for(`insitu.${name}`)];
