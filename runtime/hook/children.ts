// Node itself hands preloads on to workers and forks; other processes get them by NODE_OPTIONS.

/** Programs that this one starts find the preload in their environment, unless they are given another. */
export function reachChildren(preload: string): void {
  const { NODE_OPTIONS = '' } = process.env;
  const quoted = `"${preload.replace(/["\\]/g, '\\$&')}"`;
  const isThere = [preload, quoted, 'insitu/register'].some((name) => NODE_OPTIONS.includes(name));
  if (isThere) return;
  process.env.NODE_OPTIONS = `${NODE_OPTIONS} --require ${quoted}`.trimStart();
}
