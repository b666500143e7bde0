// A store of images: which names it has where. Whatever its files hold is decided elsewhere.
//
//   STORE                        says that this is one, and of which layout
//   entries/SHA256/              of one module
//     source.wasm                its bytes, to be compared with those at hand
//     ARCH-CPU.FORMAT.so         an image of it; CPU is 'baseline', or names the one that it was made for
//     installed-from             the paths it was installed from, one a line
//   index/ARCH.FORMAT/           symbolic links, never followed, from what is cheap to know to an image (find.ts)
//   locks/SHA256                 held by whoever changes that entry (lock.ts)
//
// Everything appears whole, by rename. Room is left for: signatures and checkpoints, which are of one image and lie
// beside it under its name (ARCH-CPU.FORMAT.sig, .checkpoint); and a journal, which the directories up here are free
// for, and which makes several entries appear at once: a name in entries/ that it holds as unfinished is no entry.

/** Of the images (native/wasm/description.h: kFormat): those of another one are not loaded, and made anew. */
export const IMAGE_FORMAT = 4;

export const MARKER = 'STORE';
/** First line of the marker. */
export const LAYOUT = 'insitu store 1';

export const SOURCE = 'source.wasm';
export const INSTALLED_FROM = 'installed-from';

const BASELINE = 'baseline';
const IMAGE_NAME = /^(x86-64|aarch64)-(baseline|[0-9a-f]{16})\.(\d+)\.so$/;
export const SHA256_DIGITS = 64;
const SHA256 = /^[0-9a-f]{64}$/;

export type ImageArch = 'x86-64' | 'aarch64';

export interface ImageName {
  arch: ImageArch;
  /** 'baseline', or the tag of a CPU (cpu.ts). */
  cpu: string;
  format: number;
}

export const isSha256 = (text: string): boolean => SHA256.test(text);

export const entryPath = (root: string, sha256: string): string => `${root}/entries/${sha256}`;
/** Of the index, in a store. */
export const indexOf = (arch: ImageArch): string => `/index/${arch}.${IMAGE_FORMAT}`;
export const indexPath = (root: string, arch: ImageArch): string => root + indexOf(arch);

export const imageName = (arch: ImageArch, cpu: string = BASELINE): string =>
  `${arch}-${cpu}.${IMAGE_FORMAT}.so`;

/** Undefined for what is no name of an image. */
export function parseImageName(name: string): ImageName | undefined {
  const [, arch, cpu, format] = IMAGE_NAME.exec(name) ?? [];
  return cpu === undefined ? undefined : { arch: arch as ImageArch, cpu, format: Number(format) };
}

/** Of this process; undefined where no image can run. */
export function archNow(): ImageArch | undefined {
  return process.arch === 'x64' ? 'x86-64' : process.arch === 'arm64' ? 'aarch64' : undefined;
}

// Names in the index.

/** As fstat(2) gives it. */
export interface FileStatus {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

/** A piece of a module: `length` bytes from `at` on; fewer where it ends. */
export type ReadPiece = (at: number, length: number) => Uint8Array;

/** Modules of the same sample are numbered; more than this are not told apart. */
export const MOST_ALIKE = 16;

/** Of a file as it is now: any write to it changes its times. */
export function fileKey({ dev, ino, size, mtimeNs, ctimeNs }: FileStatus): string {
  return `file-${dev}-${ino}-${size}-${mtimeNs}-${ctimeNs}`;
}

const PIECES = 16;
const PIECE = 64; // bytes

/** Size and a checksum of some pieces, from the first bytes to the last ones: cheap, and to be confirmed. */
export function sampleKey(size: number, read: ReadPiece): string {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (let i = 0; i < PIECES; i++) {
    const at = Math.floor((Math.max(0, size - PIECE) * i) / (PIECES - 1));
    for (const byte of read(at, PIECE)) {
      a = Math.imul(a ^ byte, 0x01000193); // FNV-1a
      b = Math.imul(b ^ (byte + i), 0x5bd1e995) ^ (b >>> 15);
    }
  }
  return `bytes-${size}-${hex8(a)}${hex8(b)}`;
}

/** The checksum in such a key, as a number. */
export const sampleOf = (key: string): bigint => BigInt(`0x${key.slice(key.lastIndexOf('-') + 1)}`);

const hex8 = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
