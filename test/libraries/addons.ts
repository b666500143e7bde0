// Node addons of npm packages, with the prebuilt binary of their tarball: bufferutil (C, registers itself in a
// constructor) and @node-rs/crc32 (Rust, exports its init function and has thread-local destructors).
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { loadSync } from '../../runtime/index.ts';
import { loadInWorker } from './built-threads.ts';
import { places } from './loading.ts';

const require = createRequire(import.meta.url);

interface BufferUtil {
  mask(source: Buffer, mask: Buffer, output: Buffer, offset: number, length: number): void;
  unmask(buffer: Buffer, mask: Buffer): void;
}
interface Crc32 {
  crc32(input: Buffer | string, initial?: number): number;
  crc32c(input: Buffer | string, initial?: number): number;
}

const data = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i) >> 3));

function bufferUtilAnswers(addon: BufferUtil): unknown {
  const key = Buffer.from([1, 2, 3, 250]);
  const out = Buffer.alloc(data.length);
  addon.mask(data, key, out, 3, data.length - 3);
  const masked = out.toString('hex');
  addon.unmask(out, key);
  return [Object.keys(addon), masked, out.toString('hex')];
}

function crc32Answers(addon: Crc32): unknown {
  let thrown = '';
  try {
    addon.crc32(5 as never);
  } catch (error) {
    thrown = (error as Error).message;
  }
  return [Object.keys(addon), addon.crc32(data), addon.crc32c(data, 77), addon.crc32('text'), thrown];
}

const answersOf = (path: string, addon: unknown): unknown =>
  path.includes('crc32') ? crc32Answers(addon as Crc32) : bufferUtilAnswers(addon as BufferUtil);

/** Loads in both places, twice each: every one has an environment of its own. */
export function addonAnswers(path: string): unknown {
  const answers = [...places, ...places].map((place) => answersOf(path, loadSync(path, { place }).addon()));
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  return answers[0];
}

export async function checkAddon(path: string): Promise<void> {
  const here = addonAnswers(path);
  const workers = await Promise.all([loadInWorker(path, 'addon'), loadInWorker(path, 'addon')]);
  assert.deepEqual(workers, [here, here], 'in two workers');
  assert.deepEqual(answersOf(path, require(path)), here, 'as require() has it'); // after: it must still work too
  assert.deepEqual(addonAnswers(path), here, 'after require()');
}

/** Where the packages are installed. */
export const addonFiles: Record<string, () => string> = {
  'bufferutil 4.1.0': () => require.resolve('bufferutil/prebuilds/linux-x64/bufferutil.node'),
  '@node-rs/crc32-linux-x64-gnu 1.10.8': () => require.resolve('@node-rs/crc32-linux-x64-gnu'),
};
