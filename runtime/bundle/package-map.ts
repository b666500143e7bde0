// What `exports` and `imports` of a package.json map a request to (Node's packages; ECMAScript modules, "Resolution
// Algorithm Specification": PACKAGE_EXPORTS_RESOLVE, PACKAGE_IMPORTS_EXPORTS_RESOLVE, PACKAGE_TARGET_RESOLVE).

/** A path from the package's directory, the request of another package, or what is neither; null is "not exported". */
export type Target = { path: string } | { request: string } | { invalid: string } | null | undefined;

const INVALID = /(?:^|[/\\])(?:\.\.?|node_modules)(?:[/\\]|$)/i;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @param subpath '.' or './…' @param conditions all that hold */
export function mapExports(exports: unknown, subpath: string, conditions: ReadonlySet<string>): Target {
  const isSugar = !isObject(exports) || !Object.keys(exports).some((key) => key.startsWith('.'));
  const map = isSugar ? { '.': exports } : (exports as Record<string, unknown>);
  return mapKeys(map, subpath, conditions, false);
}

/** @param request '#…' */
export const mapImports = (
  imports: Record<string, unknown>,
  request: string,
  conditions: ReadonlySet<string>,
): Target => mapKeys(imports, request, conditions, true);

function mapKeys(
  map: Record<string, unknown>,
  key: string,
  conditions: ReadonlySet<string>,
  isImports: boolean,
): Target {
  if (Object.hasOwn(map, key) && !key.includes('*'))
    return targetOf(map[key], undefined, conditions, isImports);
  const patterns = Object.keys(map)
    .filter((pattern) => pattern.split('*').length === 2)
    .filter((pattern) => matchOf(pattern, key) !== undefined)
    .sort(byLength);
  const [pattern] = patterns;
  return pattern === undefined
    ? undefined
    : targetOf(map[pattern], matchOf(pattern, key), conditions, isImports);
}

/** What stands in the place of the star. */
function matchOf(pattern: string, key: string): string | undefined {
  const [before = '', behind = ''] = pattern.split('*');
  const fits =
    key.startsWith(before) && key.endsWith(behind) && key.length >= pattern.length && key !== before;
  return fits ? key.slice(before.length, key.length - behind.length) : undefined;
}

/** PATTERN_KEY_COMPARE: the longest beginning counts. */
const byLength = (a: string, b: string): number => b.indexOf('*') - a.indexOf('*') || b.length - a.length;

function targetOf(
  target: unknown,
  match: string | undefined,
  conditions: ReadonlySet<string>,
  isImports: boolean,
): Target {
  if (typeof target === 'string') return ofText(target, match, isImports);
  if (Array.isArray(target)) return ofFirst(target, match, conditions, isImports);
  if (!isObject(target)) return target === null ? null : undefined;
  for (const [condition, value] of Object.entries(target)) {
    if (condition !== 'default' && !conditions.has(condition)) continue;
    const found = targetOf(value, match, conditions, isImports);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The first that is valid, whether or not it is there. */
function ofFirst(
  targets: readonly unknown[],
  match: string | undefined,
  conditions: ReadonlySet<string>,
  isImports: boolean,
): Target {
  let last: Target;
  for (const target of targets) {
    const found = targetOf(target, match, conditions, isImports);
    if (found && !('invalid' in found)) return found;
    if (found !== undefined) last = found;
  }
  return last;
}

function ofText(target: string, match: string | undefined, isImports: boolean): Target {
  const whole = match === undefined ? target : target.replaceAll('*', () => match);
  if (!target.startsWith('./')) {
    const isRequest =
      isImports && !target.startsWith('../') && !target.startsWith('/') && !target.includes(':/');
    return isRequest ? { request: whole } : { invalid: target };
  }
  const isInvalid = INVALID.test(target.slice(2)) || (match !== undefined && INVALID.test(match));
  return isInvalid ? { invalid: target } : { path: whole };
}
