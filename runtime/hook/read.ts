// The reports that INSITU_REPORT collected.
import { existsSync, readFileSync } from 'node:fs';
import { LoadError } from '../../loader/error.ts';
import type { HookReport } from './report.ts';

type Shape = Record<string, (value: unknown) => boolean>;
const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isOf = (value: unknown, shape: Shape): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(shape).every(([name, holds]) => holds((value as Record<string, unknown>)[name]));
const all = (holds: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.every(holds);

const moduleShape: Shape = {
  image: (value) => value === null || isText(value),
  reason: isText,
  size: isNumber,
  readyMs: (value) => value === null || isNumber(value),
};
const imageShape: Shape = {
  sha256: isText,
  place: isText,
  bytesInPlace: isNumber,
  bytesCopied: isNumber,
  faults: (value) => isOf(value, { minor: isNumber }),
  dramSaved: (value) => value === null || isNumber(value),
  evidence: (value) => isOf(value, { summary: isText }),
};
const mappedShape: Shape = {
  path: isText,
  dramSaved: imageShape.dramSaved as (value: unknown) => boolean,
  evidence: imageShape.evidence as (value: unknown) => boolean,
};
const libraryShape: Shape = {
  path: isText,
  stored: (value) => value === null || isText(value),
  reason: isText,
  size: isNumber,
  readyMs: isNumber,
  faults: isNumber,
  mapped: all((value) => isOf(value, mappedShape)),
};
const reportShape: Shape = {
  pid: isNumber,
  thread: isNumber,
  node: isText,
  argv: all(isText),
  modules: all((value) => isOf(value, moduleShape)),
  images: all((value) => isOf(value, imageShape)),
  libraries: all((value) => isOf(value, libraryShape)),
};

/**
 * As JSON gives them back: addresses are strings.
 * @throws LoadError ERR_FORMAT; Error of the system call
 */
export function readReports(path: string): HookReport[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    if (line === '') return [];
    try {
      const found: unknown = JSON.parse(line);
      if (isOf(found, reportShape)) return [found as HookReport];
    } catch {}
    throw new LoadError('ERR_FORMAT', path, `line ${index + 1} is no report; want what INSITU_REPORT wrote`);
  });
}

/** Of a program that has ended; one that was killed has written none. */
export const readReportsIfAny = (path: string): HookReport[] => (existsSync(path) ? readReports(path) : []);
