// What holds of every library that is loaded: asserted in a child process, in place and as a copy.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type Library, LoadError, loadSync } from '../../runtime/index.ts';

export type Place = 'in-place' | 'copy';
export const places: readonly Place[] = ['in-place', 'copy'];

/** Lines of /proc/self/maps that lie in or over a file. */
export function mappingsOf(path: string): string[] {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.endsWith(` ${path}`) || line.endsWith(` ${path} (deleted)`));
}

/** What readelf would tell. */
function featuresOf(path: string): { tls: boolean; neverUnloaded: boolean } {
  const PT_DYNAMIC = 2;
  const PT_TLS = 7;
  const DT_FLAGS_1 = 0x6ffffffb;
  const DF_1_NODELETE = 8;
  const bytes = readFileSync(path);
  const table = Number(bytes.readBigUInt64LE(32));
  const features = { tls: false, neverUnloaded: false };
  for (let at = table; at < table + 56 * bytes.readUInt16LE(56); at += 56) {
    const type = bytes.readUInt32LE(at);
    if (type === PT_TLS) features.tls = true;
    if (type !== PT_DYNAMIC) continue;
    const start = Number(bytes.readBigUInt64LE(at + 8));
    const end = start + Number(bytes.readBigUInt64LE(at + 32));
    for (let entry = start; entry < end; entry += 16)
      if (bytes.readBigUInt64LE(entry) === BigInt(DT_FLAGS_1))
        features.neverUnloaded = (bytes.readUInt32LE(entry + 8) & DF_1_NODELETE) !== 0;
  }
  return features;
}

/** After close: nothing is left, except of what must never be unloaded, with dlclose either. */
export function checkClosed(path: string, place: Place, base: bigint): void {
  const { neverUnloaded } = featuresOf(path);
  const start = new RegExp(`^${base.toString(16)}-[0-9a-f]+ r-`); // anything else that lies there now is writable
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
  assert.equal(mappingsOf(path).length > 0, neverUnloaded && place === 'in-place', 'mapped after close');
  assert.equal(
    maps.some((line) => start.test(line)),
    neverUnloaded,
    `mapped at 0x${base.toString(16)} after close`,
  );
}

function checkPlacement(library: Library, path: string, place: Place): void {
  const { report } = library;
  const wanted = place === 'copy' ? ['copied', 'zero'] : ['in-place', 'cow', 'zero'];
  for (const segment of report.segments)
    assert(
      wanted.includes(segment.placement),
      `segment ${segment.index} is ${segment.placement}: ${segment.reason}`,
    );
  const text = report.evidence.ranges.filter((range) => range.name === 'text');
  assert(text.length > 0 || path.includes('icudata'), 'no text');
  if (place === 'in-place') {
    assert.equal(report.bytesCopied, 0, 'bytes copied');
    assert(mappingsOf(path).length > 0, 'not in /proc/self/maps');
  } else {
    assert(report.bytesCopied > 0, 'no bytes copied');
    assert.deepEqual(mappingsOf(path), [], 'mapped besides being copied');
  }
  for (const range of text) {
    assert(range.present > 0, 'no resident page of text');
    if (place === 'in-place') assert.equal(range.present, range.pages, 'text pages resident after prefault');
    const anonymous = place === 'copy' ? range.present : 0;
    assert.equal(range.anonymous, anonymous, `anonymous pages among ${range.present} of text`);
  }
}

function checkSymbols(library: Library, symbol: string | undefined): void {
  const names = symbol === undefined ? library.exports : [symbol];
  const found = names.find((name) => {
    try {
      return library.symbol(name) > 0n;
    } catch (error) {
      if (error instanceof LoadError && error.code === 'ERR_SYMBOL') return false; // a TLS or an absolute one
      throw error;
    }
  });
  assert(found !== undefined, symbol === undefined ? 'no exported symbol resolves' : `no symbol ${symbol}`);
}

/** Loads, looks, closes, and looks whether anything is left. */
export function checkLoading(path: string, symbol: string | undefined, tls: boolean): void {
  if (tls) assert(featuresOf(path).tls, 'has no TLS segment');
  for (const place of [...places].reverse()) {
    const library = loadSync(path, { place, prefault: true });
    const { base } = library.report;
    checkPlacement(library, path, place);
    checkSymbols(library, symbol);
    library.close();
    checkClosed(path, place, base);
  }
}

export function checkRefusal(path: string, code: string): void {
  for (const place of places) {
    let thrown: unknown;
    try {
      loadSync(path, { place }).close();
    } catch (error) {
      thrown = error;
    }
    assert(thrown instanceof LoadError, 'was not refused');
    assert.equal(thrown.code, code, thrown.message);
    assert.deepEqual(mappingsOf(path), [], 'mapped after a refusal');
  }
}
