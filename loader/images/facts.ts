// What an image says of itself, read from the file without mapping it: for people, so nothing is checked that a load checks.
import type { OpenFile } from '../backing.ts';
import { native } from '../native.ts';
import { IMAGE_FORMAT } from './layout.ts';

export interface ImageFacts {
  /** Of images; one of another format than this version's is told by nothing else. */
  imageFormat: number;
  /** Of the module, in hexadecimal and in bytes. */
  sha256: string | null;
  sourceSize: number | null;
  tier: 'quick' | 'best' | null;
  /** Bytes of the file that are mapped as the first content of linear memories. */
  memoryImageBytes: number | null;
}

/** One program header; native/elf.h has checked them before. */
interface Header {
  type: number;
  offset: number;
  vaddr: number;
  fileSize: number;
}

const PT_LOAD = 1;
const PT_NOTE = 4;
const OWNER = 'insitu\0';
const NOTE_HEAD = 12 + 8; // Elf64_Nhdr and the owner, padded

/** Places in struct Description (native/wasm/description.h), in bytes. */
const PLACES = { tier: 20, sha256: 24, sourceSize: 56, runs: 192 };
const RUN = { bytes: 24, size: 16 };

/** Undefined of a shared object that is no image. @param file an ELF file */
export function imageFacts(file: OpenFile): ImageFacts | undefined {
  const view = native.view(file.fd, file.start, file.size, file.path);
  const headers = programHeaders(view);
  const note = headers.find(({ type, offset }) => type === PT_NOTE && ownerAt(view, offset) === OWNER);
  if (note === undefined) return undefined;
  const format = view.readUInt32LE(note.offset + NOTE_HEAD);
  const vaddr = note.vaddr + NOTE_HEAD + 4 + view.readInt32LE(note.offset + NOTE_HEAD + 4);
  const segment = headers.find((h) => h.type === PT_LOAD && vaddr >= h.vaddr && vaddr < h.vaddr + h.fileSize);
  const unknown = { imageFormat: format, sha256: null, sourceSize: null, tier: null, memoryImageBytes: null };
  if (format !== IMAGE_FORMAT || segment === undefined) return unknown;
  try {
    return { imageFormat: format, ...described(view.subarray(vaddr - segment.vaddr + segment.offset)) };
  } catch (error) {
    if (error instanceof RangeError) return unknown; // it ends before what it promises
    throw error;
  }
}

function described(description: Buffer): Omit<ImageFacts, 'imageFormat'> {
  const tier = description.readUInt32LE(PLACES.tier);
  const at = description.readUInt32LE(PLACES.runs);
  const count = description.readUInt32LE(PLACES.runs + 4);
  let memoryImageBytes = 0;
  for (let i = 0; i < count; i++)
    memoryImageBytes += Number(description.readBigUInt64LE(at + RUN.bytes * i + RUN.size));
  return {
    sha256: description.toString('hex', PLACES.sha256, PLACES.sha256 + 32),
    sourceSize: Number(description.readBigUInt64LE(PLACES.sourceSize)),
    tier: tier === 1 ? 'quick' : 'best',
    memoryImageBytes,
  };
}

const ownerAt = (view: Buffer, offset: number): string => view.toString('latin1', offset + 12, offset + 19);

/** As ELF-64 has them: e_phoff at 32, e_phnum at 56, 56 bytes each. */
function programHeaders(view: Buffer): Header[] {
  const at = Number(view.readBigUInt64LE(32));
  return Array.from({ length: view.readUInt16LE(56) }, (_, i) => {
    const header = view.subarray(at + 56 * i);
    const word = (offset: number) => Number(header.readBigUInt64LE(offset));
    return { type: header.readUInt32LE(0), offset: word(8), vaddr: word(16), fileSize: word(32) };
  });
}
