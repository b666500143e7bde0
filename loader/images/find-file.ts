// From a module in a file to its image: three system calls for a file that was seen before (native/wasm/known.cc), else by
// its bytes. A file is known again as make and git do it, by device, inode, size and both times.
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { wasm } from '../wasm.ts';
import { bySample, type FindOptions, type Found, foundAt, readAt, remember, rootsNow } from './find.ts';
import { archNow, type ImageArch, indexOf } from './layout.ts';

/**
 * The image of a module in a file. What is found by comparing is remembered, where the store can be written.
 * @returns undefined where there is none
 * @throws Error of the system call when the file can't be read
 */
export function imageOfFile(path: string, { roots = rootsNow() }: FindOptions = {}): Found | undefined {
  const arch = archNow();
  if (arch === undefined) return undefined;
  const known = wasm.wasmKnownImage(path, roots, indexOf(arch));
  if (known !== undefined) {
    const [store, target] = known;
    return foundAt(roots[store] as string, target, arch);
  }
  if (!statSync(path).isFile()) return undefined; // a FIFO would be waited for
  return ofOpenFile(path, arch, roots);
}

function ofOpenFile(path: string, arch: ImageArch, roots: readonly string[]): Found | undefined {
  const fd = openSync(path, 'r');
  try {
    const status = fstatSync(fd, { bigint: true });
    const size = Number(status.size);
    const began = BigInt(Date.now()) * 1_000_000n;
    const image = bySample(roots, arch, size, (at, length) => readAt(fd, at, length));
    if (image) remember(image, arch, status, began);
    return image;
  } finally {
    closeSync(fd);
  }
}
