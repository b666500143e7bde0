// Images of NVDIMM files, taken while the machine stands still.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileC } from '../../build/compile.ts';
import { benchMedia, diskMedium, MiB, startOf } from './layout.ts';

/** The kernel's own data in front of a namespace (struct nd_pfn_sb) say where what it holds begins. */
const INFO_BLOCK = 4096;
const DATA_OFFSET = 56;

export function makeSparse(path: string, size: number): void {
  writeFileSync(path, '');
  truncateSync(path, size);
}

function readAt(path: string, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const fd = openSync(path, 'r');
  try {
    return bytes.subarray(0, readSync(fd, bytes, 0, length, position));
  } finally {
    closeSync(fd);
  }
}

/** @throws Error where the file holds no namespace */
function dataOffset(path: string): number {
  const block = readAt(path, INFO_BLOCK, 64);
  const signature = block.toString('latin1', 0, 16);
  if (!/^NVDIMM_(PFN|DAX)_INFO/.test(signature)) throw new Error(`${path} holds no namespace`);
  return Number(block.readBigUInt64LE(DATA_OFFSET));
}

export class Images {
  readonly #directory: string;
  readonly #copier: string;

  /** @param directory where the files of the media lie, by name */
  constructor(directory: string) {
    this.#directory = directory;
    const source = fileURLToPath(new URL('./copy-extents.c', import.meta.url));
    this.#copier = compileC(readFileSync(source, 'utf8'), {
      name: 'copy-extents',
      kind: 'pie',
      flags: ['-O2'],
    });
  }

  path(medium: string): string {
    return join(this.#directory, medium);
  }

  /** Copies the file systems into a slot of the bench, and a device into a file of its own. */
  take(slot: number, device: string, copy: string): void {
    const bench = dataOffset(this.path('bench'));
    const copies = benchMedia.flatMap(({ name, sizeMiB }, i) => {
      const skip = name === diskMedium.name ? 0 : dataOffset(this.path(name));
      const start = bench + startOf(slot, i) * MiB;
      return [name, skip, sizeMiB * MiB - skip, 'bench', start];
    });
    this.#copy([...copies, ...this.#ofDevice(device, copy)]);
  }

  /** A device into a file of its own. */
  takeDevice(device: string, copy: string): void {
    this.#copy(this.#ofDevice(device, copy));
  }

  #ofDevice(device: string, copy: string): (string | number)[] {
    const skip = dataOffset(this.path(device));
    const length = statSync(this.path(device)).size - skip;
    makeSparse(this.path(copy), length);
    return [device, skip, length, copy, 0];
  }

  #copy(args: readonly (string | number)[]): void {
    execFileSync(this.#copier, args.map(String), { cwd: this.#directory });
  }

  /** The first bytes of a device. */
  device(medium: string, length: number): Buffer {
    return readAt(this.path(medium), dataOffset(this.path(medium)), length);
  }
}
